"""Orchestrations of Azure Durable Functions, by the management API of the extension.

Source: "HTTP APIs in Durable Functions". Inside the app the extension serves it on the machine itself, without a key; from
outside it is at `https://<app>.azurewebsites.net/runtime/webhooks/durabletask/`, with the system key `durabletask_extension`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from shared.model.errors import BackupError, Conflict, Forbidden, InvalidRequest, Misconfigured, Throttled, Unreachable
from shared.model.execution import StartedExecution
from shared.model.times import iso, parse_instant

if TYPE_CHECKING:
    from azure.core.rest import HttpResponse

ENDED = ("Completed", "Failed", "Terminated")
LIVE = frozenset({"Pending", "Running", "ContinuedAsNew", "Suspended"})
CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
PURGE_SECONDS = 200.0
"""The extension deletes one instance after another before it answers, and nobody waits for it."""
EPOCH = datetime(2018, 1, 1, tzinfo=UTC)
"""Before any instance; a purge has to name a beginning. Durable Functions is no older."""
LONGEST_ID = 100
"""Of an instance, as the Azure Storage backend takes it; it must not hold the characters below either."""
_FORBIDDEN_IN_ID = '/\\#?"'
BACKUP = "backup"
RESTORE = "restore"
"""Names of orchestrators."""


class InstanceStatus(NamedTuple):
    """`runtime` is the extension's word, such as `Running` or `Terminated`; times have whole seconds only."""

    id: str
    name: str
    runtime: str
    created_at: datetime
    given: Any
    custom: Any
    output: Any

    @property
    def is_live(self) -> bool:
        return self.runtime in LIVE


