"""The two ways to a pod's Admin port, and the rule that chooses one for a release before anything is paused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.model.checks import CheckResult, failed, passed
from shared.model.records import Value

CHECK = "transport"
AUTO = "auto"
"""What a plan says that leaves the choice to `choose`."""


class Transport(StrEnum):
    DIRECT = "direct"
    """To the pod's own address."""
    PORT_FORWARD = "port-forward"
    """Through the cluster's API server, for pods whose addresses mean nothing outside their cluster."""

    @property
    def other(self) -> Transport:
        return Transport.PORT_FORWARD if self is Transport.DIRECT else Transport.DIRECT


class Reach(Value):
    """What came of trying one way on all pods of a release: `silent` says of each pod that did not answer why.

    `hint` is what to do about it, where the way itself is closed (a right is missing, say) and not only some pod.
    """

    answered: int
    silent: Mapping[str, str]
    hint: str = ""


def as_the_plan_says(release: str, wanted: Transport) -> CheckResult:
    """The result when nothing was left to choose."""
    return passed(CHECK, release, f"{wanted}, as the plan says")


def choose(release: str, direct: Reach, forwarded: Reach | None) -> tuple[Transport, CheckResult]:
    """The way for all pods of a release, and what to tell about it. `forwarded` is None when direct was good enough to not try.

    Direct wins unless more pods answer through the API server: a forward ends when the API server or the kubelet restarts, and
    pods that are paused at that moment stay so until one of the two ways works again.
    """
    if not direct.silent:
        return Transport.DIRECT, passed(CHECK, release, f"direct: {_pods(direct.answered)} at their own addresses")
    if forwarded is None:
        return Transport.DIRECT, failed(CHECK, release, f"{_silence('direct', direct)}.", direct.hint)
    if forwarded.answered <= direct.answered:
        both = f"{_silence('direct', direct)}; {_silence('port-forward', forwarded)}."
        return Transport.DIRECT, failed(CHECK, release, both, forwarded.hint or direct.hint)
    if forwarded.silent:
        both = f"{_silence('port-forward', forwarded)}; {_silence('direct', direct)}."
        return Transport.PORT_FORWARD, failed(CHECK, release, both, forwarded.hint or direct.hint)
    found = f"port-forward: {_pods(forwarded.answered)} through the API server, and {_silence('direct', direct)}"
    return Transport.PORT_FORWARD, passed(CHECK, release, found)


def _pods(count: int) -> str:
    return "1 pod answers" if count == 1 else f"{count} pods answer"


def _silence(way: str, reach: Reach) -> str:
    """One pod stands for all: a thousand pods behind one firewall have one reason."""
    total = reach.answered + len(reach.silent)
    pod, why = next(iter(reach.silent.items()))
    return f"{way} does not reach {len(reach.silent)} of {total} pods ({pod}: {why})"
