"""A restore plan as a person reads it in a console: what will happen, what it costs, and the payload that confirms it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model.checks import CheckResult, CheckStatus
from shared.model.durations import format_duration
from shared.model.restore import DatabaseForecast, RestorePlan, Target
from shared.model.times import iso
from shared.steps.request import Answer
from shared.steps.restore.plan import restore_run_id

_MINUTE = 60


def describe(plan: RestorePlan) -> Answer:
    """The answer to a request that confirms nothing. `ok` is false when a check failed: then there is no `confirm_with`."""
    checks = all_checks(plan)
    problems = [_sentence(item) for item in checks if item.status is CheckStatus.FAILED]
    answer: Answer = {
        "what": _headline(plan),
        "plan": plan.request.plan,
        "plan_id": plan.id,
        "restore_point": plan.point,
        "at": iso(plan.at) if plan.at else None,
        "target": plan.request.target.value,
        "ok": not problems,
        "problems": problems,
        "outage": _outage(plan),
        "databases": {item.database: _database(item) for item in plan.databases},
        "releases": dict(plan.releases),
        "keep_old": _kept(plan),
        "risks": _risks(plan),
        "checks": [_sentence(item) for item in checks if item.status is not CheckStatus.FAILED],
    }
    if problems:
        return answer | {"next": "Mend what `problems` names, then ask again. Nothing was changed."}
    return answer | {
        "confirm_with": confirm_payload(plan),
        "next": "Nothing was changed. To carry this out, send `confirm_with` as it stands.",
        "run": restore_run_id(plan),
    }


def confirm_payload(plan: RestorePlan) -> dict[str, str]:
    action = "undo" if plan.undo_of else "restore"
    payload = {"action": action, "plan": plan.request.plan, "plan_id": plan.id, "confirm": plan.confirm}
    return payload | ({"run": plan.undo_of} if plan.undo_of else {})


def all_checks(plan: RestorePlan) -> tuple[CheckResult, ...]:
    return (*plan.checks, *(check for item in plan.databases for check in item.checks))


def _headline(plan: RestorePlan) -> str:
    names = ", ".join(item.database for item in plan.databases)
    if plan.undo_of:
        return f"A plan, nothing more: undo of restore {plan.undo_of} in {names}, back to what was there before it."
    to = f"restore point {plan.point} ({iso(plan.at)})" if plan.point and plan.at else iso(plan.at) if plan.at else ""
    where = "beside the live databases" if plan.request.target is Target.SIDE_BY_SIDE else "in place"
    return f"A plan, nothing more: restore of {names} to {to}, {where}."


def _database(forecast: DatabaseForecast) -> Mapping[str, Any]:
    described: dict[str, Any] = {
        "from": forecast.source,
        "steps": list(forecast.steps),
        "loses": list(forecast.loses),
        "puts_back": list(forecast.puts_back),
        "gone_for_good": list(forecast.gone_for_good),
        "keeps": list(forecast.keeps),
        "takes": f"about {duration(forecast.estimate_seconds)}" if forecast.estimate_seconds else "",
        "takes_because": forecast.estimate_basis,
        "restorable_from": iso(forecast.restorable_from) if forecast.restorable_from else "",
        "restorable_until": iso(forecast.restorable_until) if forecast.restorable_until else "",
        "ready_at": iso(forecast.ready_at) if forecast.ready_at else "",
    }
    return {key: value for key, value in described.items() if value}


def _outage(plan: RestorePlan) -> str:
    if plan.request.target is Target.SIDE_BY_SIDE:
        return "none: the application is not touched"
    longest = max(plan.databases, key=lambda item: item.estimate_seconds, default=None)
    because = f"; {longest.database} takes longest" if longest and longest.estimate_seconds else ""
    return f"about {duration(plan.outage_seconds)}, an estimate and no promise{because}"


def _kept(plan: RestorePlan) -> str:
    kept = format_duration(plan.request.keep_old_seconds)
    if plan.request.target is Target.SIDE_BY_SIDE:
        return f"{kept}: after that the restored copies are deleted; whoever needs them longer makes copies of their own"
    return f"{kept}: until then this can be undone; after that the old copies are deleted"


def _risks(plan: RestorePlan) -> list[str]:
    risks = []
    if plan.at and not plan.point and "inconsistent-time" in plan.request.unsafe:
        risks.append(
            f"{iso(plan.at)} is no restore point: transactions that were under way then come back in halves, in some databases "
            "or tables and not in others. Nothing will find or repair them by itself."
        )
    if "partial" in plan.request.unsafe and plan.request.databases:
        risks.append(
            "Only some databases of the plan go back; the others stay as they are. Transactions that touched both are in one "
            "and not in the other from then on, and ScalarDB's coordinator table may not know them."
        )
    return risks


def _sentence(check: CheckResult) -> str:
    mark = "" if check.status is CheckStatus.FAILED else f"{check.status.value}: "
    return f"{mark}{check.subject}: {check.detail or check.name} {check.hint}".strip()


def duration(seconds: float) -> str:
    """For people: `40 s`, `25 min`, `1 h 20 min`."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)
