"""The data plane: a host name leads to the database that has it now, statements are atomic, refusals are distinct."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from infra.sandbox.relational.client import (
    ABSENT,
    Connection,
    DatabaseError,
    DatabaseUnreachable,
    OutcomeUnknown,
    SqlClient,
)
from tests.contract.aws.rds_builders import FAST_RDS, LONG, PASSWORD, SUFFIX, make_instance


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


@pytest.fixture
def bank(aws: Any, rds: Any) -> Connection:
    make_instance(rds)
    connection = SqlClient(aws.url).connect(f"orders.{SUFFIX}", 3306, "admin", PASSWORD)
    connection.create_table("bank.savings")
    return connection


def test_rows_are_written_read_and_deleted(bank: Connection) -> None:
    assert bank.get("bank.savings", "1") is None
    assert bank.put("bank.savings", "1", {"balance": 10, "owner": None})
    assert bank.get("bank.savings", "1") == {"balance": 10, "owner": None}
    assert bank.scan("bank.savings") == {"1": {"balance": 10, "owner": None}}
    assert bank.delete("bank.savings", "1")
    assert not bank.delete("bank.savings", "1")
    assert bank.scan("bank.savings") == {}


def test_tables_are_created_and_dropped_once(bank: Connection) -> None:
    assert not bank.create_table("bank.savings")
    bank.put("bank.savings", "1", {"balance": 10})
    assert bank.drop_table("bank.savings")
    assert not bank.drop_table("bank.savings")
    assert bank.tables() == []
    with pytest.raises(DatabaseError, match=r"NoSuchTable.*bank\.savings"):
        bank.get("bank.savings", "1")
    bank.create_table("bank.savings")
    assert bank.scan("bank.savings") == {}


@pytest.mark.parametrize(
    ("before", "expect", "written"),
    [
        (None, ABSENT, True),
        (None, {"version": 1}, False),
        ({"version": 1, "balance": 5}, ABSENT, False),
        ({"version": 1, "balance": 5}, {"version": 1}, True),
        ({"version": 1, "balance": 5}, {"version": 1, "balance": 6}, False),
        ({"version": 1, "balance": 5}, {"owner": None}, True),
        ({"version": 1, "balance": 5}, None, True),
    ],
)
def test_a_write_happens_if_what_it_expects_holds(
    bank: Connection, before: dict[str, Any] | None, expect: Any, written: bool
) -> None:
    if before is not None:
        bank.put("bank.savings", "1", before)
    assert bank.put("bank.savings", "1", {"version": 2}, expect) is written
    assert bank.get("bank.savings", "1") == ({"version": 2} if written else before)


def test_a_conditional_delete_spares_what_has_changed(bank: Connection) -> None:
    bank.put("bank.savings", "1", {"version": 2})
    assert not bank.delete("bank.savings", "1", {"version": 1})
    assert bank.delete("bank.savings", "1", {"version": 2})


def test_of_many_writers_that_expect_the_same_version_one_writes(bank: Connection) -> None:
    bank.put("bank.savings", "1", {"version": 0})
    outcomes: list[bool] = []

    def write(number: int) -> None:
        outcomes.append(bank.put("bank.savings", "1", {"version": 1, "by": number}, {"version": 0}))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(outcomes) == [False] * 7 + [True]


@pytest.mark.parametrize("host", [f"unknown.{SUFFIX}", "orders.example.com", "localhost", f"orders.cluster-{SUFFIX}"])
def test_a_host_that_nobody_has_is_unknown(aws: Any, bank: Connection, host: str) -> None:
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        SqlClient(aws.url).connect(host, 3306, "admin", PASSWORD).tables()


def test_an_instance_that_is_being_created_has_no_host_yet(aws: Any, rds: Any) -> None:
    aws.settings(rds_create_seconds=LONG)
    make_instance(rds)
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        SqlClient(aws.url).connect(f"orders.{SUFFIX}", 3306, "admin", PASSWORD).tables()


@pytest.mark.parametrize("operation", ["reboot_db_instance", "stop_db_instance"])
def test_an_instance_that_is_not_available_does_not_answer(aws: Any, rds: Any, bank: Connection, operation: str) -> None:
    aws.settings(rds_modify_seconds=LONG)
    getattr(rds, operation)(DBInstanceIdentifier="orders")
    with pytest.raises(DatabaseUnreachable, match=r"NotAvailable: .*orders is"):
        bank.tables()


def test_an_instance_that_is_backed_up_or_modified_answers(aws: Any, rds: Any, bank: Connection) -> None:
    aws.settings(rds_modify_seconds=LONG)
    rds.modify_db_instance(DBInstanceIdentifier="orders", PubliclyAccessible=True)
    assert bank.tables() == ["bank.savings"]


@pytest.mark.parametrize(
    ("port", "user", "password", "code"),
    [
        (3307, "admin", PASSWORD, "WrongPort"),
        (3306, "root", PASSWORD, "AccessDenied"),
        (3306, "admin", "guess-789", "AccessDenied"),
    ],
)
def test_a_wrong_port_user_or_password_is_told_apart(
    aws: Any, bank: Connection, port: int, user: str, password: str, code: str
) -> None:
    with pytest.raises(DatabaseError) as caught:
        SqlClient(aws.url).connect(f"orders.{SUFFIX}", port, user, password).tables()
    assert caught.value.code == code
    assert password not in str(caught.value)


def test_a_changed_password_counts_at_once(rds: Any, bank: Connection) -> None:
    rds.modify_db_instance(DBInstanceIdentifier="orders", MasterUserPassword="changed-456")
    with pytest.raises(DatabaseError, match="AccessDenied"):
        bank.tables()


@pytest.mark.parametrize(
    "statement",
    [
        {"operation": "truncate"},
        {"operation": "get", "table": "bank.savings"},
        {"operation": "put", "table": "bank.savings", "key": "1"},
        {"operation": "put", "table": "bank.savings", "key": "1", "row": {}, "expect": "present"},
    ],
)
def test_a_statement_that_makes_no_sense_is_named(aws: Any, bank: Connection, statement: dict[str, Any]) -> None:
    credentials = {"host": f"orders.{SUFFIX}", "port": 3306, "user": "admin", "password": PASSWORD}
    with pytest.raises(DatabaseError, match="BadRequest"):
        SqlClient(aws.url).run({**credentials, **statement})


def test_a_body_that_is_no_json_is_refused(aws: Any) -> None:
    answer = urllib3.request("POST", f"{aws.url}/sandbox/sql", body=b"{")
    assert (answer.status, answer.json()["error"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("statement", "status"),
    [({"host": f"none.{SUFFIX}"}, 503), ({"password": "wrong"}, 403), ({"table": "none", "key": "1", "operation": "get"}, 404)],
)
def test_each_kind_of_refusal_has_its_http_status(aws: Any, bank: Connection, statement: dict[str, Any], status: int) -> None:
    whole = {"host": f"orders.{SUFFIX}", "port": 3306, "user": "admin", "password": PASSWORD, "operation": "tables"}
    assert urllib3.request("POST", f"{aws.url}/sandbox/sql", json={**whole, **statement}).status == status


def test_when_nothing_answers_the_outcome_is_unknown() -> None:
    with pytest.raises(OutcomeUnknown, match="NoAnswer"):
        SqlClient("http://127.0.0.1:9").connect(f"orders.{SUFFIX}", 3306, "admin", PASSWORD).tables()


def test_a_reset_of_the_sandbox_takes_the_databases_along(aws: Any, rds: Any, bank: Connection) -> None:
    aws.reset()
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        bank.tables()
