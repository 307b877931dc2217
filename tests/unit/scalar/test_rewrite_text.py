"""One value of a properties file changes; every other value, and every byte around it, stays."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.scalar.java_properties import entries, escape_value, rewrite_property, unescape
from shared.scalar.placeholders import Reference, resolve, split_value, write_value


def values(text):
    return {entry.key: unescape(entry.raw) for entry in entries(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1\nk=old\nb=2\n", "a=1\nk=new\nb=2\n"),
        ("k=old", "k=new"),
        ("k = old ", "k = new"),
        ("  k :\told\r\nb=2\r\n", "  k :\tnew\r\nb=2\r\n"),
        ("k old\rb=2", "k new\rb=2"),
        ("k", "k=new"),
        ("k\nb", "k=new\nb"),
        ("k=", "k=new"),
        ("k \nb", "k new\nb"),
        ("# k=old\n! k=old\nk=old # not a comment", "# k=old\n! k=old\nk=new"),
        ("k=one,\\\n  two,\\\n  three\nb=x\\\n  y\n", "k=new\nb=x\\\n  y\n"),
        ("k=\\\n   old\nb=2", "k=\\\n   new\nb=2"),
        ("k\\\n  ey=1\nk=old", "k\\\n  ey=1\nk=new"),
        ("k=old\\\n\nb=2\n", "k=new\n\nb=2\n"),
        ("k=old\\\n", "k=new\n"),
        ("k=old\\", "k=new"),
        ("k=\\\n", "k=new\n"),
        ("k=old\\\\\nb=2", "k=new\nb=2"),
        ("k=first\nk=old\nb=2", "k=first\nk=new\nb=2"),
        ("\\u006b=old", "\\u006b=new"),
        ("b=\\u00e9 k=x\nk=old", "b=\\u00e9 k=x\nk=new"),
    ],
)
def test_only_the_value_itself_changes(text, expected):
    assert rewrite_property(text, "k", "new") == expected
    assert values(expected)["k"] == "new"


def test_a_property_that_is_not_there_is_not_added():
    with pytest.raises(KeyError):
        rewrite_property("a=1", "k", "new")


LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
WHITE = st.text(" \t\f", max_size=3)
KEYS = ("scalar.db.contact_points", "scalar.db.password", "other", "with space:=", "é")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def written_property(draw, key):
    """A property as a person may write it: with white space, either separator or none, broken lines."""
    escaped_key = "".join(f"\\{character}" if character in " :=#!\\" else character for character in key)
    plain = st.from_regex(r"[ -\[\]-~]{0,15}", fullmatch=True)
    value = escape_value(draw(ANY_TEXT)) if draw(st.booleans()) else draw(plain)
    separator = draw(WHITE) + draw(st.sampled_from(["=", ":", " "])) + draw(WHITE)
    if value and "\\" not in value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))  # not at the end: \r here and \n after the value would be one line end
        value = f"{value[:at]}\\{draw(LINE_ENDS)}{draw(WHITE)}{value[at:]}"
    return draw(WHITE) + escaped_key + separator + value


@st.composite
def properties_files(draw):
    lines = [draw(written_property(key)) for key in draw(st.permutations(KEYS))]
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["# scalar.db.password=no", "  ! b=\\", "", "  "])))
    ends = [draw(LINE_ENDS) for _ in lines]
    text = "".join(line + end for line, end in zip(lines, ends, strict=True))
    return text if draw(st.booleans()) else text.removesuffix(ends[-1])


@given(text=properties_files(), key=st.sampled_from(KEYS), value=ANY_TEXT)
@example(text="k\\\n", key="k", value=" # =: ")
@example(text="k=a\\", key="k", value="\\")
def test_the_new_value_is_read_back_and_all_others_are_what_they_were(text, key, value):
    before = values(text)
    after = rewrite_property(text, key, escape_value(value))
    assert values(after) == before | {key: value}


@given(text=properties_files(), key=st.sampled_from(KEYS), value=ANY_TEXT)
def test_all_bytes_before_and_after_the_value_are_the_same(text, key, value):
    entry = next(entry for entry in entries(text) if entry.key == key)
    after = rewrite_property(text, key, escape_value(value))
    start = entry.start if value else entry.key_end
    assert after.startswith(text[:start])
    assert after.endswith(text[entry.end :])
    assert after[start : len(after) - len(text) + entry.end].removeprefix("=") == escape_value(value).removeprefix("=")


@given(text=properties_files(), key=st.sampled_from(KEYS))
def test_writing_the_value_that_is_there_and_its_lines_back_gives_the_same_text(text, key):
    entry = next(entry for entry in entries(text) if entry.key == key)
    changed = rewrite_property(text, key, "changed")
    assert values(rewrite_property(changed, key, entry.raw)) == values(text)


@given(ANY_TEXT)
def test_a_written_value_means_itself_to_every_reader(value):
    written = write_value(value)
    assert written.isascii()
    assert "{{" not in written
    assert unescape(written) == value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", ("plain",)),
        ("", ()),
        ("${env:V}", (Reference("${env:V}", "V", is_template=False),)),
        ("jdbc\\:x//${env:V:-d}/db", ("jdbc:x//", Reference("${env:V:-d}", "V", is_template=False), "/db")),
        ("$${env:V} and $", ("${env:V} and $",)),
        ("${sys:v}", (Reference("${sys:v}", "", is_template=False),)),
        ('a{{ default .Env.V "" }}', ("a", Reference('{{ default .Env.V "" }}', "V", is_template=True))),
        ("{{ if .Env.V }}", (Reference("{{ if .Env.V }}", "", is_template=True),)),
        ("{\\{ .Env.V }}", ("{{ .Env.V }}",)),
    ],
)
def test_a_value_is_split_into_texts_and_placeholders(raw, expected):
    assert split_value(raw) == expected


def test_braces_that_are_escaped_are_no_template():
    assert resolve("{\\{ .Env.V }}", {"V": "x"}) == "{{ .Env.V }}"
