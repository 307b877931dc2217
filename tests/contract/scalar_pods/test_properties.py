"""A properties file is read as the product and its image's entry point read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.pods.properties import PropertiesError, load, parse, render_template, substitute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", {"a": "b"}),
        ("a = b ", {"a": "b "}),
        ("a:b", {"a": "b"}),
        ("a b", {"a": "b"}),
        ("a\t=\tb", {"a": "b"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("  # comment\n! comment\n\na=1", {"a": "1"}),
        ("a=http\\://h\\:1/x\\=y", {"a": "http://h:1/x=y"}),
        ("a=http://h:1/x=y", {"a": "http://h:1/x=y"}),
        ("a\\ b\\=c=d", {"a b=c": "d"}),
        ("a=one,\\\n   two", {"a": "one,two"}),
        ("a=ends in a backslash\\\\\nb=2", {"a": "ends in a backslash\\", "b": "2"}),
        ("a=1\\\n#no comment", {"a": "1#no comment"}),
        ("a=\\u30c6\\t\\q", {"a": "テ\tq"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=last line\\", {"a": "last line"}),
    ],
)
def test_javas_syntax(text: str, expected: dict[str, str]) -> None:
    assert parse(text) == expected


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_whatever_java_would_store_is_read_back(properties: dict[str, str]) -> None:
    text = "\n".join(f"{_escape(key)}={_escape(value)}" for key, value in properties.items())
    assert parse(text) == properties


def test_a_broken_unicode_escape_is_refused() -> None:
    with pytest.raises(PropertiesError, match="four hexadecimal digits"):
        parse("a=\\u12")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ default .Env.SET "x" }}', "value"),
        ('{{ default .Env.EMPTY "x" }}', ""),
        ('{{ default .Env.UNSET "x" }}', "x"),
        ('{{default .Env.UNSET ""}}', ""),
        ("{{ .Env.SET }}", "value"),
        ("{{ .Env.UNSET }}", "<no value>"),
        ("nothing to do", "nothing to do"),
    ],
)
def test_template_actions_take_the_environment_or_the_default(text: str, expected: str) -> None:
    assert render_template(text, {"SET": "value", "EMPTY": ""}) == expected


def test_an_unknown_template_action_is_refused_by_name() -> None:
    with pytest.raises(PropertiesError, match=r"\{\{ if \.Env\.A \}\}"):
        render_template("{{ if .Env.A }}", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:SET}", "value"),
        ("${env:SET:-x}", "value"),
        ("${env:UNSET:-x}", "x"),
        ("${env:UNSET:-}", ""),
        ("${env:UNSET:-http://h:1}", "http://h:1"),
        ("${env:UNSET}", "${env:UNSET}"),
        ("${other:SET}", "${other:SET}"),
        ("a${env:SET}b${env:SET}", "avaluebvalue"),
    ],
)
def test_placeholders_take_the_environment_or_the_default(text: str, expected: str) -> None:
    assert substitute(text, {"SET": "value"}) == expected


def test_only_a_tmpl_file_is_rendered_and_the_first_that_exists_counts(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    paths = ("/conf/a.properties.tmpl", "/conf/a.properties")
    (tmp_path / "conf/a.properties").write_text('plain={{ default .Env.V "x" }}')
    assert load(tmp_path, paths, {}) == {"plain": '{{ default .Env.V "x" }}'}
    (tmp_path / "conf/a.properties.tmpl").write_text('rendered={{ default .Env.V "x" }}/${env:W:-y}')
    assert load(tmp_path, paths, {"V": "v"}) == {"rendered": "v/y"}


def test_a_missing_file_is_told_with_all_the_places_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PropertiesError, match=r"/a\.tmpl, /a .*volumeMounts"):
        load(tmp_path, ("/a.tmpl", "/a"), {})


def _escape(text: str) -> str:
    """As `java.util.Properties.store` writes: everything but letters and digits by its UTF-16 code units or a backslash."""
    return "".join(character if character.isascii() and character.isalnum() else _unit(character) for character in text)


def _unit(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\{character}"
