"""Reads the text form of java.util.Properties, and changes one value in it without touching another byte. Source: the
documentation of `Properties.load(Reader)` and `Properties.store(Writer)`, Java SE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WHITE = " \t\f"
_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_ESCAPED = {"\\": "\\\\"} | {character: f"\\{letter}" for letter, character in _ESCAPES.items()}
_SEPARATORS = "=:"


class Entry(NamedTuple):
    """One property as it is written. `raw` is its value with the escapes, put together from all of its lines; it stands in
    `text[start:end]`, where `end` is the end of the last of these lines. `key_end` is behind the key and its separator.
    `is_bare`: there is nothing after the key, not even a separator."""

    key: str
    raw: str
    key_end: int
    start: int
    end: int
    is_bare: bool


class _LogicalLine(NamedTuple):
    """`offsets[i]` is where character i of `line` stands in the text."""

    line: str
    offsets: list[int]
    end: int


def entries(text: str) -> Iterator[Entry]:
    """Every property in the order of the text. Of a key that occurs twice the last one counts.

    Raises:
        ValueError: a \\u that is not followed by four hexadecimal digits; the message names the line's key.
    """
    for line, offsets, end in _logical_lines(text):
        written_key = line[: _end_of_key(line)]
        value = _skip_white(line, len(written_key))
        before = len(written_key)
        if value < len(line) and line[value] in _SEPARATORS:
            before = value + 1
            value = _skip_white(line, before)
        try:
            key = unescape(written_key)
            unescape(line[value:])
        except ValueError as error:
            raise ValueError(f"property {written_key!r}: {error}") from error
        start = offsets[value] if value < len(line) else offsets[-1] + 1
        yield Entry(key, line[value:], offsets[before - 1] + 1, start, end, written_key == line)


def rewrite_property(text: str, key: str, raw: str) -> str:
    """The text with the value of `key` replaced by `raw`, which is escaped already; every other byte stays as it is.

    Of a key that occurs twice the last one is changed: it is the one that counts.

    Raises:
        KeyError: there is no such property.
        ValueError: not a properties file.
    """
    found = [entry for entry in entries(text) if entry.key == key]
    if not found:
        raise KeyError(key)
    entry = found[-1]
    # An empty value may not begin on a line of its own: a \r before it and a \n behind it would become one end of line.
    start = entry.start if raw else entry.key_end
    return f"{text[:start]}{'=' if entry.is_bare else ''}{raw}{text[entry.end :]}"


def escape_value(value: str) -> str:
    """The value as it stands in a properties file, in ASCII: right for readers of every character set."""
    escaped = "".join(_escaped_character(character) for character in value)
    return f"\\{escaped}" if escaped.startswith(" ") else escaped


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


def _escaped_character(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if " " <= character <= "~":
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def _logical_lines(text: str) -> Iterator[_LogicalLine]:
    """Lines without comments, blank lines and leading white space; after a backslash at its end a line goes on in the next."""
    offsets: list[int] = []
    is_continued, value_end = False, 0
    for start, end in _lines(text):
        first = start + _skip_white(text[start:end], 0)
        if not is_continued and (first == end or text[first] in "#!"):
            continue
        if first < end or not is_continued:
            value_end = end  # a blank line that only ends a continuation is not part of the value
        line = text[first:end]
        is_continued = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        offsets += range(first, end - 1 if is_continued else end)
        if not is_continued or end == len(text):
            if offsets:
                yield _LogicalLine("".join(text[at] for at in offsets), offsets, value_end)
            offsets = []


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends, its terminator left out."""
    start = 0
    for terminator in _LINE_END.finditer(text):
        yield start, terminator.start()
        start = terminator.end()
    yield start, len(text)


def _skip_white(line: str, position: int) -> int:
    while position < len(line) and line[position] in _WHITE:
        position += 1
    return position


def _end_of_key(line: str) -> int:
    """Where the key ends: at the first separator or white space that is not escaped."""
    position = 0
    while position < len(line) and line[position] not in _SEPARATORS + _WHITE:
        position += 2 if line[position] == "\\" else 1
    return min(position, len(line))
