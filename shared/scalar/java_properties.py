"""Reads the text form of java.util.Properties. Source: the documentation of `Properties.load(Reader)`, Java SE."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WHITE = " \t\f"
_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_SEPARATORS = "=:"


def parse_properties(text: str) -> dict[str, str]:
    """Keys and values; of a key that occurs twice the last value wins.

    Raises:
        ValueError: a \\u that is not followed by four hexadecimal digits; the message names the line's key.
    """
    found = {}
    for line in _logical_lines(text):
        end = _end_of_key(line)
        rest = line[end:].lstrip(_WHITE)
        if rest[:1] and rest[0] in _SEPARATORS:
            rest = rest[1:].lstrip(_WHITE)
        try:
            found[unescape(line[:end])] = unescape(rest)
        except ValueError as error:
            raise ValueError(f"property {line[:end]!r}: {error}") from error
    return found


def unescape(text: str) -> str:
    """The text with its backslash escapes replaced; a backslash before any other character just goes away.

    Raises:
        ValueError: a \\u that is not followed by four hexadecimal digits.
    """
    if "\\" not in text:
        return text
    found, position = [], 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and position < len(text):
            character = text[position]
            position += 1
            if character == "u":
                character = _code_unit(text[position : position + 4])
                position += 4
            else:
                character = _ESCAPES.get(character, character)
        elif character == "\\":
            break
        found.append(character)
    # Java's characters are UTF-16 code units: two escapes may be the halves of one character.
    return "".join(found).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _code_unit(digits: str) -> str:
    if not re.fullmatch("[0-9A-Fa-f]{4}", digits):
        raise ValueError(f"\\u{digits} is not an escaped character")
    return chr(int(digits, 16))


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without comments, blank lines and leading white space; after a backslash at its end a line goes on in the next."""
    parts: list[str] = []
    for raw in _LINE_END.split(text):
        line = raw.lstrip(_WHITE)
        if not parts and (not line or line[0] in "#!"):
            continue
        trailing_backslashes = len(line) - len(line.rstrip("\\"))
        if trailing_backslashes % 2:
            parts.append(line[:-1])
            continue
        yield from _unless_empty("".join([*parts, line]))
        parts = []
    yield from _unless_empty("".join(parts))


def _unless_empty(line: str) -> Iterator[str]:
    if line:
        yield line


def _end_of_key(line: str) -> int:
    """Where the key ends: at the first separator or white space that is not escaped."""
    position = 0
    while position < len(line) and line[position] not in _SEPARATORS + _WHITE:
        position += 2 if line[position] == "\\" else 1
    return min(position, len(line))
