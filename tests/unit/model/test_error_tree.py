"""The error tree is the one that its docstring draws: engines match errors by these names."""

from __future__ import annotations

import re

import pytest

from shared.model import errors
from shared.model.errors import BackupError, Temporary, Throttled, Unreachable


def drawn_tree() -> dict[str, str]:
    """Each class in the drawing with its parent."""
    parents, above = {}, {0: "Exception"}
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ([│ ├└─]*)([A-Z]\w+) {2,}", line):
            depth = len(found[1]) // 4
            parents[found[2]] = above[depth]
            above[depth + 1] = found[2]
    return parents


def defined_classes() -> list[type[BackupError]]:
    found = [BackupError]
    for one in found:
        found.extend(one.__subclasses__())
    return [one for one in found if one.__module__ == errors.__name__]


def test_the_drawing_in_the_docstring_is_the_tree_of_classes() -> None:
    assert drawn_tree() == {one.__name__: one.__bases__[0].__name__ for one in defined_classes()}


@pytest.mark.parametrize("kind", defined_classes())
def test_every_error_has_its_name_as_code_and_shows_message_and_hint(kind: type[BackupError]) -> None:
    error = kind("Table orders is gone.", hint="Restore it.")
    assert (error.code, error.message, error.hint) == (kind.__name__, "Table orders is gone.", "Restore it.")
    assert str(error) == "Table orders is gone. Restore it."
    assert str(kind("Table orders is gone.")) == "Table orders is gone."


@pytest.mark.parametrize("kind", [Temporary, Throttled, Unreachable])
def test_temporary_errors_say_when_to_try_again(kind: type[Temporary]) -> None:
    assert kind("busy").retry_after_seconds == 1.0
    assert kind("busy", retry_after_seconds=7.5).retry_after_seconds == 7.5
