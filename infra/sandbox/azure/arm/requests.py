"""A request as a resource provider sees it, its answer, and the routes that lead to the code that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

Json = dict[str, Any]

RESOURCE_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers"
SUBSCRIPTION = "/subscriptions/{subscription}/providers"


@dataclass(frozen=True)
class Request:
    """`names` are the parts of the path that the route's template names. `origin` is scheme and authority of the server,
    with which absolute addresses begin. `object_id` is the caller's. `may` asks whether the caller has a right elsewhere."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    object_id: str
    origin: str
    now: float
    may: Callable[[str, str], bool]
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        return self.query["api-version"]

    @property
    def properties(self) -> Json:
        found: Json = self.body.get("properties") or {}
        return found


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Answer]


@dataclass(frozen=True)
class Route:
    """`template` is a path whose parts in braces are names. `bodies`: for each api-version that serves the route the SDK's
    model of the body, None where there is none."""

    method: str
    template: str
    handle: Handler
    bodies: Mapping[str, type | None]

    def match(self, path: str) -> dict[str, str] | None:
        """The named parts, None for another path. Case does not count in Resource Manager's paths."""
        found = self._pattern.fullmatch(path)
        return None if found is None else found.groupdict()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", self.template)
        text = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        return re.compile(text, re.IGNORECASE)


class Provider(Protocol):
    """A resource provider. `namespace` is for example Microsoft.DocumentDB; `api_versions` are all that it serves."""

    namespace: str
    api_versions: frozenset[str]
    routes: list[Route]

    def settle(self, now: float) -> None:
        """Ends what has come to its end by now."""


def action_of(method: str, path: str) -> str:
    """The right that a request needs, such as Microsoft.DocumentDB/databaseAccounts/listKeys/action."""
    parts = path.rpartition("/providers/")[2].split("/")
    provider, types = parts[0], parts[1::2]
    # An action is one more part behind the name of a resource, or of a collection.
    if method == "POST":
        return "/".join([provider, *types, "action"])
    return "/".join([provider, *types, {"GET": "read", "DELETE": "delete"}.get(method, "write")])
