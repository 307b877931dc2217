"""The catalog on Azure Table storage when the service refuses, throttles, does not answer, or somebody writes in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables import TableClient
from azure.identity import CredentialUnavailableError

from infra.sandbox.azure.tables import CONTRIBUTOR, READER, Faults
from shared.catalog.azure_table import AzureTableCatalog, open_table
from shared.catalog.azure_table.table import CHANGE_TRIES, MOST_RETRIES
from shared.model.errors import (
    BackupError,
    FencedOff,
    Forbidden,
    InvalidRequest,
    LeaseHeld,
    Misconfigured,
    PausedByAnother,
    RevisionConflict,
    Throttled,
    Unreachable,
)
from shared.model.run import Run
from shared.steps.ports import Catalog
from tests.contract.catalog.azure_tables import EntraCredential, TableAccount
from tests.contract.catalog.test_runs import noise
from tests.contract.catalog.values import NOW, PLAN, a_journal, a_plan, a_run, an_id, later

RUN = an_id(1)
LARGE = 1_600_000
"""Characters of noise that make a record need parts."""
ALWAYS = MOST_RETRIES + 1
MANY_PODS = 60_000
"""Of a journal that needs parts."""


@pytest.fixture
def client(account: TableAccount) -> Iterator[TableClient]:
    with account.empty_table() as client:
        yield client


@pytest.fixture
def catalog(client: TableClient) -> Catalog:
    return AzureTableCatalog(client)


@pytest.fixture
def faults(account: TableAccount) -> Iterator[Faults]:
    account.service.faults = Faults()
    yield account.service.faults
    account.service.faults = Faults()


def parts_in(client: TableClient) -> int:
    return sum(entity["PartitionKey"].startswith("body:") for entity in client.list_entities())


OPERATIONS: dict[str, tuple[str, Callable[[Catalog], object]]] = {
    "get": ("Query Entities", lambda catalog: catalog.document(RUN, "tables")),
    "query": ("Query Entities", lambda catalog: catalog.open_pauses()),
    "insert": ("Insert Entity", lambda catalog: catalog.create_run(a_run())),
    "update": ("Update Entity", lambda catalog: [catalog.save_run(a_run(token=token)) for token in (1, 2)]),
    "batch": ("Entity group transaction", lambda catalog: open_own_pause(catalog)),
}


def open_own_pause(catalog: Catalog, pods: int = 3) -> object:
    token = catalog.acquire_lease(PLAN, RUN, later(60), NOW).token
    return catalog.open_pause(a_journal(RUN, token, pods=pods))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_names_itself_and_the_role_when_it_is_not_allowed(
    catalog: Catalog, client: TableClient, faults: Faults, operation: str
) -> None:
    faults.refuse(operation, 403, "AuthorizationPermissionMismatch")
    name, act = OPERATIONS[operation]
    with pytest.raises(Forbidden, match=f"{name} on table {client.table_name} is not allowed.*Storage Table Data Contributor"):
        act(catalog)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_tells_a_closed_network_from_a_missing_role(
    catalog: Catalog, faults: Faults, operation: str
) -> None:
    faults.refuse(operation, 403, "AuthorizationFailure")
    with pytest.raises(Forbidden, match=r"AuthorizationFailure.*As asked.*network rules shut this caller out"):
        OPERATIONS[operation][1](catalog)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_knows_that_the_table_has_gone(catalog: Catalog, faults: Faults, operation: str) -> None:
    faults.refuse(operation, 404, "TableNotFound")
    with pytest.raises(Misconfigured, match="there is no such table"):
        OPERATIONS[operation][1](catalog)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_without_an_answer_is_unreachable(catalog: Catalog, faults: Faults, operation: str) -> None:
    faults.lose_the_answer(operation, times=ALWAYS)
    name, act = OPERATIONS[operation]
    with pytest.raises(Unreachable, match=f"{name} on table .*: no answer") as caught:
        act(catalog)
    assert isinstance(caught.value.__cause__, AzureError)


@pytest.mark.parametrize(
    ("status", "code", "kind", "text"),
    [
        (503, "ServerBusy", Throttled, "Azure throttles Query Entities on table catalog"),
        (429, "TooManyRequests", Throttled, "throttles"),
        (500, "OperationTimedOut", Unreachable, "the service failed"),
        (500, "InternalError", Unreachable, "the service failed"),
        (403, "AuthorizationFailure", Forbidden, "private endpoint"),
        (403, "AuthenticationFailed", Forbidden, "of the account's tenant"),
        (404, "TableNotFound", Misconfigured, "there is no such table"),
        (409, "TableBeingDeleted", Misconfigured, "there is no such table"),
        (400, "SomethingNew", BackupError, "please report it"),
    ],
)
def test_a_refusal_is_told_in_our_words(
    catalog: Catalog, faults: Faults, status: int, code: str, kind: type[BackupError], text: str
) -> None:
    faults.refuse("get", status, code, times=ALWAYS)
    with pytest.raises(BackupError, match=text) as caught:
        catalog.document(RUN, "tables")
    assert type(caught.value) is kind
    assert code in str(caught.value)
    assert isinstance(caught.value.__cause__, HttpResponseError)


def test_a_service_that_is_busy_for_a_moment_is_not_noticed(catalog: Catalog, faults: Faults) -> None:
    faults.refuse("insert", 503, "ServerBusy", times=2)
    faults.refuse("batch", 503, "ServerBusy")
    open_own_pause(catalog)
    assert len(catalog.open_pauses()) == 1


def test_a_throttled_call_says_when_to_come_back_and_does_not_wait_itself(catalog: Catalog, faults: Faults) -> None:
    for operation, (name, act) in OPERATIONS.items():
        faults.refuse(operation, 503, "ServerBusy", headers={"Retry-After": "600"})
        with pytest.raises(Throttled, match=f"throttles {name}.*come back in 600 s") as caught:
            act(catalog)
        assert caught.value.retry_after_seconds == 600


def test_a_table_that_does_not_exist_is_named(account: TableAccount) -> None:
    with account.client("another") as client, pytest.raises(Misconfigured, match="table another: there is no such table"):
        AzureTableCatalog(client).plan(PLAN)
    with account.client("another") as client, pytest.raises(Misconfigured, match="the deployment's template creates it"):
        AzureTableCatalog(client).create_run(a_run())


def test_an_address_where_nobody_answers_is_unreachable(account: TableAccount) -> None:
    credential = EntraCredential(account.service.entra, account.identity)
    with (
        open_table("https://127.0.0.1:9", "catalog", credential) as client,
        pytest.raises(Unreachable, match="private endpoint"),
    ):
        AzureTableCatalog(client).plans()


class NoIdentity:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        raise CredentialUnavailableError(message="ManagedIdentityCredential authentication unavailable")


def test_without_an_identity_it_is_said_what_to_give(account: TableAccount) -> None:
    with account.client("catalog", NoIdentity()) as client, pytest.raises(Misconfigured, match="managed identity"):
        AzureTableCatalog(client).plans()


def test_an_identity_signs_in_for_storage_and_only_reads_with_the_reader_s_role(
    account: TableAccount, client: TableClient
) -> None:
    reader = account.service.entra.add()
    account.service.roles.add((reader.object_id, READER))
    credential = EntraCredential(account.service.entra, reader)
    with account.client(client.table_name, credential) as reading:
        assert AzureTableCatalog(reading).plans() == ()
        with pytest.raises(Forbidden, match=CONTRIBUTOR):
            AzureTableCatalog(reading).put_plan(a_plan(), NOW)
    assert {*credential.scopes} == {"https://storage.azure.com/.default"}


def test_more_releases_than_a_transaction_holds_are_refused_before_anything_is_written(catalog: Catalog) -> None:
    with pytest.raises(InvalidRequest, match="pauses 99 releases together; at most 98"):
        catalog.open_pause(a_journal(RUN, releases=tuple(f"release-{number}" for number in range(99)), pods=0))


def test_as_many_releases_as_a_transaction_holds_are_paused_and_resumed(catalog: Catalog) -> None:
    token = catalog.acquire_lease(PLAN, RUN, later(60), NOW).token
    entry = catalog.open_pause(a_journal(RUN, token, releases=tuple(f"release-{number}" for number in range(98)), pods=1))
    assert catalog.close_pause(RUN, 1, "run", later(20)).releases == entry.releases


@pytest.mark.parametrize("pods", [3, MANY_PODS], ids=["small", "in-parts"])
def test_a_journal_whose_answer_was_lost_is_found_by_the_next_call(catalog: Catalog, faults: Faults, pods: int) -> None:
    faults.lose_the_answer("batch")
    with pytest.raises(Unreachable):
        open_own_pause(catalog, pods)
    assert open_own_pause(catalog, pods) == a_journal(RUN, pods=pods)


@pytest.mark.parametrize("pods", [3, MANY_PODS], ids=["small", "in-parts"])
def test_a_close_whose_answer_was_lost_is_found_by_the_next_call(catalog: Catalog, faults: Faults, pods: int) -> None:
    open_own_pause(catalog, pods)
    faults.lose_the_answer("batch")
    with pytest.raises(Unreachable):
        catalog.close_pause(RUN, 1, "run", later(20))
    assert catalog.close_pause(RUN, 1, "run", later(25)).closed_at == later(20)
    assert len(catalog.close_pause(RUN, 1, "run", later(25)).to_resume) == pods


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_a_lease_whose_answer_was_lost_is_ours(catalog: Catalog, faults: Faults, operation: str) -> None:
    if operation == "update":
        catalog.acquire_lease(PLAN, "crashed", NOW, NOW)
    faults.lose_the_answer(operation)
    for _ in range(2):
        try:
            lease = catalog.acquire_lease(PLAN, RUN, later(60), later(1))
        except Unreachable:
            continue
    assert lease.token == (2 if operation == "update" else 1)


def test_a_lease_taken_between_reading_and_writing_is_not_extended(catalog: Catalog, faults: Faults) -> None:
    catalog.acquire_lease(PLAN, RUN, later(60), NOW)
    faults.meet_a_rival("update", lambda: catalog.acquire_lease(PLAN, "rival", later(200), later(100)))
    with pytest.raises(LeaseHeld, match="rival"):
        catalog.acquire_lease(PLAN, RUN, later(160), later(100))


def test_a_lease_taken_while_the_journal_is_being_opened_stops_it(catalog: Catalog, faults: Faults) -> None:
    faults.meet_a_rival("batch", lambda: catalog.acquire_lease(PLAN, "rival", later(200), later(100)))
    with pytest.raises(FencedOff, match="run rival holds it"):
        open_own_pause(catalog)
    assert catalog.open_pauses() == ()


def test_a_lease_renewed_while_the_journal_is_being_opened_does_not_stop_it(catalog: Catalog, faults: Faults) -> None:
    faults.meet_a_rival("batch", lambda: catalog.renew_lease(PLAN, RUN, 1, later(200), later(1)))
    assert open_own_pause(catalog) == a_journal(RUN)


def test_a_release_paused_while_the_journal_is_being_opened_stops_it(catalog: Catalog, faults: Faults) -> None:
    other = an_id(2, "billing")

    def pause_it() -> None:
        token = catalog.acquire_lease("billing", other, later(60), NOW).token
        catalog.open_pause(a_journal(other, token, plan="billing"))

    faults.meet_a_rival("batch", pause_it)
    with pytest.raises(PausedByAnother, match=other):
        open_own_pause(catalog)
    assert [entry.run for entry in catalog.open_pauses()] == [other]


def test_an_attempt_that_was_opened_and_closed_meanwhile_is_not_opened_again(catalog: Catalog, faults: Faults) -> None:
    """The same execution twice at once: this one reads that there is no entry, the other opens and closes it."""

    def open_and_close() -> None:
        open_own_pause(catalog)
        catalog.close_pause(RUN, 1, "run", later(20))

    faults.meet_a_rival("batch", open_and_close)
    entry = open_own_pause(catalog)
    assert (entry, catalog.open_pauses()) == (catalog.pause_journal(RUN, 1), ())


def test_a_pod_noted_while_the_entry_is_being_closed_is_kept(catalog: Catalog, faults: Faults) -> None:
    open_own_pause(catalog)
    faults.meet_a_rival("batch", lambda: catalog.mark_not_ours(RUN, 1, ["orders-2"]))
    assert catalog.close_pause(RUN, 1, "run", later(20)).not_ours == ("orders-2",)


def test_a_plan_changed_between_reading_and_writing_is_a_conflict(catalog: Catalog, faults: Faults) -> None:
    catalog.put_plan(a_plan(), NOW)
    faults.meet_a_rival("update", lambda: catalog.put_plan(a_plan(tables=("theirs",)), NOW))
    with pytest.raises(RevisionConflict, match="changed by somebody else"):
        catalog.put_plan(a_plan(tables=("ours",)), NOW)
    assert catalog.plan(PLAN).plan == a_plan(tables=("theirs",))


def test_the_same_change_by_two_people_at_once_is_one_revision(catalog: Catalog, faults: Faults) -> None:
    faults.meet_a_rival("insert", lambda: catalog.put_plan(a_plan(), NOW))
    assert catalog.put_plan(a_plan(), later(1)).applied_at == NOW


def test_a_plan_whose_answer_was_lost_is_stored_once(catalog: Catalog, faults: Faults) -> None:
    catalog.put_plan(a_plan(), NOW)
    faults.lose_the_answer("update")
    assert catalog.put_plan(a_plan(tables=("audit",)), later(1)).revision == 2


def test_a_writer_that_is_always_outrun_gives_up_and_may_come_back(catalog: Catalog, faults: Faults) -> None:
    rewrite(catalog, "first")
    faults.refuse("update", 412, "UpdateConditionNotSatisfied", times=CHANGE_TRIES)
    with pytest.raises(Throttled, match="other writers were faster at document tables of run"):
        rewrite(catalog, "ours")


def rewrite(catalog: Catalog, document: object) -> None:
    catalog.put_document(RUN, "tables", document)


def test_a_reader_in_the_middle_of_a_replacement_gets_one_whole_version(catalog: Catalog, faults: Faults) -> None:
    rewrite(catalog, noise(LARGE, 1))
    faults.meet_a_rival("get", lambda: rewrite(catalog, noise(LARGE, 2)), nth=2)  # the first part
    assert catalog.document(RUN, "tables") == noise(LARGE, 2)


def test_a_list_read_in_the_middle_of_a_replacement_holds_the_new_version(catalog: Catalog, faults: Faults) -> None:
    catalog.save_run(a_run(reason=noise(LARGE)))
    faults.meet_a_rival("get", lambda: catalog.save_run(a_run(reason="short")))
    assert catalog.runs(PLAN) == (a_run(reason="short"),)


def test_replaced_parts_are_removed(catalog: Catalog, client: TableClient) -> None:
    rewrite(catalog, noise(2 * LARGE))
    before = parts_in(client)
    rewrite(catalog, noise(LARGE))
    assert 0 < parts_in(client) < before
    rewrite(catalog, "short")
    assert parts_in(client) == 0


def test_parts_of_a_refused_write_are_removed(catalog: Catalog, client: TableClient, faults: Faults) -> None:
    catalog.create_run(a_run(token=2))
    assert catalog.create_run(large_run()).token == 2
    faults.meet_a_rival("batch", lambda: catalog.release_lease(PLAN, RUN, 1))
    with pytest.raises(FencedOff):
        open_own_pause(catalog, MANY_PODS)
    assert parts_in(client) == 0


def large_run() -> Run:
    return a_run(token=1, reason=noise(LARGE))


def test_a_write_that_was_repeated_after_its_answer_was_lost_keeps_its_parts(catalog: Catalog, faults: Faults) -> None:
    rewrite(catalog, "short")
    faults.lose_the_answer("update")
    rewrite(catalog, noise(LARGE))
    assert catalog.document(RUN, "tables") == noise(LARGE)


def test_a_write_that_nobody_answered_keeps_its_parts(catalog: Catalog, faults: Faults) -> None:
    rewrite(catalog, "short")
    faults.lose_the_answer("update", times=ALWAYS)
    with pytest.raises(Unreachable):
        rewrite(catalog, noise(LARGE))
    assert catalog.document(RUN, "tables") == noise(LARGE)


@pytest.mark.parametrize("characters", [15_000, 17_000, 1_040_000, 1_060_000, 1_580_000])
def test_every_size_fits_into_the_limits_of_the_service(catalog: Catalog, characters: int) -> None:
    rewrite(catalog, noise(characters))
    assert catalog.document(RUN, "tables") == noise(characters)