class ManagementApi:
    """`url` is the base of the API; `key` its system key, for whoever calls from outside. Safe to use from several threads."""

    def __init__(self, url: str, key: str = "", *, verify: str | bool = True) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy

        # Only a connection is tried again here: an answer that was lost may have started something, and the callers look.
        retries = RetryPolicy(retry_total=2, retry_connect=2, retry_read=0, retry_status=0, retry_backoff_factor=0.2)
        self._url = url if url.endswith("/") else f"{url}/"
        self._headers = {"x-functions-key": key} if key else {}
        policies = [UserAgentPolicy(base_user_agent="scalar-backup"), retries]
        self._client: Any = PipelineClient(self._url, policies=policies, connection_verify=verify)

    def status(self, instance: str) -> InstanceStatus | None:
        """None when there is no such instance.

        Raises:
            Unreachable, Throttled, Forbidden, Misconfigured: the API.
        """
        response = self._send("GET", f"instances/{_quoted(instance)}", absent=True)
        return _status(response.json()) if response is not None else None

    def list(self, prefix: str = "", runtime: str = "", limit: int = 100) -> tuple[InstanceStatus, ...]:
        """Instances whose ids begin with `prefix`; `runtime` is a list of states with commas. Raises as `status`."""
        query = f"instances?top={limit}&instanceIdPrefix={_quoted(prefix)}&runtimeStatus={quote(runtime, safe=',')}"
        response = self._send("GET", query)
        return tuple(_status(item) for item in response.json()) if response is not None else ()

    def start(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> None:
        """Starts an instance. One that has ended under the same id would be replaced, with its history: see `start_once`.

        Raises:
            Conflict: an instance of that id is live.
            InvalidRequest: an id that cannot be one.
            Unreachable, Throttled, Forbidden, Misconfigured: the API. An answer that was lost may have started it.
        """
        if wrong := [character for character in _FORBIDDEN_IN_ID if character in instance]:
            raise InvalidRequest(f"{instance!r} cannot be the id of an instance: it holds {wrong[0]!r}.")
        if not 0 < len(instance) <= LONGEST_ID:
            raise InvalidRequest(
                f"{instance!r} cannot be the id of an instance: it has {len(instance)} characters.",
                hint=f"Ids have at most {LONGEST_ID} characters; give the plan a shorter name.",
            )
        self._send("POST", f"orchestrators/{_quoted(orchestrator)}/{_quoted(instance)}", given)

    def start_once(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> bool:
        """False when an instance of that id has been started before, whatever became of it. Raises as `start`."""
        if self.status(instance) is not None:
            return False
        try:
            self.start(orchestrator, instance, given)
        except Conflict:
            return False
        return True

    def raise_event(self, instance: str, event: str, data: Any) -> None:
        """Raises:
        Conflict: there is no such instance, or it has ended.
        Unreachable, Throttled, Forbidden, Misconfigured: the API.
        """
        self._send("POST", f"instances/{_quoted(instance)}/raiseEvent/{_quoted(event)}", data)

    def terminate(self, instance: str, reason: str) -> None:
        """Ends an instance without any of its clean-up; children and activities go on. Raises as `raise_event`."""
        self._send("POST", f"instances/{_quoted(instance)}/terminate?reason={quote(reason)}")

    def purge(self, before: datetime) -> int:
        """Deletes instances that have ended and were started before that moment, with their histories. Answers how many.

        Raises:
            Unreachable, Throttled, Forbidden, Misconfigured: the API. Some may be gone; the next call deletes the others.
        """
        query = f"instances?createdTimeFrom={iso(EPOCH)}&createdTimeTo={iso(before)}&runtimeStatus={','.join(ENDED)}"
        response = self._send("DELETE", query, absent=True, read_seconds=PURGE_SECONDS)
        return int(response.json()["instancesDeleted"]) if response is not None else 0

    def _send(
        self, method: str, path: str, body: Any = None, *, absent: bool = False, read_seconds: float = READ_SECONDS
    ) -> HttpResponse | None:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        what = f"{method} {path.partition('?')[0]} of the app's management API"
        # The keys in one order, whoever built the input: inputs are compared.
        content = json.dumps(body, sort_keys=True) if body is not None else None
        headers = self._headers | ({"Content-Type": "application/json"} if content is not None else {})
        request = HttpRequest(method, self._url + path, headers=headers, content=content)
        try:
            response: HttpResponse = self._client.send_request(
                request, connection_timeout=CONNECT_SECONDS, read_timeout=read_seconds
            )
            response.read()
        except AzureError as error:
            raise Unreachable(
                f"{what} gave no answer: {type(error).__name__}.", hint="Is the function app running, and reachable from here?"
            ) from error
        if response.status_code == 404 and absent:
            return None
        if response.status_code >= 300:
            raise _refused(what, response)
        return response


class DurableExecutions:
    """Port `Executions`, and the start of backups."""

    def __init__(self, management: ManagementApi) -> None:
        self._management = management

    def start_restore(self, name: str, given: Mapping[str, Any]) -> StartedExecution:
        """Starts the orchestration of a restore. The same name and input again, while it runs, answers with the same.

        Raises:
            Conflict: an instance of that name exists with another input, or is over.
            InvalidRequest: a name that cannot be an instance's id.
            Throttled, Unreachable, Forbidden, Misconfigured: the API.
        """
        return self._start(RESTORE, name, given)

    def start_backup(self, name: str, given: Mapping[str, Any]) -> StartedExecution:
        """As `start_restore`, for a backup."""
        return self._start(BACKUP, name, given)

    def _start(self, orchestrator: str, name: str, given: Mapping[str, Any]) -> StartedExecution:
        known = self._management.status(name)
        if known is None:
            try:
                self._management.start(orchestrator, name, given)
            except Conflict:  # somebody was faster by a moment
                known = self._management.status(name)
        if known is not None and not (known.is_live and known.given == given):
            raise Conflict(
                f"An instance {name} exists already: it is {known.runtime.lower()}, or was started with another input.",
                hint="Look at its status; ask for a new plan to restore once more.",
            )
        return StartedExecution(id=name, console="")


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _status(answer: Mapping[str, Any]) -> InstanceStatus:
    return InstanceStatus(
        id=str(answer["instanceId"]),
        name=str(answer.get("name") or ""),
        runtime=str(answer["runtimeStatus"]),
        created_at=parse_instant(answer["createdTime"]),
        given=_parsed(answer.get("input")),
        custom=answer.get("customStatus"),
        output=answer.get("output"),
    )


def _parsed(given: Any) -> Any:
    """The SDK's client sends an input as a text that holds JSON, the API takes objects: both are shown as they came."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def _refused(what: str, response: HttpResponse) -> BackupError:
    """409 for a live instance is the newer extensions' answer, 500 with a text that of older ones."""
    status, told = response.status_code, response.text()[:300]
    match status:
        case 401 | 403:
            return Forbidden(
                f"{what} was refused ({status}).",
                hint="From outside it needs the system key durabletask_extension of the function app.",
            )
        case 409 | 410 | 412:
            return Conflict(f"{what} was refused ({status}): {told}", hint="The instance is live already, or is over.")
        case 404 if "raiseEvent" in what or "terminate" in what:
            return Conflict(f"{what}: there is no such instance.")
        case 400 | 404:
            return Misconfigured(f"{what} was refused ({status}): {told}", hint="Is the app deployed in this version?")
        case 429 | 503:
            asked = response.headers.get("Retry-After") or ""
            seconds = float(asked) if asked.isdecimal() else 1.0
            return Throttled(f"{what} was throttled ({status}).", retry_after_seconds=seconds)
        case 500 if "already exists" in told:
            return Conflict(f"{what} was refused: {told}")
    return Unreachable(f"{what} failed ({status}): {told}", hint="The host is starting, stopping, or has lost its storage.")
