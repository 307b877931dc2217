"""The data plane: POST /sandbox/documents does one thing with the account behind an endpoint. Stands in for its HTTPS API.

Body: {"endpoint", "key", "operation", ...}; see `Documents`. Errors are {"error": code, "message": text}: 503 UnknownHost,
401 Unauthorized, 403 Forbidden, 404 NotFound, 409 Conflict, 412 PreconditionFailed, 400 BadRequest.

A stored procedure is text that nothing here can run. What is kept of it is what matters to a backup: that ScalarDB's writes go
through one, and fail on a container that lacks it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import Any

from infra.sandbox.azure.cosmos.accounts import Account, Json
from infra.sandbox.azure.cosmos.contents import STORED_PROCEDURES, Container, DocumentKey
from infra.sandbox.azure.cosmos.inventory import Inventory

PATH = "/sandbox/documents"
ABSENT = "absent"
STATUS = {
    "UnknownHost": 503,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "PreconditionFailed": 412,
    "BadRequest": 400,
}
_HOST = re.compile(r"https://(?P<account>[a-z0-9-]+)\.documents\.azure\.com(?::443)?/?", re.IGNORECASE)


class DocumentsError(Exception):
    """`code` is one of STATUS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Documents:
    """What can be asked, beside `database` and `container`:

    read → {"document": document or null}; query → {"documents"}: all, or those of one partition key.
    create, upsert, replace, delete: one document; the last two, if wished, with `if_match`, an etag.
    execute → {"written": bool}: `mutations`, each {"id", "document" or null, "expect"}, all or none of them, within one
    partition key; `expect` is null, "absent", or values by path in the document.
    create_database, create_container, create_procedure → {"created": bool}; drop_container → {"dropped": bool};
    containers → {"containers": names}; procedures → {"procedures": names}.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._reading: dict[str, Callable[[Account, Json, float], Json]] = {
            "read": _read,
            "query": _query,
            "containers": _containers,
            "procedures": _procedures,
        }
        self._writing: dict[str, Callable[[Account, Json, float], Json]] = {
            "create": _create,
            "upsert": _upsert,
            "replace": _replace,
            "delete": _delete,
            "execute": _execute,
        }
        self._defining: dict[str, Callable[[Account, Json, float], Json]] = {
            "create_database": _create_database,
            "create_container": _create_container,
            "create_procedure": _create_procedure,
            "drop_container": _drop_container,
        }

    def run(self, given: Json, now: float) -> Json:
        """Raises DocumentsError."""
        account, name = self._account(_text(given, "endpoint")), given.get("operation")
        run = {**self._reading, **self._writing, **self._defining}.get(str(name))
        if run is None:
            known = ", ".join([*self._reading, *self._writing, *self._defining])
            raise DocumentsError("BadRequest", f"operation must be one of {known}, it is {name!r}.")
        read_only = self._check_key(account, _text(given, "key"))
        if read_only and name not in self._reading:
            raise DocumentsError("Forbidden", f"The key given to account {account.name} is a read-only one.")
        if name in self._defining and account.properties["disableKeyBasedMetadataWriteAccess"]:
            raise DocumentsError("Forbidden", f"Account {account.name} lets keys change no databases, containers and scripts.")
        return run(account, given, now)

    def _account(self, endpoint: str) -> Account:
        found = _HOST.fullmatch(endpoint)
        account = self._inventory.accounts.get(found["account"].lower()) if found else None
        if account is None or account.state not in ("Succeeded", "Updating"):
            raise DocumentsError("UnknownHost", f"Name or service not known: {endpoint}. No account answers there now.")
        if account.properties["publicNetworkAccess"] == "Disabled" and not account.private_endpoints:
            raise DocumentsError("Forbidden", f"Account {account.name} takes no public traffic and has no private endpoint.")
        return account

    def _check_key(self, account: Account, key: str) -> bool:
        """Whether it is a read-only key."""
        if account.properties["disableLocalAuth"]:
            raise DocumentsError("Unauthorized", f"Local authorization is disabled in account {account.name}.")
        for kind, each in account.keys.items():
            if hmac.compare_digest(each.encode(), key.encode()):
                return "Readonly" in kind
        message = f"The input authorization token can't serve the request: the key is none of account {account.name}'s."
        raise DocumentsError("Unauthorized", message)


# -- documents


def _read(account: Account, given: Json, now: float) -> Json:
    return {"document": _standing(_container(account, given), (_text(given, "partition_key"), _text(given, "id")), now)}


def _query(account: Account, given: Json, now: float) -> Json:
    container, wanted = _container(account, given), given.get("partition_key")
    keys = [key for key in container.documents if wanted in (None, key[0])]
    return {"documents": [document for key in keys if (document := _standing(container, key, now)) is not None]}


def _create(account: Account, given: Json, now: float) -> Json:
    key = _key_of(account, given)
    if _standing(_container(account, given), key, now) is not None:
        raise DocumentsError("Conflict", f"Entity with the specified id already exists in the system: {key[1]}.")
    return _put(account, given, key, given["document"], now)


def _upsert(account: Account, given: Json, now: float) -> Json:
    return _put(account, given, _key_of(account, given), given["document"], now)


def _replace(account: Account, given: Json, now: float) -> Json:
    key = _key_of(account, given)
    _check_etag(_container(account, given), key, given, now)
    return _put(account, given, key, given["document"], now)


def _delete(account: Account, given: Json, now: float) -> Json:
    key = (_text(given, "partition_key"), _text(given, "id"))
    _check_etag(_container(account, given), key, given, now)
    return _put(account, given, key, None, now)


def _execute(account: Account, given: Json, now: float) -> Json:
    container, procedure = _container(account, given), _text(given, "procedure")
    if procedure not in container.scripts[STORED_PROCEDURES]:
        where = f"{given['database']}/{given['container']}"
        raise DocumentsError("NotFound", f"Stored procedure {procedure} does not exist in container {where}.")
    partition_key, mutations = _text(given, "partition_key"), given.get("mutations")
    if not isinstance(mutations, list) or not mutations:
        raise DocumentsError("BadRequest", "mutations must be a list that is not empty.")
    for mutation in mutations:
        standing = _standing(container, (partition_key, _text(mutation, "id")), now)
        if not _holds(mutation.get("expect"), standing):
            return {"written": False}
    for mutation in mutations:
        document = mutation.get("document")
        if document is not None and document.get(container.partition_key) != partition_key:
            raise DocumentsError("BadRequest", f"{container.partition_key} of the document is not {partition_key!r}.")
        _put(account, given, (partition_key, mutation["id"]), document, now)
    return {"written": True}


def _standing(container: Container, key: DocumentKey, now: float) -> Json | None:
    document = container.documents.get(key)
    return document if document is not None and container.alive(document, now) else None


def _put(account: Account, given: Json, key: DocumentKey, document: Json | None, now: float) -> Json:
    account.contents.put_document(given["database"], given["container"], key, document, now)
    return {"document": account.contents.databases[given["database"]].containers[given["container"]].documents.get(key)}


def _check_etag(container: Container, key: DocumentKey, given: Json, now: float) -> None:
    standing = _standing(container, key, now)
    if standing is None:
        raise DocumentsError("NotFound", f"Entity with the specified id does not exist in the system: {key[1]}.")
    if given.get("if_match") not in (None, standing["_etag"]):
        raise DocumentsError("PreconditionFailed", f"The etag of {key[1]} is another one: somebody else has changed it.")


def _holds(expect: Any, document: Json | None) -> bool:
    if expect is None:
        return True
    if expect == ABSENT:
        return document is None
    if not isinstance(expect, dict):
        raise DocumentsError("BadRequest", f'expect must be null, "{ABSENT}" or an object of paths and values.')
    return document is not None and all(_at(document, path) == value for path, value in expect.items())


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def _key_of(account: Account, given: Json) -> DocumentKey:
    document = given.get("document")
    if not isinstance(document, dict):
        raise DocumentsError("BadRequest", "document must be an object.")
    return _text(document, _container(account, given).partition_key), _text(document, "id")


# -- databases, containers, procedures


def _create_database(account: Account, given: Json, now: float) -> Json:
    name = _text(given, "database")
    created = name not in account.contents.databases
    if created:
        throughput = given.get("throughput")
        account.contents.put_database(name, None if throughput is None else {"throughput": throughput}, now)
    return {"created": created}


def _create_container(account: Account, given: Json, now: float) -> Json:
    database, name = account.contents.databases.get(_text(given, "database")), _text(given, "container")
    if database is None:
        raise DocumentsError("NotFound", f"Database {given['database']} does not exist in account {account.name}.")
    created = name not in database.containers
    if created:
        paths = {"paths": [_text(given, "partition_key_path")], "kind": "Hash"}
        resource = {"id": name, "partitionKey": paths, **(given.get("settings") or {})}
        throughput = {"throughput": 400} if database.throughput is None else None
        account.contents.put_container(given["database"], resource, throughput, now)
    return {"created": created}


def _create_procedure(account: Account, given: Json, now: float) -> Json:
    procedures, name = _container(account, given).scripts[STORED_PROCEDURES], _text(given, "procedure")
    created = name not in procedures
    procedures.setdefault(name, {"id": name, "body": _text(given, "body")})
    return {"created": created}


def _drop_container(account: Account, given: Json, now: float) -> Json:
    database = account.contents.databases.get(_text(given, "database"))
    dropped = database is not None and _text(given, "container") in database.containers
    if dropped:
        account.contents.drop_container(given["database"], given["container"], now)
    return {"dropped": dropped}


def _containers(account: Account, given: Json, now: float) -> Json:
    return {"containers": [f"{database}/{name}" for database, name, _ in account.contents.all_containers()]}


def _procedures(account: Account, given: Json, now: float) -> Json:
    return {"procedures": sorted(_container(account, given).scripts[STORED_PROCEDURES])}


def _container(account: Account, given: Json) -> Container:
    database, name = _text(given, "database"), _text(given, "container")
    held = account.contents.databases.get(database)
    if held is None or name not in held.containers:
        raise DocumentsError("NotFound", f"Owner resource does not exist: {database}/{name} in account {account.name}.")
    return held.containers[name]


def _text(given: Json, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise DocumentsError("BadRequest", f"{name} must be a text that is not empty.")
    return value
