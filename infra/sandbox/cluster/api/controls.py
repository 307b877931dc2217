"""The sandbox's own paths below /sandbox/, for the holder of the admin token: what a test or the demo does to a cluster.

A real API server has no faults and no clock of its own: these two are refused there.

| path | body |
|---|---|
| POST, DELETE /sandbox/faults | the fields of `faults.Fault`; DELETE forgets all |
| POST /sandbox/clock | `{"offset_seconds": 2.5}`: the server's clock against the machine's |
| POST /sandbox/compact | forgets history: older resourceVersions are answered with 410 |
| POST /sandbox/cut-watches | ends all watches abruptly |
| POST /sandbox/cut-port-forwards | ends all port-forwards abruptly |
| POST /sandbox/port-forward-rights | `{"checks_create": true}`: as clusters from 1.35 on, not only as get |
| POST /sandbox/access-entries | `{"role_arn": "arn:aws:iam::…:role/…", "groups": ["…"]}` |
| POST /sandbox/entra | `{"issuer", "jwks"}`: an AKS cluster, integrated with this Microsoft Entra tenant |
| POST /sandbox/kill-container | `{"namespace", "pod", "signal": "KILL", "container": only needed with several}` |
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiohttp import web

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.authentication import AccessEntry, Authentication
from infra.sandbox.cluster.api.clock import Clock
from infra.sandbox.cluster.api.entra_tokens import EntraTokens
from infra.sandbox.cluster.api.faults import Faults

T = TypeVar("T")
KillContainer = Callable[[str, str, str | None, signal.Signals], None]


class Controls:
    def __init__(
        self,
        authentication: Authentication,
        *,
        faults: Faults | None,
        clock: Clock | None,
        compact: Callable[[], Awaitable[None]],
        cut_watches: Callable[[], None],
    ) -> None:
        self._authentication, self._faults, self._clock = authentication, faults, clock
        self._compact, self._cut_watches = compact, cut_watches
        self.on_kill: KillContainer | None = None
        self.on_cut_port_forwards: Callable[[], None] | None = None
        self.port_forward_checks_create = False

    async def handle(self, http: web.Request, body: Any) -> dict[str, Any]:
        """Does what the path says; the answer's body. Raises 400, 401 or 404."""
        if not self._authentication.is_admin_token(http.headers.get("Authorization", "")):
            raise errors.unauthorized()
        body = {} if body is None else body
        if not isinstance(body, dict):
            raise errors.bad_request("the body must be a JSON object")
        match (http.method, http.path):
            case ("POST", "/sandbox/faults"):
                _offered(self._faults).add(body)
            case ("DELETE", "/sandbox/faults"):
                _offered(self._faults).clear()
            case ("POST", "/sandbox/clock"):
                _offered(self._clock).offset_seconds = float(_field(body, "offset_seconds", int | float))
            case ("POST", "/sandbox/compact"):
                await self._compact()
            case ("POST", "/sandbox/cut-watches"):
                self._cut_watches()
            case ("POST", "/sandbox/cut-port-forwards"):
                _offered(self.on_cut_port_forwards)()
            case ("POST", "/sandbox/port-forward-rights"):
                self.port_forward_checks_create = _field(body, "checks_create", bool)
            case ("POST", "/sandbox/access-entries"):
                groups = frozenset(_field(body, "groups", list))
                self._authentication.grant(AccessEntry(_field(body, "role_arn", str), groups))
            case ("POST", "/sandbox/entra"):
                self._authentication.trust(EntraTokens(_field(body, "issuer", str), _field(body, "jwks", dict)))
            case ("POST", "/sandbox/kill-container"):
                self._kill(body)
            case _:
                raise errors.path_not_found()
        return {}

    def _kill(self, body: dict[str, Any]) -> None:
        if self.on_kill is None:
            raise errors.bad_request("no node runs containers here")
        name = body.get("signal", "KILL")
        try:
            number = signal.Signals[f"SIG{name}"]
        except KeyError as error:
            raise errors.bad_request(f"{name} is no signal: say KILL, TERM, STOP or CONT") from error
        try:
            self.on_kill(_field(body, "namespace", str), _field(body, "pod", str), body.get("container"), number)
        except LookupError as error:
            raise errors.bad_request(str(error)) from error


def _offered(control: T | None) -> T:
    if control is None:
        raise errors.bad_request("a real API server cannot be told to do this")
    return control


def _field(body: dict[str, Any], name: str, kind: Any) -> Any:
    if not isinstance(body.get(name), kind):
        raise errors.bad_request(f"the body needs {name}")
    return body[name]
