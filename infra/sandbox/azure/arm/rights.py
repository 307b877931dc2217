"""Role assignments: which identity may do what, and under which scope.

Source: https://learn.microsoft.com/azure/role-based-access-control/overview; `*` in an action stands for anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class RoleAssignment:
    """`scope` is the id of a subscription, resource group or resource; it holds for everything below."""

    object_id: str
    scope: str
    actions: frozenset[str]
    not_actions: frozenset[str] = frozenset()

    def allows(self, object_id: str, action: str, path: str) -> bool:
        return self.object_id == object_id and _is_below(path, self.scope) and self._has(action)

    def _has(self, action: str) -> bool:
        return _any(self.actions, action) and not _any(self.not_actions, action)


def allowed(assignments: Iterable[RoleAssignment], object_id: str, action: str, path: str) -> bool:
    return any(each.allows(object_id, action, path) for each in assignments)


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _is_below(path: str, scope: str) -> bool:
    return f"{path}/".lower().startswith(f"{scope.rstrip('/')}/".lower())
