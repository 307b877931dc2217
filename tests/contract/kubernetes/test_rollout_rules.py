"""How a Deployment's replicas move from the old to the new template: no limit is ever broken, and it always ends."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from infra.sandbox.cluster.controllers.rollout import has_template, must_be_available, template_hash, wanted_replicas

Sets = dict[str, dict[str, Any]]


def _deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> dict[str, Any]:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}}


def _replica_set(name: str, replicas: int, available: int = 0) -> dict[str, Any]:
    status = {"replicas": replicas, "availableReplicas": available}
    return {"metadata": {"name": name}, "spec": {"replicas": replicas}, "status": status}


@given(
    replicas=st.integers(0, 12),
    surge=st.integers(0, 4) | st.sampled_from(["0%", "25%", "100%"]),
    unavailable=st.integers(0, 4) | st.sampled_from(["0%", "25%", "100%"]),
    old=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=3),
)
def test_every_rollout_ends_within_its_limits(
    replicas: int, surge: int | str, unavailable: int | str, old: list[tuple[int, bool]]
) -> None:
    deployment = _deployment(replicas, surge, unavailable)
    new = _replica_set("new", 0)
    olds = [_replica_set(f"old{at}", count, count if works else 0) for at, (count, works) in enumerate(old)]
    minimum = must_be_available(deployment)
    for _ in range(100):
        available_before = sum(each["status"]["availableReplicas"] for each in [new, *olds])
        total_before = sum(each["spec"]["replicas"] for each in [new, *olds])
        wanted = wanted_replicas(deployment, new, olds)
        _check_step(deployment, wanted, total_before)
        if wanted == {each["metadata"]["name"]: each["spec"]["replicas"] for each in [new, *olds]} and _is_up(new):
            break
        _apply(wanted, new, olds)
        available = sum(each["status"]["availableReplicas"] for each in [new, *olds])
        assert available >= min(minimum, available_before)
        _become_available(new)
    assert new["spec"]["replicas"] == replicas
    assert [each["spec"]["replicas"] for each in olds] == [0] * len(olds)


def _check_step(deployment: dict[str, Any], wanted: dict[str, int], total_before: int) -> None:
    surge = wanted_limit(deployment)
    assert all(count >= 0 for count in wanted.values())
    assert sum(wanted.values()) <= max(surge, total_before)


def wanted_limit(deployment: dict[str, Any]) -> int:
    """desired + maxSurge, with the percentage rounded up."""
    surge, desired = deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"], deployment["spec"]["replicas"]
    return desired + (surge if isinstance(surge, int) else -(-int(surge[:-1]) * desired // 100))


def _apply(wanted: dict[str, int], new: dict[str, Any], olds: list[dict[str, Any]]) -> None:
    for each in [new, *olds]:
        count = wanted[each["metadata"]["name"]]
        each["spec"]["replicas"] = each["status"]["replicas"] = count
        each["status"]["availableReplicas"] = min(count, each["status"]["availableReplicas"])


def _become_available(new: dict[str, Any]) -> None:
    new["status"]["availableReplicas"] = new["spec"]["replicas"]


def _is_up(new: dict[str, Any]) -> bool:
    return bool(new["status"]["availableReplicas"] == new["spec"]["replicas"])


def test_recreate_stops_every_old_pod_before_it_starts_a_new_one() -> None:
    deployment = {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}
    new, old = _replica_set("new", 0), _replica_set("old", 3, 3)
    assert wanted_replicas(deployment, new, [old]) == {"new": 0, "old": 0}
    old["spec"]["replicas"] = 0
    assert wanted_replicas(deployment, new, [old]) == {"new": 0, "old": 0}
    old["status"]["replicas"] = 0
    assert wanted_replicas(deployment, new, [old]) == {"new": 3, "old": 0}


def test_a_broken_old_pod_goes_before_one_that_serves() -> None:
    deployment = _deployment(4, surge=0, unavailable=1)
    broken, serving = _replica_set("broken", 1, 0), _replica_set("serving", 3, 3)
    assert wanted_replicas(deployment, _replica_set("new", 0), [broken, serving]) == {
        "new": 0,
        "broken": 0,
        "serving": 3,
    }


def test_scaling_to_zero_takes_every_replica_at_once() -> None:
    assert wanted_replicas(_deployment(0), _replica_set("new", 3, 3), [_replica_set("old", 1, 1)]) == {"new": 0, "old": 0}


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3)), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_different_templates_have_different_hashes(one: dict[str, str], other: dict[str, str]) -> None:
    assume(one != other)
    assert template_hash(one) != template_hash(other)


def test_the_hash_label_does_not_make_a_template_another() -> None:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {}}
    labelled = {"metadata": {"labels": {"app": "x", "pod-template-hash": "abc"}}, "spec": {}}
    assert has_template({"spec": {"template": labelled}}, template)
