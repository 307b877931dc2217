"""The properties parser against the rules of java.util.Properties, and against a writer that escapes as Java does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scalar.java_properties import entries, unescape


def parse_properties(text):
    return {entry.key: unescape(entry.raw) for entry in entries(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a = 1 ", {"a": "1 "}),
        ("a:1", {"a": "1"}),
        ("a 1", {"a": "1"}),
        ("a\t:\f1", {"a": "1"}),
        ("a==1", {"a": "=1"}),
        ("a =\t= 1", {"a": "= 1"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=1", {"": "1"}),
        ("  a=1\n\n\r\n\rb=2\rc=3\r\n", {"a": "1", "b": "2", "c": "3"}),
        ("# a=1\n ! b=2\nc=3 # not a comment", {"c": "3 # not a comment"}),
        ("# a comment does not go on \\\nb=2", {"b": "2"}),
        ("a=one,\\\n   two,\\\n\tthree", {"a": "one,two,three"}),
        ("a=one\\\n# not a comment here", {"a": "one# not a comment here"}),
        ("a=even backslashes\\\\\nb=2", {"a": "even backslashes\\", "b": "2"}),
        ("a=1\\", {"a": "1"}),
        ("a=1\\\n\nb=2", {"a": "1", "b": "2"}),
        ("\\\n", {}),
        ("with\\ space\\:and\\=more=1", {"with space:and=more": "1"}),
        ("a=\\t\\n\\r\\f\\q\\\\", {"a": "\t\n\r\fq\\"}),
        ("a=\\u00e9\\u65E5", {"a": "é日"}),
        ("a=\\ud83d\\ude00", {"a": "😀"}),
        ("a=\\ud83d", {"a": "\ufffd"}),
        ("a=1\na=2", {"a": "2"}),
        ("", {}),
    ],
)
def test_every_rule_of_java(text, expected):
    assert parse_properties(text) == expected


@pytest.mark.parametrize("text", ["a=\\u12", "a=\\uXYZW", "a=\\u"])
def test_a_malformed_escape_is_refused_as_java_does_and_names_the_property(text):
    with pytest.raises(ValueError, match=r"property 'a': .* is not an escaped character"):
        parse_properties(text)


def write_properties(values, separator, indent, width):
    """Escapes everything that Properties.store would, and breaks lines wherever `width` says so."""
    lines = []
    for key, value in values.items():
        escaped = f"{indent}{escape(key, is_key=True)}{separator}{escape(value, is_key=False)}"
        lines += ["# between the lines", wrap(escaped, width), ""]
    return "\n".join(lines)


def escape(text, is_key):
    found = []
    for number, character in enumerate(text):
        if character in "\t\n\r\f":
            found.append("\\" + {"\t": "t", "\n": "n", "\r": "r", "\f": "f"}[character])
        elif character in "=:#!\\" or (character == " " and (is_key or number == 0)):
            found.append("\\" + character)
        elif character < " " or character > "~":
            units = character.encode("utf-16-be")
            found += [f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2)]
        else:
            found.append(character)
    return "".join(found)


def wrap(line, width):
    """Breaks after `width` characters where that splits no escape and does not make a space vanish at the next line's start."""
    if not width or len(line) <= width:
        return line
    head, tail = line[:width], line[width:]
    is_inside_escape = "\\" in line[max(0, width - 6) : width]
    return line if is_inside_escape or tail[0] in " \t\f" else f"{head}\\\n    {tail}"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.dictionaries(texts.filter(bool), texts),
    st.sampled_from(["=", ":", " = ", "\t:  "]),
    st.sampled_from(["", "  ", "\t"]),
    st.integers(0, 30),
)
def test_what_an_escaping_writer_wrote_is_read_back(values, separator, indent, width):
    assert parse_properties(write_properties(values, separator, indent, width)) == values


@given(texts)
def test_unescape_undoes_escape(text):
    assert unescape(escape(text, is_key=True)) == text


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_reason(text):
    try:
        parse_properties(text)
    except ValueError as error:
        reason = str(error)
    else:
        reason = "is not an escaped character"
    assert "is not an escaped character" in reason
