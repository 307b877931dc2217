"""A client of the sandbox's Cosmos DB: `CosmosClient(url).connect(endpoint, key)`, then one operation per call.

Like a driver it knows endpoints only; `url` is where all of the sandbox's accounts answer, because their host names resolve to
nothing on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import urllib3

ABSENT = "absent"
"""As `expect`: there must be no such document."""

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
Document = Mapping[str, Any]


class CosmosError(Exception):
    """`code`: Unauthorized, Forbidden, NotFound, Conflict, PreconditionFailed, BadRequest, or that of a subclass."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class CosmosUnreachable(CosmosError):
    """UnknownHost: no account answers at the endpoint. Nothing was written."""


class OutcomeUnknown(CosmosError):
    """NoAnswer: the connection broke, or the answer did not come in time; a write may or may not have happened."""


class CosmosClient:
    """One per process; its connections may be used by many threads."""

    def __init__(self, url: str, connections: int = 32) -> None:
        self._url = url.rstrip("/") + "/sandbox/documents"
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._pool = urllib3.PoolManager(maxsize=connections, timeout=timeout, retries=False)

    def connect(self, endpoint: str, key: str) -> AccountConnection:
        """Asks nothing yet: each request finds the account that has the endpoint at that moment."""
        return AccountConnection(self, {"endpoint": endpoint, "key": key})

    def run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request of the data plane as it is; CosmosError and its subclasses."""
        try:
            response = self._pool.request("POST", self._url, body=json.dumps(request).encode())
        except urllib3.exceptions.HTTPError as error:
            raise OutcomeUnknown("NoAnswer", f"No answer from {self._url} for {request['endpoint']}: {error}") from error
        try:
            answer: dict[str, Any] = json.loads(response.data)
        except ValueError:
            text = response.data[:200].decode(errors="replace")
            raise OutcomeUnknown("NoAnswer", f"{self._url} answered {response.status}: {text}") from None
        if "error" in answer:
            kind = CosmosUnreachable if answer["error"] == "UnknownHost" else CosmosError
            raise kind(answer["error"], answer.get("message", ""))
        return answer

    def close(self) -> None:
        self._pool.clear()


class AccountConnection:
    """Operations on one account. All raise CosmosError and its subclasses."""

    def __init__(self, client: CosmosClient, credentials: dict[str, Any]) -> None:
        self._client, self._credentials = client, credentials

    def read(self, database: str, container: str, partition_key: str, document_id: str) -> dict[str, Any] | None:
        """None when there is none."""
        place = {"database": database, "container": container, "partition_key": partition_key, "id": document_id}
        found: dict[str, Any] | None = self._run("read", **place)["document"]
        return found

    def query(self, database: str, container: str) -> list[dict[str, Any]]:
        """All documents, as of one moment."""
        return list(self._run("query", database=database, container=container)["documents"])

    def upsert(self, database: str, container: str, document: Document) -> dict[str, Any]:
        """Writes whatever stands there; the document with its new etag."""
        return dict(self._run("upsert", database=database, container=container, document=document)["document"])

    def replace(self, database: str, container: str, document: Document, if_match: str | None = None) -> dict[str, Any]:
        """PreconditionFailed when the etag is another one, NotFound when there is no such document."""
        place = {"database": database, "container": container, "if_match": if_match}
        return dict(self._run("replace", **place, document=document)["document"])

    def delete(self, database: str, container: str, partition_key: str, document_id: str) -> None:
        place = {"database": database, "container": container, "partition_key": partition_key, "id": document_id}
        self._run("delete", **place)

    def execute(
        self, database: str, container: str, procedure: str, partition_key: str, mutations: Sequence[Mapping[str, Any]]
    ) -> bool:
        """All mutations of one partition key, or none; whether what they expect was so. NotFound without the procedure."""
        place = {"database": database, "container": container, "procedure": procedure, "partition_key": partition_key}
        return bool(self._run("execute", **place, mutations=mutations)["written"])

    def create_database(self, database: str, throughput: int | None = None) -> bool:
        """False when it exists already. With a throughput its containers share it."""
        return bool(self._run("create_database", database=database, throughput=throughput)["created"])

    def create_container(
        self, database: str, container: str, partition_key_path: str, settings: Mapping[str, Any] | None = None
    ) -> bool:
        """False when it exists already. `settings` are more of its resource: indexingPolicy, defaultTtl and so on."""
        place = {"database": database, "container": container, "partition_key_path": partition_key_path}
        return bool(self._run("create_container", **place, settings=settings or {})["created"])

    def create_procedure(self, database: str, container: str, procedure: str, body: str) -> bool:
        """False when it exists already."""
        place = {"database": database, "container": container, "procedure": procedure}
        return bool(self._run("create_procedure", **place, body=body)["created"])

    def drop_container(self, database: str, container: str) -> bool:
        """False when there is none."""
        return bool(self._run("drop_container", database=database, container=container)["dropped"])

    def containers(self) -> list[str]:
        """As `database/container`."""
        return list(self._run("containers")["containers"])

    def procedures(self, database: str, container: str) -> list[str]:
        return list(self._run("procedures", database=database, container=container)["procedures"])

    def _run(self, operation: str, **request: Any) -> dict[str, Any]:
        return self._client.run({**self._credentials, "operation": operation, **request})
