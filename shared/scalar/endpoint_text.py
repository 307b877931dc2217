"""Replaces host and port of a moved endpoint inside the value of a property; everything else stays as it is, byte for byte.

Sources, for where a host can stand: MySQL Connector/J "Connection URL Syntax" (lists of hosts, `address=(host=…)`), PostgreSQL
JDBC "Connecting to the Database", Oracle JDBC "Database URLs and Database Specifiers", Microsoft JDBC "Building the connection
URL" (`serverName`), and ScalarDB's contact points (a list of hosts, or a URI).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.model.restore import EndpointMove

_AUTHORITY = re.compile(r"//(?P<text>[^/?;()]*)")
_ORACLE_AUTHORITY = re.compile(r"(?i):thin:(?:[^@]*)@(?!//|\(|[a-z]+://)(?P<text>[^/?]+)")
"""`@host:port:SID` and `@host:port/service`: the form without slashes in front."""
_HOST = r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)"
_IN_AUTHORITY = re.compile(rf"{_HOST}(?P<instance>\\[^:,;]*)?(?::(?P<port>\d+))?(?=[,:\s]|$)")
_BY_NAME = re.compile(
    rf"(?i)(?<![a-z])(?:host|servername)\s*=\s*{_HOST}(?=[\s),;&]|$)(?:[\s),;]*\(?\s*port(?:number)?\s*=\s*(?P<port>\d+))?"
)
_BARE_LIST = re.compile(r"[A-Za-z0-9._\[\]-]+(?::\d+)?(?:\s*,\s*[A-Za-z0-9._\[\]-]+(?::\d+)?)*")
_DEFAULT_PORTS = {"mysql": 3306, "mariadb": 3306, "postgresql": 5432, "oracle": 1521, "sqlserver": 1433, "https": 443}


class _Spot(NamedTuple):
    """Where a host stands in a value: its span, and that of the port's digits, if the value says one."""

    start: int
    end: int
    port: tuple[int, int] | None
    can_take_port: bool
    """A port may be written after it; not so where it would be a parameter of its own."""


class NoPlaceForPort(ValueError):
    """The value says the host but not the port, and the new port is another one."""


def moved(value: str, moves: Sequence[EndpointMove]) -> str:
    """The value with the first of the moves that fits carried out at each host.

    A move fits a host of the same name (names know no case) whose port is the old one, or where one of the two is not known. A
    URL without a port means its driver's own; beside a host that is a parameter, the port may stand anywhere.

    Raises:
        NoPlaceForPort: see there.
    """
    default = _default_port(value)
    for spot in sorted(_spots(value), reverse=True):
        host, port = value[spot.start : spot.end], default if spot.can_take_port else None
        if spot.port:
            port = int(value[slice(*spot.port)])
        move = next((move for move in moves if _fits(move, host, port)), None)
        if move:
            value = _written(value, spot, move, port)
    return value


def turned_back(moves: Sequence[EndpointMove]) -> tuple[EndpointMove, ...]:
    return tuple(EndpointMove(old=move.new, new=move.old, old_port=move.new_port, new_port=move.old_port) for move in moves)


def _fits(move: EndpointMove, host: str, port: int | None) -> bool:
    return move.old.lower() == host.lower() and (None in (port, move.old_port) or port == move.old_port)


def _written(value: str, spot: _Spot, move: EndpointMove, port: int | None) -> str:
    if move.new_port is not None and spot.port:
        value = f"{value[: spot.port[0]]}{move.new_port}{value[spot.port[1] :]}"
    elif move.new_port not in (None, port, move.old_port):
        if not spot.can_take_port:
            raise NoPlaceForPort(f"it names {move.old} without a port, and the new port is {move.new_port}")
        return f"{value[: spot.start]}{move.new}:{move.new_port}{value[spot.end :]}"
    return f"{value[: spot.start]}{move.new}{value[spot.end :]}"


def _spots(value: str) -> set[_Spot]:
    found = {_spot(match, 0, can_take_port=False) for match in _BY_NAME.finditer(value)}
    if _BARE_LIST.fullmatch(value.strip()):
        return found | set(_in_authority(value, 0))
    for pattern in (_AUTHORITY, _ORACLE_AUTHORITY):
        for authority in pattern.finditer(value):
            found |= set(_in_authority(authority["text"], authority.start("text")))
    return found


def _in_authority(text: str, offset: int) -> Iterator[_Spot]:
    """User and password, which may hold anything, end at the last `@`."""
    position = text.rfind("@") + 1
    for part in text[position:].split(","):
        host = part.lstrip()
        if found := _IN_AUTHORITY.match(host):
            yield _spot(found, offset + position + len(part) - len(host), can_take_port=not found["instance"])
        position += len(part) + 1


def _spot(found: re.Match[str], offset: int, *, can_take_port: bool) -> _Spot:
    port = (found.start("port") + offset, found.end("port") + offset) if found["port"] else None
    return _Spot(found.start("host") + offset, found.end("host") + offset, port, can_take_port)


def _default_port(value: str) -> int | None:
    """Also through a wrapping driver: `jdbc:aws-wrapper:postgresql://…`."""
    scheme = re.split(r"//|@", value, maxsplit=1)[0].lower()
    return next((port for name, port in _DEFAULT_PORTS.items() if name in scheme.split(":")), None)
