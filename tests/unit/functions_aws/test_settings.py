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


def test_what_only_some_functions_need_is_read_where_it_is_set() -> None:
    settings = Settings.from_environment(COMPLETE | {"RESTORE_STATE_MACHINE": "arn", "SAFETY_QUIET_SECONDS": "0.5"})
    assert (settings.restore_machine, settings.safety_quiet_seconds) == ("arn", 0.5)
    without = Settings.from_environment(COMPLETE | {"SAFETY_QUIET_SECONDS": ""})
    assert (without.restore_machine, without.safety_quiet_seconds) == ("", None)


@pytest.mark.parametrize("text", ["a minute", "-1", "nan", "inf"])
def test_seconds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="SAFETY_QUIET_SECONDS"):
        Settings.from_environment(COMPLETE | {"SAFETY_QUIET_SECONDS": text})
