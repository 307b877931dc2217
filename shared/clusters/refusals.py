"""What an answer of the Kubernetes API that is not a success means for the caller: which error, in the server's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.model.errors import (
    BackupError,
    Forbidden,
    HistoryExpired,
    InvalidRequest,
    Misconfigured,
    Throttled,
    Unreachable,
)

MAX_TEXT = 256
"""A server's text is cut here: a proxy may answer with a whole page, and the message goes into logs and the catalog."""

NOT_KUBERNETES_HINT = "Something other than the Kubernetes API may be answering there: a proxy or a wrong endpoint."


class Refusal(NamedTuple):
    """`status` as HTTP has it, also when it arrived inside a stream. `retry_after_seconds` is None when none was asked for."""

    status: int
    sentence: str
    retry_after_seconds: float | None = None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`. The API server never writes its other form, a date."""
    text = headers.get("Retry-After") or ""
    return float(text) if text.isascii() and text.isdigit() else None


def refusal_of(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Reads the `Status` object of a refusal; a body that is none (a proxy's page) is quoted as text."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    sentence = document.get("message") if isinstance(document, dict) else None
    return Refusal(status, cut(sentence or body.decode(errors="replace") or "no text"), retry_after(headers))


def refusal_in_stream(status_object: Mapping[str, Any]) -> Refusal:
    """Reads the `Status` object of an ERROR event; one without a code counts as a failure of the server."""
    details = status_object.get("details") or {}
    code, seconds = status_object.get("code"), details.get("retryAfterSeconds")
    sentence = status_object.get("message") or status_object.get("reason") or "no text"
    return Refusal(
        code if isinstance(code, int) else 500,
        cut(str(sentence)),
        float(seconds) if isinstance(seconds, int) else None,
    )


def cut(text: str) -> str:
    """One line of at most `MAX_TEXT` characters, without a full stop, to stand inside a sentence."""
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def error_for(refusal: Refusal, where: str, what: str, sign_in_hint: str) -> BackupError:
    """The error to raise for `what` (such as "list pods in namespace scalar") at `where` (the cluster's name)."""
    status, sentence, seconds = refusal
    message = f"{where}: cannot {what}: {sentence} (HTTP {status})."
    match status:
        case 401:
            return Forbidden(
                f"{where}: cannot {what}: the cluster does not know who asks: {sentence} (401).", hint=sign_in_hint
            )
        case 403:
            return Forbidden(message, hint="Grant it with infra/kubernetes/rbac.yaml, bound in the release's namespace.")
        case 410:
            return HistoryExpired(message, hint="List again and watch from the new resourceVersion.")
        case 429:
            return Throttled(
                message,
                hint="The API server asks to slow down; the same call may succeed later.",
                retry_after_seconds=seconds if seconds is not None else 1.0,
            )
        case 400:
            return InvalidRequest(message, hint="Check the names of the namespace and the Helm release in the plan.")
        case 422:
            return InvalidRequest(message, hint="Nothing was changed: the API server checks an object before it writes it.")
        case _ if status >= 500:
            return Unreachable(
                message,
                hint="The cluster's control plane is failing or being updated; the same call may succeed later.",
                retry_after_seconds=seconds if seconds is not None else 1.0,
            )
        case _:
            return Misconfigured(message, hint=NOT_KUBERNETES_HINT)
