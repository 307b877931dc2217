"""A release that was led back to an old endpoint is found, and nothing else is taken for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.model.checks import CheckStatus
from shared.model.endpoint_change import EndpointChange, check_drift
from shared.model.records import from_record, replace, to_record
from shared.model.storage import ReleaseStorage, Storage

RELEASE = "ap-northeast-1/prod-tokyo/scalar/orders"
AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
CHANGE = EndpointChange(release=RELEASE, storage="default", old="jdbc:old", new="jdbc:new", run="r-1", changed_at=AT)


def leads_to(contact_point, name="default", release=RELEASE):
    storage = Storage(name=name, kind="jdbc", contact_point=contact_point)
    return ReleaseStorage(release=release, source="ConfigMap orders, key x.properties", storages=(storage,))


@pytest.mark.parametrize(
    ("now", "status", "words"),
    [
        ("jdbc:new", CheckStatus.OK, "still leads to jdbc:new"),
        (
            "jdbc:old",
            CheckStatus.FAILED,
            "leads back to jdbc:old, although run r-1 restored it to jdbc:new at 2026-11-24T03:00",
        ),
        ("jdbc:third", CheckStatus.WARNING, "neither what a restore wrote nor what was there before"),
        ("unresolved(${env:URL})", CheckStatus.WARNING, "in a Secret that may not be read"),
    ],
)
def test_what_the_properties_say_now_decides(now, status, words):
    (result,) = check_drift([CHANGE], [leads_to(now)])
    assert (result.name, result.status) == ("endpoint-drift", status)
    assert words in result.detail
    assert RELEASE in result.subject


def test_a_storage_that_is_gone_is_a_warning():
    (result,) = check_drift([CHANGE], [leads_to("jdbc:old", name="mysql")])
    assert result.status is CheckStatus.WARNING


def test_the_last_change_of_each_storage_counts():
    undone = replace(CHANGE, old="jdbc:new", new="jdbc:old", changed_at=AT + timedelta(hours=1))
    assert [result.status for result in check_drift([undone, CHANGE], [leads_to("jdbc:old")])] == [CheckStatus.OK]
    assert [result.status for result in check_drift([undone, CHANGE], [leads_to("jdbc:new")])] == [CheckStatus.FAILED]


def test_a_release_that_was_not_read_and_one_that_was_never_restored_have_no_result():
    assert check_drift([CHANGE], []) == ()
    assert check_drift([CHANGE], [leads_to("jdbc:old", release="another")]) == ()
    assert check_drift([], [leads_to("jdbc:old")]) == ()


def test_a_change_comes_back_from_its_record():
    assert from_record(to_record(CHANGE), EndpointChange) == CHANGE
