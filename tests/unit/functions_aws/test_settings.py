"""The functions' environment is validated once and completely."""

from __future__ import annotations

import pytest

from functions_aws.settings import Settings
from shared.model.errors import Misconfigured

COMPLETE = {"CATALOG_TABLE": "catalog", "EVENT_BUS": "bus", "AWS_REGION": "ap-northeast-1"}


def test_a_complete_environment_is_read() -> None:
    assert Settings.from_environment(COMPLETE) == Settings(catalog_table="catalog", event_bus="bus", region="ap-northeast-1")


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(Misconfigured, match="CATALOG_TABLE, EVENT_BUS"):
        Settings.from_environment({"AWS_REGION": "ap-northeast-1"})


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_an_empty_variable_is_as_good_as_none(name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        Settings.from_environment(COMPLETE | {name: ""})
