"""Host and port of a JDBC URL, as the drivers of the engines that ScalarDB supports read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_DEFAULT_PORTS = {"mysql": 3306, "mariadb": 3306, "postgresql": 5432, "oracle": 1521, "sqlserver": 1433}
_URL = re.compile(
    r"jdbc:(?P<driver>[a-z]+):"
    r"(?:thin:[^@]*@(?:tcps?:)?)?(?://)?"  # Oracle's thin driver: jdbc:oracle:thin:[user/password]@[//]host:port[/service]
    r"(?P<host>[A-Za-z0-9_.-]+)(?::(?P<port>\d+))?(?=$|[/:;?])"
)


class JdbcUrlError(ValueError):
    """The URL names no host that can be read, or a database that the bank does not know."""


@dataclass(frozen=True)
class JdbcHost:
    """`driver` is the word after `jdbc:`."""

    driver: str
    host: str
    port: int


def jdbc_host(url: str) -> JdbcHost:
    """Raises JdbcUrlError; its message does not repeat the URL, which may carry a password."""
    match = _URL.match(url)
    if match is None or match["driver"] not in _DEFAULT_PORTS:
        raise JdbcUrlError(
            "The JDBC URL has no host that can be read: write it like jdbc:postgresql://host:5432/database. Known drivers: "
            f"{', '.join(_DEFAULT_PORTS)}."
        )
    return JdbcHost(match["driver"], match["host"].lower(), int(match["port"] or _DEFAULT_PORTS[match["driver"]]))


def jdbc_url(engine: str, host: str, port: int, database: str = "bank") -> str:
    """The URL for a database of RDS or Aurora; `engine` in the words of RDS, such as `aurora-postgresql` or `oracle-ee`."""
    if "mysql" in engine:
        return f"jdbc:mysql://{host}:{port}/"
    if "postgres" in engine:
        return f"jdbc:postgresql://{host}:{port}/{database}"
    if engine.startswith("oracle"):
        return f"jdbc:oracle:thin:@//{host}:{port}/ORCL"
    if engine.startswith("sqlserver"):
        return f"jdbc:sqlserver://{host}:{port};databaseName={database}"
    raise JdbcUrlError(f"No JDBC driver is known for the engine {engine!r}.")
