"""JDBC URLs as the drivers read them."""

from __future__ import annotations

import pytest

from infra.sandbox.bank.jdbc_url import JdbcHost, JdbcUrlError, jdbc_host, jdbc_url

HOST = "orders.c0ffee0sbx.ap-northeast-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (f"jdbc:mysql://{HOST}:3307/", JdbcHost("mysql", HOST, 3307)),
        (f"jdbc:mysql://{HOST}/bank?useSSL=true", JdbcHost("mysql", HOST, 3306)),
        (f"jdbc:mariadb://{HOST}", JdbcHost("mariadb", HOST, 3306)),
        (f"jdbc:postgresql://{HOST}/bank?sslmode=require", JdbcHost("postgresql", HOST, 5432)),
        (f"jdbc:postgresql://{HOST.upper()}:5433/bank", JdbcHost("postgresql", HOST, 5433)),
        (f"jdbc:oracle:thin:@//{HOST}:1522/ORCL", JdbcHost("oracle", HOST, 1522)),
        (f"jdbc:oracle:thin:@{HOST}:1521:ORCL", JdbcHost("oracle", HOST, 1521)),
        (f"jdbc:oracle:thin:me/secret@tcps://{HOST}/ORCL", JdbcHost("oracle", HOST, 1521)),
        (f"jdbc:sqlserver://{HOST};databaseName=bank", JdbcHost("sqlserver", HOST, 1433)),
    ],
)
def test_host_and_port_are_read_as_the_driver_reads_them(url: str, host: JdbcHost) -> None:
    assert jdbc_host(url) == host


@pytest.mark.parametrize("url", ["", "jdbc:", "jdbc:h2:mem:x", "postgresql://host/", "jdbc:postgresql:///bank"])
def test_a_url_without_a_host_is_refused_and_never_repeated(url: str) -> None:
    with pytest.raises(JdbcUrlError, match="no host that can be read") as refused:
        jdbc_host(f"{url}?password=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("engine", "driver"),
    [
        ("mysql", "mysql"),
        ("aurora-mysql", "mysql"),
        ("postgres", "postgresql"),
        ("aurora-postgresql", "postgresql"),
        ("oracle-se2-cdb", "oracle"),
        ("sqlserver-ex", "sqlserver"),
    ],
)
def test_every_engine_of_rds_has_its_url(engine: str, driver: str) -> None:
    assert jdbc_host(jdbc_url(engine, HOST, 1234)) == JdbcHost(driver, HOST, 1234)


def test_an_engine_without_a_driver_is_named() -> None:
    with pytest.raises(JdbcUrlError, match="'db2-se'"):
        jdbc_url("db2-se", HOST, 1234)
