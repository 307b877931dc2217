"""docs/plan-reference.md against the schema it is generated from."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cli.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "plan-reference.md"


def test_the_page_is_current() -> None:
    if PAGE.read_text(encoding="utf-8") != reference():
        pytest.fail("Run: python -m shared.cli.reference > docs/plan-reference.md")


def test_the_page_has_a_row_for_every_setting_of_the_pause() -> None:
    for key in ("hold", "drain", "max_pause", "attempts", "margin"):
        assert f"| `{key}` |" in reference()
