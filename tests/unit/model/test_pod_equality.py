"""Which differences between two looks at the pods void a window, and which say nothing about the pause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.plan import EksCluster, Release
from shared.model.pods import (
    MOST_NAMED,
    ContainerState,
    DeploymentState,
    PodEvent,
    PodEventType,
    PodState,
    ReleaseSnapshot,
    WatchReport,
    benign_changes,
    compare,
    judge_events,
    unfit,
)
from shared.model.records import replace

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 3, 0, 9, tzinfo=UTC)
RELEASE = Release(cluster=EksCluster(name="prod", region="ap-northeast-1"), namespace="scalar", helm_release="orders")
WHERE = "ap-northeast-1/prod/scalar/orders"


def container(name: str = "ledger", **changes: Any) -> ContainerState:
    return replace(ContainerState(name=name, id=f"containerd://{name}-1", restarts=0, started_at=START), **changes)


def pod(number: int = 0, **changes: Any) -> PodState:
    made = PodState(
        name=f"orders-{number}",
        uid=f"uid-{number}",
        ip=f"10.0.0.{number}",
        node="node-a",
        template_hash="7d9f",
        phase="Running",
        ready=True,
        containers=(container("wait-for-schema"), container()),
        resource_version="100",
    )
    return replace(made, **changes)


def deployment(**changes: Any) -> DeploymentState:
    made = DeploymentState(
        name="orders",
        uid="uid-d",
        generation=4,
        observed_generation=4,
        replicas=3,
        updated_replicas=3,
        ready_replicas=3,
        spec_digest="digest",
        resource_version="90",
    )
    return replace(made, **changes)


def snapshot(*pods: PodState, of: DeploymentState | None = None) -> ReleaseSnapshot:
    return ReleaseSnapshot(
        release=RELEASE,
        product="scalardl-ledger",
        deployment=of or deployment(),
        pods=pods or (pod(0), pod(1), pod(2)),
        targets=(),
        resource_version="100",
        taken_at=START,
    )


def report(*events: PodEvent, broken: str = "") -> WatchReport:
    return WatchReport(events=events, positions={WHERE: "200"}, broken=broken)


def event(kind: PodEventType, seen: PodState) -> PodEvent:
    return PodEvent(release=WHERE, type=kind, pod=seen)


def codes(changes: tuple[Any, ...]) -> list[str]:
    return [change.code for change in changes]


meaningless = st.fixed_dictionaries(
    {},
    optional={
        "ready": st.booleans(),
        "resource_version": st.integers(0, 999).map(str),
        "phase": st.sampled_from(["Running", "Unknown"]),
    },
)


@settings(deadline=None)
@given(first=meaningless, second=meaningless, order=st.permutations([0, 1, 2]))
def test_a_changed_annotation_a_readiness_flap_and_the_order_of_pods_are_no_change(
    first: dict[str, Any], second: dict[str, Any], order: list[int]
) -> None:
    after = [pod(0, **first), pod(1, **second), pod(2)]
    flapped = deployment(resource_version="120", ready_replicas=1)
    assert compare(snapshot(), snapshot(*(after[index] for index in order), of=flapped)) == ()
    assert judge_events([snapshot()], report(*(event(PodEventType.MODIFIED, seen) for seen in after))) == ()


def test_an_annotation_on_the_deployment_moves_its_generation_and_is_no_change() -> None:
    assert compare(snapshot(), snapshot(of=deployment(generation=5, observed_generation=5, resource_version="91"))) == ()


def restarted(name: str = "ledger", **changes: Any) -> tuple[ContainerState, ...]:
    changed = changes or {"id": "containerd://2", "restarts": 1, "started_at": LATER}
    return tuple(replace(one, **changed) if one.name == name else one for one in pod().containers)


REAL_CHANGES = [
    ("pod-replaced", {"uid": "uid-new", "ip": "10.0.0.9", "containers": restarted()}),
    ("pod-deleting", {"deleting": True}),
    ("pod-moved", {"ip": "10.0.0.9"}),
    ("pod-moved", {"node": "node-b"}),
    ("pod-moved", {"template_hash": "8e0a"}),
    ("container-restarted", {"containers": restarted()}),
    ("container-restarted", {"containers": restarted("wait-for-schema")}),
    ("container-restarted", {"containers": restarted(id="containerd://2")}),
    ("container-restarted", {"containers": restarted(restarts=1)}),
    ("container-restarted", {"containers": restarted(started_at=LATER)}),
    ("container-restarted", {"containers": pod().containers[:1]}),
    ("pod-changed", {"containers": (*pod().containers, container("debugger"))}),
]


@pytest.mark.parametrize(("code", "changes"), REAL_CHANGES)
def test_each_real_change_of_a_pod_is_one_change_that_names_the_pod(code: str, changes: dict[str, Any]) -> None:
    found = compare(snapshot(), snapshot(pod(0), pod(1, **changes), pod(2)))
    assert codes(found) == [code]
    assert found[0].detail.startswith(f"{WHERE}: ")
    assert "orders-1" in found[0].detail


@pytest.mark.parametrize(
    ("code", "changes"), [("pod-added" if code == "pod-replaced" else code, changes) for code, changes in REAL_CHANGES]
)
def test_a_watch_sees_the_same_changes_as_they_happen_and_tells_each_once(code: str, changes: dict[str, Any]) -> None:
    seen = event(PodEventType.MODIFIED, pod(1, **changes))
    assert codes(judge_events([snapshot()], report(seen, seen))) == [code]


def test_a_pod_that_is_gone_and_one_that_is_new_are_a_change_each() -> None:
    assert codes(compare(snapshot(), snapshot(pod(0), pod(1), pod(3)))) == ["pod-removed", "pod-added"]


def test_two_containers_that_restarted_are_two_changes() -> None:
    both = tuple(replace(one, restarts=1) for one in pod().containers)
    assert codes(compare(snapshot(pod()), snapshot(pod(containers=both)))) == ["container-restarted"] * 2


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("deployment-replaced", {"uid": "uid-other", "spec_digest": "other"}),
        ("deployment-changed", {"spec_digest": "other", "generation": 5}),
        ("rollout", {"generation": 5}),
    ],
)
def test_each_change_of_the_deployment_is_one_change(code: str, changes: dict[str, Any]) -> None:
    assert codes(compare(snapshot(), snapshot(of=deployment(**changes)))) == [code]


def test_a_pod_that_came_and_went_between_two_equal_snapshots_is_seen_by_the_watch() -> None:
    stranger = pod(7)
    seen = report(event(PodEventType.ADDED, stranger), event(PodEventType.DELETED, stranger))
    assert compare(snapshot(), snapshot()) == ()
    assert codes(judge_events([snapshot()], seen)) == ["pod-added", "pod-removed"]


def test_a_watch_that_broke_is_a_change_however_quiet_it_was() -> None:
    found = judge_events([snapshot()], report(broken="history expired"))
    assert codes(found) == ["watch-broken"]
    assert "history expired" in found[0].detail


def test_a_quiet_watch_is_no_change() -> None:
    assert judge_events([snapshot()], report(event(PodEventType.ADDED, pod(1)))) == ()


def test_pods_that_run_and_are_ready_are_fit() -> None:
    assert unfit(snapshot()) == ()


@pytest.mark.parametrize(
    ("code", "text", "changes"),
    [
        ("pod-deleting", "is being deleted", {"deleting": True, "ready": False}),
        (
            "pod-not-running",
            "container ledger is waiting (CrashLoopBackOff)",
            {"containers": (container(waiting="CrashLoopBackOff"),), "ready": False},
        ),
        ("pod-not-running", "is Pending, not Running", {"phase": "Pending", "ip": "", "ready": False}),
        ("pod-not-running", "is Pending, not Running", {"phase": ""}),
        ("pod-not-running", "is Failed, not Running", {"phase": "Failed"}),
        ("pod-not-ready", "is not Ready", {"ready": False}),
        ("pod-without-address", "has no IP address", {"ip": ""}),
    ],
)
def test_a_pod_that_cannot_be_paused_is_named_with_one_reason(code: str, text: str, changes: dict[str, Any]) -> None:
    (found,) = unfit(snapshot(pod(0), pod(1, **changes), pod(2)))
    assert found.code == code
    assert "pod orders-1" in found.detail
    assert text in found.detail


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("rollout", {"generation": 5}),
        ("rollout", {"updated_replicas": 2}),
        ("replicas", {"replicas": 4, "updated_replicas": 4}),
    ],
)
def test_a_deployment_that_is_not_at_rest_is_unfit(code: str, changes: dict[str, Any]) -> None:
    assert codes(unfit(snapshot(of=deployment(**changes)))) == [code]


def test_a_release_without_pods_is_unfit() -> None:
    empty = replace(snapshot(), pods=(), deployment=deployment(replicas=0, updated_replicas=0))
    assert codes(unfit(empty)) == ["no-pods"]


def test_what_was_written_to_without_a_change_is_noted_and_never_silent() -> None:
    after = snapshot(pod(0), pod(1, resource_version="999"), pod(2), of=deployment(resource_version="91"))
    (note,) = benign_changes(snapshot(), after)
    assert note.endswith(f"same processes: Deployment {deployment().name}, pod {pod(1).name}.")
    assert benign_changes(snapshot(), snapshot()) == ()


def test_a_note_about_a_thousand_pods_names_ten() -> None:
    pods = [pod(number) for number in range(1000)]
    (note,) = benign_changes(snapshot(*pods), snapshot(*(pod(number, resource_version="new") for number in range(1000))))
    assert note.endswith(f"and {1000 - MOST_NAMED} more.")


def test_in_strict_mode_every_write_is_a_change() -> None:
    after = snapshot(pod(0), pod(1, resource_version="999"), pod(2))
    assert compare(snapshot(), after) == ()
    assert codes(compare(snapshot(), after, strict=True)) == ["resource-version"]
    assert compare(snapshot(), snapshot(), strict=True) == ()


def test_pods_without_a_deployment_are_compared_alone() -> None:
    alone = replace(snapshot(), deployment=None)
    assert unfit(alone) == ()
    assert compare(alone, alone) == ()
    assert codes(compare(alone, replace(snapshot(pod(0), pod(1)), deployment=None))) == ["pod-removed"]
