"""The catalog's table: signing in to it, and the few calls that everything in this package is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.data.tables import TableClient, TableEntity, TableTransactionError, UpdateMode

from shared.catalog.azure_table.errors import NO_TABLE, ComeBackLater, TableCall, code_of, collided, mapped
from shared.catalog.azure_table.keys import Key, end_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

Answer = TypeVar("Answer")
CONNECT_SECONDS, READ_SECONDS = 2, 5
MOST_RETRIES, BACKOFF_FACTOR, LONGEST_CALL_SECONDS = 3, 0.2, 20
"""The only level of retries, for what the network or the service lost: a step that fails here is repeated by the engine."""
CHANGE_TRIES = 12
"""How often a change is decided anew because another writer was faster. One of the writers succeeds in every round."""
MOST_IN_TRANSACTION = 100
"""Operations of an entity group transaction: "Performing entity group transactions"."""
TRANSACTION = "Entity group transaction"
CONDITION_FAILED = frozenset(
    {"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ConditionNotMet", "ResourceNotFound", "EntityNotFound"}
)


class Stored(NamedTuple):
    """An entity as it was read. `values` are its properties without keys and system properties."""

    key: Key
    values: Mapping[str, Any]
    etag: str


class Refused(Exception):
    """A condition did not hold: the entity exists already, was changed since it was read, or is gone. Nothing was written, or
    this very write was repeated after its answer was lost: who cares must look."""


class Write(NamedTuple):
    """One part of a transaction. `kind` is `create`, `touch` or `delete`; without an etag what is deleted need only exist.

    `touch` merges `values` that the entity has anyway: there is no other way to make a transaction depend on an entity.
    """

    kind: str
    key: Key
    values: Mapping[str, Any] = {}
    etag: str = ""


def open_table(endpoint: str, table_name: str, credential: TokenCredential, **options: Any) -> TableClient:
    """A client with the catalog's time-outs. `endpoint` is such as https://<account>.table.core.windows.net. Connects later.

    `options` are the SDK's, such as `audience` in another cloud."""
    return TableClient(
        endpoint,
        table_name,
        credential=credential,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retry_total=MOST_RETRIES,
        retry_backoff_factor=BACKOFF_FACTOR,
        timeout=LONGEST_CALL_SECONDS,
        raw_response_hook=_do_not_wait,
        **options,
    )


def _do_not_wait(response: PipelineResponse[Any, Any]) -> None:
    """Raises ComeBackLater. Waiting is the engine's, which does it without a function running."""
    answer = response.http_response
    seconds = answer.headers.get("Retry-After") or ""
    if answer.status_code in (429, 503) and seconds.isdecimal():
        answer.close()  # that of a transaction is a stream, which would keep its connection
        raise ComeBackLater(answer.status_code, answer.headers.get("x-ms-error-code", ""), float(seconds))


class Table:
    """Entities in and out. Safe to use from several threads."""

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self.name = client.table_name

    def get(self, key: Key) -> Stored | None:
        with mapped(self.call("Query Entities")):
            try:
                return _stored(self._client.get_entity(*key))
            except ResourceNotFoundError as error:
                if code_of(error) in NO_TABLE:
                    raise
                return None

    def put(self, key: Key, values: Mapping[str, Any], old: Stored | None) -> None:
        """In the place of what was read, or of nothing. Raises Refused."""
        operation, entity = "Insert Entity" if old is None else "Update Entity", _entity(key, values)
        with mapped(self.call(operation)):
            try:
                if old is None:
                    self._client.create_entity(entity)
                else:
                    condition = MatchConditions.IfNotModified
                    self._client.update_entity(entity, UpdateMode.REPLACE, etag=old.etag, match_condition=condition)
            except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError) as error:
                if code_of(error) in NO_TABLE:
                    raise
                raise Refused from error

    def delete(self, key: Key) -> None:
        """Does nothing when there is no such entity."""
        with mapped(self.call("Delete Entity")):
            self._client.delete_entity(*key)

    def query(self, partition: str, prefix: str = "", where: str = "", limit: int = 0, **values: Any) -> Iterator[Stored]:
        """The entities of a partition whose RowKey begins with `prefix`, in its order, all or the first `limit`.

        `where` is a further OData condition in which `@name` stands for the value of that name.
        """
        conditions, given = ["PartitionKey eq @partition"], {"partition": partition, **values}
        if prefix:
            conditions.append("RowKey ge @begin and RowKey lt @end")
            given |= {"begin": prefix, "end": end_of(prefix)}
        if where:
            conditions.append(f"({where})")
        with mapped(self.call("Query Entities")):
            found = self._client.query_entities(
                " and ".join(conditions), parameters=given, results_per_page=min(limit, 1000) or None
            )
            yield from map(_stored, islice(found, limit) if limit else found)

    def transact(self, writes: Sequence[Write]) -> None:
        """All or nothing, within one partition. Raises Refused."""
        with mapped(self.call(TRANSACTION)):
            try:
                self._client.submit_transaction([_operation(write) for write in writes])
            except TableTransactionError as error:
                if code_of(error) not in CONDITION_FAILED:
                    raise
                raise Refused from error

    def decide(self, operation: str, what: str, attempt: Callable[[], Answer]) -> Answer:
        """For a change that depends on what is stored: `attempt` reads, decides and writes, anew whenever its write is Refused.

        Raises Throttled when others were faster too often; `what` is how the message calls the thing they want.
        """
        for _ in range(CHANGE_TRIES):
            with suppress(Refused):
                return attempt()
        raise collided(self.call(operation), what)

    def call(self, operation: str) -> TableCall:
        """The name of a call in error messages."""
        return TableCall(operation, self.name)


def _stored(entity: TableEntity) -> Stored:
    values = {name: value for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}
    return Stored(Key(entity["PartitionKey"], entity["RowKey"]), values, str(entity.metadata["etag"]))


def _entity(key: Key, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"PartitionKey": key.partition, "RowKey": key.row, **values}


def _operation(write: Write) -> Any:
    entity = _entity(write.key, write.values)
    condition = {"etag": write.etag, "match_condition": MatchConditions.IfNotModified} if write.etag else {}
    match write.kind:
        case "create":
            return "create", entity
        case "touch":
            return "update", entity, {"mode": UpdateMode.MERGE, **condition}
    return "delete", entity, condition
