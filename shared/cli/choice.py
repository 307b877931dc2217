"""Which plan and which restore point a command means when it does not say: with one plan there is nothing to choose."""

from __future__ import annotations

from shared.model.errors import InvalidRequest, UnknownRun
from shared.model.run import plan_of_run
from shared.steps.ports import Catalog

LATEST = "latest"


def the_plan(catalog: Catalog, given: str | None) -> str:
    """The plan's name as given, or the only plan there is.

    Raises:
        InvalidRequest: none was given, and there is not exactly one.
        UnknownPlan: no plan of that name; the message names those that exist.
    """
    if given is not None:
        return catalog.plan(given).plan.name
    names = [stored.plan.name for stored in catalog.plans()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise InvalidRequest("There is no plan yet.", hint="Apply one: `scalar-backup plan apply plan.yaml`.")
    raise InvalidRequest("Say which plan you mean.", hint=f"There are: {', '.join(names)}.")


def the_point(catalog: Catalog, first: str | None, second: str | None) -> tuple[str, str]:
    """Plan and restore point from `[PLAN] [POINT]`: `latest` or a point's id may stand alone."""
    if second is not None:
        return the_plan(catalog, first), second
    if first is None or first == LATEST:
        return the_plan(catalog, None), LATEST
    try:
        return the_plan(catalog, plan_of_run(first)), first
    except UnknownRun:
        return the_plan(catalog, first), LATEST
