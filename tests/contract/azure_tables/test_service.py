"""The stand-in for the Table service refuses what the service refuses, and answers as the SDK expects it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import EdmType, EntityProperty, TableClient, TableTransactionError, UpdateMode
from azure.identity import ManagedIdentityCredential

from infra.sandbox.azure.entra import Entra
from infra.sandbox.azure.server import running_azure
from shared.catalog.azure_table import AzureTableCatalog
from shared.catalog.azure_table.errors import code_of
from tests.contract.azure_tables.conftest import BareClient
from tests.contract.catalog.azure_tables import TableAccount, running_account

KEYS = {"PartitionKey": "p", "RowKey": "r"}


def entity(row: str = "r", partition: str = "p", **values: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **values}


def rows(found: Any) -> list[str]:
    return [each["RowKey"] for each in found]


def test_every_type_comes_back_as_it_was_stored(client: TableClient) -> None:
    stored = entity(
        text="é'\"\n",
        number=-7,
        large=EntityProperty(2**40, EdmType.INT64),
        ratio=0.5,
        yes=True,
        blob=b"\x00\xff",
        id=uuid.UUID(int=7),
        at=datetime(2026, 11, 24, 3, 0, tzinfo=UTC),
    )
    client.create_entity(stored)
    found = client.get_entity("p", "r")
    assert {name: found[name] for name in stored if name != "large"} == {
        name: value for name, value in stored.items() if name != "large"
    }
    assert found["large"].value == 2**40


def test_an_insert_of_what_exists_is_a_conflict(client: TableClient) -> None:
    client.create_entity(entity())
    with pytest.raises(ResourceExistsError, match="EntityAlreadyExists"):
        client.create_entity(entity())


def test_an_update_on_an_old_etag_is_refused_and_merges_keep_the_rest(client: TableClient) -> None:
    client.create_entity(entity(a=1, b=1))
    etag = client.get_entity("p", "r").metadata["etag"]
    client.update_entity(entity(b=2), UpdateMode.MERGE, etag=etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError, match="UpdateConditionNotSatisfied"):
        client.update_entity(entity(b=3), UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified)
    assert dict(client.get_entity("p", "r")) == entity(a=1, b=2)


def test_an_update_of_what_is_not_there_is_not_found_and_an_upsert_makes_it(client: TableClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        client.update_entity(entity())
    client.upsert_entity(entity(a=1))
    assert client.get_entity("p", "r")["a"] == 1


def test_a_transaction_is_whole_or_nothing_and_says_which_part_failed(client: TableClient) -> None:
    client.create_entity(entity("taken"))
    with pytest.raises(TableTransactionError, match="EntityAlreadyExists") as caught:
        client.submit_transaction([("create", entity("new")), ("create", entity("taken")), ("create", entity("newer"))])
    assert (caught.value.index, rows(client.list_entities())) == (1, ["taken"])
    client.submit_transaction([("create", entity("new")), ("delete", entity("taken"))])
    assert rows(client.list_entities()) == ["new"]


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([("create", entity(f"{number}")) for number in range(101)], "InvalidInput"),
        ([("create", entity()), ("delete", entity())], "InvalidDuplicateRow"),
        ([("create", entity(f"{number}", blob=b"x" * 65_536, more=b"x" * 65_536)) for number in range(30)], "TooLarge"),
    ],
    ids=["101 operations", "one entity twice", "more than 4 MiB"],
)
def test_a_transaction_beyond_the_limits_is_refused(client: TableClient, operations: list[Any], code: str) -> None:
    with pytest.raises(HttpResponseError, match=code):
        client.submit_transaction(operations)
    assert rows(client.list_entities()) == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"text": "x" * 32_769}, "PropertyValueTooLarge"),
        ({"blob": b"x" * 65_537}, "PropertyValueTooLarge"),
        ({f"p{number}": b"x" * 65_536 for number in range(16)}, "EntityTooLarge"),
        ({f"p{number}": 1 for number in range(253)}, "TooManyProperties"),
        ({"no-name": 1}, "PropertyNameInvalid"),
        ({"n" * 256: 1}, "PropertyNameTooLong"),
        ({"RowKey": "a/b"}, "OutOfRangeInput"),
        ({"RowKey": "x" * 513}, "KeyValueTooLarge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entity_beyond_the_limits_is_refused_by_name(client: TableClient, values: dict[str, Any], code: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        client.create_entity({**KEYS, **values})
    assert code_of(caught.value) == code


def test_what_just_fits_is_stored(client: TableClient) -> None:
    client.create_entity(entity(text="x" * 32_768, **{f"p{number}": b"x" * 65_536 for number in range(14)}))


def test_filters_compare_types_and_combine(client: TableClient) -> None:
    for number in range(5):
        client.create_entity(entity(f"{number}", number=number, even=number % 2 == 0, name=f"it's {number}"))
    assert rows(client.query_entities("number ge 1 and (even eq true or name eq 'it''s 3')")) == ["2", "3", "4"]
    assert rows(client.query_entities("not (number lt 3)")) == ["3", "4"]
    assert rows(client.query_entities("number eq '1' or missing eq 1")) == []
    assert rows(client.query_entities("RowKey gt @row", parameters={"row": "3"})) == ["4"]


@pytest.mark.parametrize("text", ["number eq", "number like 1", "(number eq 1", "number eq 1 1", "eq"])
def test_a_filter_that_is_none_is_refused(client: TableClient, text: str) -> None:
    with pytest.raises(HttpResponseError, match="InvalidInput"):
        list(client.query_entities(text))


def test_a_query_goes_on_over_full_and_empty_pages_in_the_order_of_the_keys(account: TableAccount, client: TableClient) -> None:
    for number in reversed(range(9)):
        client.create_entity(entity(f"{number}", partition=f"p{number % 2}", number=number))
    account.service.scanned_at_most = 2
    assert rows(client.query_entities("number ge 7")) == ["8", "7"]
    assert rows(client.list_entities(results_per_page=1)) == ["0", "2", "4", "6", "8", "1", "3", "5", "7"]
    first = next(client.query_entities("number ge 7").by_page())
    assert list(first) == []


def test_selected_properties_come_alone(client: TableClient) -> None:
    client.create_entity(entity(a=1, b=2))
    assert dict(client.get_entity("p", "r", select=["a"])) == {"a": 1}


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("{table}()", {"Authorization": None}, 401, "InvalidAuthenticationInfo"),
        ("{table}()", {"Authorization": "SharedKeyLite a:b"}, 403, "KeyBasedAuthenticationNotPermitted"),
        ("{table}()", {"x_ms_version": None}, 400, "InvalidHeaderValue"),
        ("{table}()", {"x_ms_date": None}, 400, "MissingRequiredHeader"),
        ("{table}()", {"Accept": "application/atom+xml"}, 415, "AtomFormatNotSupported"),
        ("{table}()?$top=1001", {}, 400, "InvalidInput"),
        ("nowhere()", {}, 404, "TableNotFound"),
        ("{table}(PartitionKey='p')", {}, 400, "InvalidUri"),
    ],
)
def test_a_request_without_what_the_service_demands_is_refused(
    bare: BareClient, path: str, headers: dict[str, str | None], status: int, code: str
) -> None:
    answer = bare.send("GET", path, **headers)
    assert (answer.status_code, answer.json()["odata.error"]["code"]) == (status, code)


def test_a_delete_needs_a_condition(bare: BareClient) -> None:
    answer = bare.send("DELETE", "{table}(PartitionKey='p',RowKey='r')")
    assert (answer.status_code, answer.json()["odata.error"]["code"]) == (400, "MissingRequiredHeader")


def test_an_insert_needs_both_keys(bare: BareClient) -> None:
    answer = bare.send("POST", "{table}", json={"PartitionKey": "p"})
    assert (answer.status_code, answer.json()["odata.error"]["code"]) == (400, "PropertiesNeedValue")


def test_a_refused_caller_learns_where_to_sign_in(bare: BareClient) -> None:
    answer = bare.send("GET", "{table}()", Authorization=None)
    tenant = bare.account.service.entra.tenant_id
    assert f"https://login.microsoftonline.com/{tenant}/oauth2/authorize" in answer.headers["WWW-Authenticate"]


def test_a_managed_identity_opens_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    entra = Entra()
    with running_account(entra=entra) as account, running_azure(entra, [account.identity]) as azure:
        for name, value in azure.environment().items():
            if name != "REQUESTS_CA_BUNDLE":
                monkeypatch.setenv(name, value)
        with ManagedIdentityCredential() as credential, account.client("catalog", credential) as client:
            client.create_table()
            assert AzureTableCatalog(client).plans() == ()
        assert azure.identity_endpoint.asked == ["https://storage.azure.com"]
