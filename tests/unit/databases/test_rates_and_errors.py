"""Rates of calls, and what the service's errors become."""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.dynamodb.errors import aws_code, in_our_words
from shared.databases.dynamodb.rates import OUR_SHARE, Rates
from shared.model.errors import Conflict, Forbidden, Misconfigured, NotReady, Throttled, Unreachable
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_dynamodb import refusal


@given(gaps=st.lists(st.floats(0, 0.5), min_size=12, max_size=60))
def test_no_second_ever_holds_more_calls_than_granted(gaps):
    clock = FakeClock()
    rates = Rates(clock.monotonic, clock.advance, {"slow": 10})
    times = []
    for gap in gaps:
        clock.advance(gap)
        assert rates.wait_turn("slow", until=float("inf"))
        times.append(clock.monotonic())
    assert all(later - earlier > 0.999 for earlier, later in zip(times, times[10:], strict=False))


def test_one_operation_does_not_wait_for_another():
    clock = FakeClock()
    rates = Rates(clock.monotonic, clock.advance, {"a": 1, "b": 1})
    assert rates.wait_turn("a", until=10)
    assert rates.wait_turn("b", until=10)
    assert clock.monotonic() == 0


def test_a_turn_after_the_deadline_is_refused_at_once_and_not_used_up():
    clock = FakeClock()
    rates = Rates(clock.monotonic, clock.advance, {"a": 0.1 / OUR_SHARE})
    assert rates.wait_turn("a", until=5)
    assert not rates.wait_turn("a", until=5)
    assert clock.monotonic() == 0
    assert rates.wait_turn("a", until=10)
    assert clock.monotonic() == 10


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (refusal("ThrottlingException"), Throttled),
        (refusal("ProvisionedThroughputExceededException"), Throttled),
        (refusal("LimitExceededException"), Throttled),
        (refusal("AccessDeniedException"), Forbidden),
        (refusal("ExpiredTokenException"), Forbidden),
        (refusal("ResourceNotFoundException"), NotReady),
        (refusal("TableInUseException"), Conflict),
        (refusal("PointInTimeRecoveryUnavailableException"), NotReady),
        (refusal("ValidationException"), Misconfigured),
        (refusal("SomethingNew"), Misconfigured),
        (refusal("SomethingNew", status=503), Unreachable),
        (refusal("InternalServerError", status=500), Unreachable),
        (EndpointConnectionError(endpoint_url="https://x"), Unreachable),
        (ConnectTimeoutError(endpoint_url="https://x"), Unreachable),
        (NoCredentialsError(), Forbidden),
    ],
)
def test_an_error_of_the_service_becomes_one_of_ours_that_names_action_and_object(raised, becomes):
    with pytest.raises(becomes) as caught, in_our_words("dynamodb:DescribeTable", "bank.accounts"):
        raise raised
    assert type(caught.value) is becomes
    assert caught.value.__cause__ is raised
    assert "dynamodb:DescribeTable on bank.accounts" in str(caught.value)


def test_the_services_own_code_stays_visible():
    with pytest.raises(NotReady) as caught, in_our_words("dynamodb:DescribeTable", "bank.accounts"):
        raise refusal("ResourceNotFoundException")
    assert aws_code(caught.value) == "ResourceNotFoundException"


def test_an_error_without_an_answer_has_no_code():
    with pytest.raises(Unreachable) as caught, in_our_words("dynamodb:DescribeTable", "bank.accounts"):
        raise EndpointConnectionError(endpoint_url="https://x")
    assert aws_code(caught.value) == ""
