"""Reading a plan's file: YAML, of which JSON is a part, without the liberties in which YAML hides mistakes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from shared.model.errors import InvalidPlan

LARGEST_FILE = 1_000_000
"""In characters. A plan of a hundred releases has twenty thousand; more is another file taken by mistake."""
_NEEDS_QUOTES = "a text that begins with * needs quotes"


class _PlanLoader(yaml.SafeLoader):
    """Refuses what PyYAML lets pass: a key written twice (the last one would win) and references such as `*name` (a plan needs
    none, a cron expression without quotes looks like one, and a few lines of them unfold to gigabytes)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, _NEEDS_QUOTES, event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is written twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_mapping(text: str) -> dict[str, Any]:
    """The mapping that the text holds, not yet checked.

    Raises:
        InvalidPlan: not YAML (with line and column), or not a mapping.
    """
    if len(text) > LARGEST_FILE:
        raise InvalidPlan(f"The plan has {len(text):,} characters.", hint="That is no plan; is it the right file?")
    try:
        loaded = yaml.load(text, Loader=_PlanLoader)  # noqa: S506 - the loader is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist, as 2026-02-30
        raise InvalidPlan(f"The plan cannot be read as YAML: {_explain(error)}.", hint=_HINT) from error
    if not isinstance(loaded, dict):
        found = "is empty" if loaded is None else f"is {_KINDS.get(type(loaded), 'a single value')}, not a mapping"
        raise InvalidPlan(f"The plan {found}.", hint="It begins with a line such as `name: orders-prod`.")
    return loaded


_HINT = "`scalar-backup plan schema` shows a whole plan as an example."
_KINDS: dict[type, str] = {list: "a list", str: "a text"}


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        said = _NEEDS_QUOTES if error.context == "while scanning an alias" else error.problem or error.context
        return f"line {mark.line + 1}, column {mark.column + 1}: {said}"
    return str(error).replace("\n", " ")
