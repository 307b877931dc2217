"""Access keys of a function app, and who may call what with them.

https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

DURABLE_TASK, EVENT_GRID = "durabletask_extension", "eventgrid_extension"


@dataclass(frozen=True)
class Keys:
    """`default` is the host key that opens every function; `systems` open the webhooks of one extension each."""

    master: str
    default: str
    systems: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def generated(cls, functions: Iterable[str], stored: dict[str, Any] | None) -> Keys:
        """Those stored already, and new ones for what has none yet."""
        stored = stored or {}
        known: dict[str, str] = stored.get("functions", {})
        systems: dict[str, str] = stored.get("systems", {})
        return cls(
            master=stored.get("master") or secrets.token_urlsafe(32),
            default=stored.get("default") or secrets.token_urlsafe(32),
            systems={name: systems.get(name) or secrets.token_urlsafe(32) for name in (DURABLE_TASK, EVENT_GRID)},
            functions={name: known.get(name) or secrets.token_urlsafe(32) for name in functions},
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def may_call(self, request: web.Request, function: str, auth_level: str) -> bool:
        match auth_level.upper():
            case "ANONYMOUS":
                return True
            case "ADMIN":
                return _carries(request, self.master)
        return _carries(request, self.functions[function], self.default, self.master)

    def may_use(self, request: web.Request, system: str) -> bool:
        return _carries(request, self.systems[system], self.master)

    def may_administer(self, request: web.Request) -> bool:
        return _carries(request, self.master)


def _carries(request: web.Request, *accepted: str) -> bool:
    given = request.headers.get("x-functions-key") or request.query.get("code") or ""
    return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)
