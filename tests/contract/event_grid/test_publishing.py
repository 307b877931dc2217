"""Signals on an Event Grid topic: what arrives, what is cut, and what a refusal means."""

from __future__ import annotations

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError
from azure.identity import CredentialUnavailableError

from infra.sandbox.azure.event_grid import SENDER
from infra.sandbox.azure.event_schemas import Schema
from shared.model.errors import BackupError, Forbidden, Misconfigured, Throttled, Unreachable
from shared.signals.eventgrid import CONNECT_SECONDS, MOST_BYTES, READ_SECONDS, TRIES
from tests.contract.catalog.azure_tables import EntraCredential
from tests.contract.event_grid.conftest import RunningTopic


def test_an_event_carries_source_type_plan_and_detail(running: RunningTopic) -> None:
    running.signals().publish("Backup Succeeded", {"plan": "orders-prod", "point": "2026-11-24T03:00:12Z"})
    (event,) = running.topic.published
    assert event.pop("id")
    assert event == {
        "specversion": "1.0",
        "source": "scalar-backup",
        "type": "ScalarBackup.BackupSucceeded",
        "subject": "orders-prod",
        "time": "2026-11-24T03:00:00Z",
        "datacontenttype": "application/json",
        "data": {"plan": "orders-prod", "point": "2026-11-24T03:00:12Z"},
    }
    assert {*running.credential.scopes} == {"https://eventgrid.azure.net/.default"}


def test_the_same_signal_again_has_the_same_id_and_another_one_has_not(running: RunningTopic) -> None:
    signals = running.signals()
    for run in ("one", "one", "two"):
        signals.publish("Backup Failed", {"run": run})
    first, again, other = (event["id"] for event in running.topic.published)
    assert first == again != other


def test_an_event_without_a_plan_has_a_subject_too(running: RunningTopic) -> None:
    running.signals().publish("Backup Failed", {"plan": None})
    assert running.topic.published[0]["subject"] == "scalar-backup"


def test_a_text_too_long_for_an_event_is_cut_and_says_so(running: RunningTopic) -> None:
    running.signals().publish("Backup Failed", {"plan": "orders-prod", "cause": {"message": "é" * MOST_BYTES}})
    assert running.topic.published[0]["data"]["cause"]["message"].endswith("more characters)")


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (429, Throttled, "does not take the event"),
        (503, Throttled, "look at the topic's metrics"),
        (500, Unreachable, "Service Health"),
        (413, BackupError, "please report it"),
    ],
)
def test_a_refusal_is_told_in_our_words(running: RunningTopic, status: int, kind: type[BackupError], text: str) -> None:
    running.topic.refuse_next = (status, {"Retry-After": "0"}, TRIES)
    with pytest.raises(BackupError, match=text) as caught:
        running.signals().publish("Backup Failed", {})
    assert type(caught.value) is kind
    assert running.endpoint in str(caught.value)


def test_a_topic_that_is_busy_for_a_moment_is_not_noticed(running: RunningTopic) -> None:
    running.topic.refuse_next = (503, {}, TRIES - 1)
    running.signals().publish("Backup Succeeded", {"plan": "orders-prod"})
    assert len(running.topic.published) == 1


def test_a_throttled_event_says_when_to_come_back(running: RunningTopic) -> None:
    running.topic.refuse_next = (429, {"Retry-After": "7"}, 1)
    with pytest.raises(Throttled) as caught:
        running.signals().publish("Backup Succeeded", {})
    assert caught.value.retry_after_seconds == 7


def test_an_identity_without_the_role_is_told_which_one(running: RunningTopic) -> None:
    running.topic.roles.clear()
    with pytest.raises(Forbidden, match=SENDER):
        running.signals().publish("Backup Succeeded", {})


def test_a_token_of_another_tenant_is_forbidden(running: RunningTopic) -> None:
    running.topic.entra.roll_keys()
    stale = running.credential._entra
    token = stale.token(running.credential._identity, "https://eventgrid.azure.net")
    stale.roll_keys()

    class Stale:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            return AccessToken(*token)

    with pytest.raises(Forbidden, match="of the topic's tenant"):
        running.signals(Stale()).publish("Backup Succeeded", {})


def test_a_topic_with_another_input_schema_is_misconfigured(running: RunningTopic) -> None:
    running.topic.input_schema = Schema.EVENT_GRID
    with pytest.raises(Misconfigured, match="CloudEventSchemaV1_0; it cannot be changed later"):
        running.signals().publish("Backup Succeeded", {})


def test_an_address_that_is_no_topic_s_is_misconfigured(running: RunningTopic) -> None:
    endpoint = running.endpoint.removesuffix("/events")
    with pytest.raises(Misconfigured, match="ends with /api/events"):
        running.signals(endpoint=endpoint).publish("Backup Succeeded", {})


def test_no_answer_is_unreachable_with_the_cause_chained(running: RunningTopic) -> None:
    with pytest.raises(Unreachable, match="no answer") as caught:
        running.signals(endpoint="https://127.0.0.1:9/api/events").publish("Backup Failed", {})
    assert isinstance(caught.value.__cause__, AzureError)


class NoIdentity:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        raise CredentialUnavailableError(message="ManagedIdentityCredential authentication unavailable")


def test_without_an_identity_it_is_said_what_to_give(running: RunningTopic) -> None:
    with pytest.raises(Misconfigured, match="managed identity"):
        running.signals(NoIdentity()).publish("Backup Failed", {})


def test_time_outs_are_short() -> None:
    assert (CONNECT_SECONDS, READ_SECONDS) == (2, 5)


def test_a_credential_of_this_test_asks_for_one_audience(running: RunningTopic) -> None:
    """A token for storage opens no topic."""
    wrong = EntraCredential(running.topic.entra, running.credential._identity)
    token = wrong.get_token("https://storage.azure.com/.default")

    class ForStorage:
        def get_token(self, *_: str, **__: object) -> AccessToken:
            return token

    with pytest.raises(Forbidden):
        running.signals(ForStorage()).publish("Backup Failed", {})
