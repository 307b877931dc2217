"""Named checks with hints: what `check` found, in the form that the log, the catalog and the command line show."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from shared.model.records import Value


class CheckStatus(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Worth knowing, never a reason to refuse a backup."""
    FAILED = "failed"


class CheckResult(Value):
    """One check: `name` is stable and meant for machines, `subject` says what was looked at, `detail` what was seen,
    `hint` what to do. A passed check may carry a detail too: it shows the limit and the actual value."""

    name: str
    subject: str
    status: CheckStatus
    detail: str = ""
    hint: str = ""


def passed(name: str, subject: str, detail: str = "") -> CheckResult:
    return CheckResult(name=name, subject=subject, status=CheckStatus.OK, detail=detail)


def warned(name: str, subject: str, detail: str, hint: str = "") -> CheckResult:
    return CheckResult(name=name, subject=subject, status=CheckStatus.WARNING, detail=detail, hint=hint)


def failed(name: str, subject: str, detail: str, hint: str) -> CheckResult:
    return CheckResult(name=name, subject=subject, status=CheckStatus.FAILED, detail=detail, hint=hint)


def failures(results: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    return tuple(result for result in results if result.status is CheckStatus.FAILED)


def summary(results: Iterable[CheckResult]) -> str:
    """All failures in one paragraph, for an error message."""
    return " ".join(f"{result.subject}: {result.detail} {result.hint}".strip() for result in failures(results))
