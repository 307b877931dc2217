"""Reads the properties file of a Scalar product: rendering of `.tmpl` files, Java's properties syntax, `${env:...}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

Properties = dict[str, str]

# The only actions that the charts' templates use.
_ACTION = re.compile(r'^(?:default\s+\.Env\.(?P<with_default>\w+)\s+"(?P<default>[^"]*)"|\.Env\.(?P<plain>\w+))$')
_PLACEHOLDER = re.compile(r"\$\{env:(?P<name>[^}:]+)(?::-(?P<default>[^}]*))?\}")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class PropertiesError(ValueError):
    """The file cannot be read as the product would read it."""


def load(root: Path, mounted_at: tuple[str, ...], environment: Mapping[str, str]) -> Properties:
    """The properties of a container whose file system begins at `root`.

    mounted_at: absolute paths inside the container; the first that exists is read. A path that ends in `.tmpl` is
    rendered first, as the image's entry point does. Raises PropertiesError.
    """
    for path in mounted_at:
        file = root / path.lstrip("/")
        if file.is_file():
            return read(file.read_text(encoding="utf-8"), environment, is_template=path.endswith(".tmpl"))
    raise PropertiesError(
        f"The container has no properties file: none of {', '.join(mounted_at)} exists below {root}. "
        "Probably the ConfigMap is not mounted, or under another key; compare the Deployment's volumeMounts."
    )


def read(text: str, environment: Mapping[str, str], *, is_template: bool = False) -> Properties:
    """The properties in the text of a file, every placeholder filled from `environment`. Raises PropertiesError."""
    if is_template:
        text = render_template(text, environment)
    return {key: substitute(value, environment) for key, value in parse(text).items()}


def render_template(text: str, environment: Mapping[str, str]) -> str:
    """Replaces `{{ default .Env.NAME "value" }}` and `{{ .Env.NAME }}`. Raises PropertiesError for any other action."""

    def replacement(match: re.Match[str]) -> str:
        action = _ACTION.match(match[1].strip())
        if action is None:
            raise PropertiesError(
                f'The template action {match[0]!r} is not supported: write {{{{ default .Env.NAME "value" }}}}.'
            )
        if action["with_default"]:
            return environment.get(action["with_default"], action["default"])
        return environment.get(action["plain"], "<no value>")

    return re.sub(r"\{\{(.*?)\}\}", replacement, text)


def substitute(value: str, environment: Mapping[str, str]) -> str:
    """Replaces `${env:NAME}` and `${env:NAME:-default}`; without a value or default the placeholder stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        return environment.get(match["name"], match[0] if match["default"] is None else match["default"])

    return _PLACEHOLDER.sub(replacement, value)


def parse(text: str) -> Properties:
    """`java.util.Properties.load`: comments, continuation lines, the separators `=`, `:` and blank, and escapes."""
    properties: Properties = {}
    for line in _logical_lines(text):
        key, value = _split(line)
        properties[_unescape(key)] = _unescape(value)
    return properties


def _logical_lines(text: str) -> Iterator[str]:
    pending = ""
    for natural_line in re.split(r"\r\n|\n|\r", text):
        line = natural_line.lstrip(" \t\f")
        if not pending and (not line or line[0] in "#!"):
            continue
        line = pending + line
        if _ends_in_continuation(line):
            pending = line[:-1]
            continue
        pending = ""
        yield line
    if pending:
        yield pending


def _ends_in_continuation(line: str) -> bool:
    backslashes = len(line) - len(line.rstrip("\\"))
    return backslashes % 2 == 1


def _split(line: str) -> tuple[str, str]:
    match = re.match(r"((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)", line, re.DOTALL)
    if match is None:
        raise PropertiesError(f"Cannot read the properties line {line!r}.")
    return match[1], match[2]


def _unescape(text: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match["unicode"]:
            return chr(int(match["unicode"], 16))
        escaped = match["character"]
        if escaped == "u":
            raise PropertiesError(f"Malformed \\uxxxx escape in {text!r}: four hexadecimal digits must follow.")
        return _ESCAPES.get(escaped, escaped)

    return re.sub(r"\\(?:u(?P<unicode>[0-9a-fA-F]{4})|(?P<character>.))", replacement, text, flags=re.DOTALL)
