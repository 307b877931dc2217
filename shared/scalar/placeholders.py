"""Values that come from a pod's environment: `${env:V}`, which the servers replace themselves, and `{{ .Env.V }}`, which is
rendered when a container starts. What cannot be resolved stays visible as `unresolved(…)` instead of looking like a value.

Sources: ScalarDB's `ConfigUtils` (a StringSubstitutor that knows env, sys and file); the templates in Scalar's Helm charts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.scalar.java_properties import unescape

_PLACEHOLDER = re.compile(r"(?P<escape>\$)?\$\{(?P<kind>env|sys|file):(?P<name>[^}]*?)(?::-(?P<default>[^}]*))?\}")
_TEMPLATE = re.compile(r"\{\{-?\s*(?P<action>.*?)\s*-?\}\}")
_ENV_ACTION = re.compile(
    r"""(?:default\s+)?\.Env\.(?P<name>\w+)(?:\s+(?:"(?P<default>(?:[^"\\]|\\.)*)"|`(?P<raw>[^`]*)`))?""",
)


def unresolved(placeholder: str) -> str:
    """The value of something that is not known here, in a form that nobody takes for a value."""
    return f"unresolved({placeholder})"


def resolve(value: str, environment: Mapping[str, str]) -> str:
    """`value` with the placeholders of both dialects replaced.

    A variable that `environment` does not have counts as unset: the placeholder's default applies. A variable that is set, but
    whose value is not known, is in `environment` as `unresolved(…)`.
    """
    rendered = _TEMPLATE.sub(lambda found: _render(found, environment), value)
    return _PLACEHOLDER.sub(lambda found: _replace(found, environment), rendered)


def _render(found: re.Match[str], environment: Mapping[str, str]) -> str:
    action = _ENV_ACTION.fullmatch(found["action"])
    if action is None:
        return unresolved(found[0])
    value = environment.get(action["name"])
    # `default` takes the empty string for unset, too.
    if not value:
        default = action["default"] if action["raw"] is None else action["raw"]
        return unresolved(found[0]) if default is None else default
    try:
        # The text is rendered before Java reads it, so Java unescapes what came out of the environment.
        return unescape(value)
    except ValueError:
        return unresolved(found[0])


def _replace(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found["escape"]:
        return found[0][1:]
    value = environment.get(found["name"]) if found["kind"] == "env" else unresolved(found[0])
    if value is not None:
        return value
    return unresolved(found[0]) if found["default"] is None else found["default"]
