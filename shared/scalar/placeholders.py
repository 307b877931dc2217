"""Values that come from a pod's environment: `${env:V}`, which the servers replace themselves, and `{{ .Env.V }}`, which is
rendered when a container starts. What cannot be resolved stays visible as `unresolved(…)` instead of looking like a value.

Sources: ScalarDB's `ConfigUtils` (a StringSubstitutor that knows env, sys and file); the templates in Scalar's Helm charts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from shared.scalar.java_properties import escape_value, unescape

_PLACEHOLDER = re.compile(r"(?P<escape>\$)?\$\{(?P<kind>env|sys|file):(?P<name>[^}]*?)(?::-(?P<default>[^}]*))?\}")
_TEMPLATE = re.compile(r"\{\{-?\s*(?P<action>.*?)\s*-?\}\}")
_ENV_ACTION = re.compile(
    r"""(?:default\s+)?\.Env\.(?P<name>\w+)(?:\s+(?:"(?P<default>(?:[^"\\]|\\.)*)"|`(?P<raw>[^`]*)`))?""",
)


class Reference(NamedTuple):
    """A placeholder as it is written. `variable` is empty when its value does not come from the environment.

    `is_template`: rendered before Java reads the file, so Java unescapes what comes out of the variable.
    """

    text: str
    variable: str
    is_template: bool


def unresolved(placeholder: str) -> str:
    """The value of something that is not known here, in a form that nobody takes for a value."""
    return f"unresolved({placeholder})"


def resolve(raw: str, environment: Mapping[str, str]) -> str:
    """The value that a server sees for one written with Java's escapes and the placeholders of both dialects.

    A variable that `environment` does not have counts as unset: the placeholder's default applies. A variable that is set, but
    whose value is not known, is in `environment` as `unresolved(…)`.
    """
    rendered = _TEMPLATE.sub(lambda found: _render(found, environment), raw)
    return _PLACEHOLDER.sub(lambda found: _replace(found, environment), unescape(rendered))


def split_value(raw: str) -> tuple[str | Reference, ...]:
    """A written value as plain texts, unescaped, and the placeholders between them."""
    parts: list[str | Reference] = []
    for part in _split(raw):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part:
            parts.append(part)
    return tuple(parts)


def is_placeholder(value: str) -> bool:
    """A server would replace something in this value, wherever it came from."""
    return _PLACEHOLDER.search(value) is not None


def write_value(value: str) -> str:
    """A plain value as it stands in a properties file: with Java's escapes, and without the braces that begin a template."""
    return re.sub(r"\{(?=\{)", r"{\\", escape_value(value))


def _split(raw: str) -> Iterator[str | Reference]:
    position = 0
    for found in _TEMPLATE.finditer(raw):
        yield from _split_placeholders(unescape(raw[position : found.start()]))
        action = _ENV_ACTION.fullmatch(found["action"])
        yield Reference(found[0], action["name"] if action else "", is_template=True)
        position = found.end()
    yield from _split_placeholders(unescape(raw[position:]))


def _split_placeholders(text: str) -> Iterator[str | Reference]:
    position = 0
    for found in _PLACEHOLDER.finditer(text):
        yield text[position : found.start()]
        if found["escape"]:
            yield found[0][1:]
        else:
            yield Reference(found[0], found["name"] if found["kind"] == "env" else "", is_template=False)
        position = found.end()
    yield text[position:]


def _render(found: re.Match[str], environment: Mapping[str, str]) -> str:
    action = _ENV_ACTION.fullmatch(found["action"])
    if action is None:
        return unresolved(found[0])
    value = environment.get(action["name"])
    # `default` takes the empty string for unset, too.
    if not value:
        default = _of_go_string(action["default"]) if action["raw"] is None else action["raw"]
        return unresolved(found[0]) if default is None else default
    try:
        unescape(value)  # the text is rendered before Java reads it, so Java unescapes what came out of the environment
    except ValueError:
        return unresolved(found[0])
    return value


def _of_go_string(text: str | None) -> str | None:
    return None if text is None else re.sub(r'\\(["\\])', r"\1", text)


def _replace(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found["escape"]:
        return found[0][1:]
    value = environment.get(found["name"]) if found["kind"] == "env" else unresolved(found[0])
    if value is not None:
        return value
    return unresolved(found[0]) if found["default"] is None else found["default"]
