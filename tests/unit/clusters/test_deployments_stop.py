"""Stopping a Deployment: what is stored first, what is waited for, and who is not fought."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.clusters.deployments import LOST_POLL_SECONDS, REPLICAS_ANNOTATION, advance_stop
from shared.model.errors import Conflict, Forbidden, NotReady
from shared.model.records import from_record, to_record
from shared.model.stop_start import StopProgress
from tests.unit.clusters.one_deployment import NAME, NAMESPACE, NOW, OneDeployment, at, pod


def stop(cluster: OneDeployment, previous: StopProgress | None = None, now=NOW) -> StopProgress:
    """Through the record, as between two calls of an engine."""
    stored = from_record(to_record(previous), StopProgress) if previous else None
    return advance_stop(cluster, NAMESPACE, NAME, now, stored)  # type: ignore[arg-type]


def asked_to_stop(cluster: OneDeployment) -> StopProgress:
    return stop(cluster, stop(cluster))


def stopped(cluster: OneDeployment) -> StopProgress:
    progress = asked_to_stop(cluster)
    cluster.controllers_catch_up()
    cluster.pods_end()
    progress = stop(cluster, progress)
    assert progress.done
    return progress


def test_the_first_look_returns_the_number_and_changes_nothing() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stop(cluster)
    assert (progress.replicas_before, progress.asked, progress.done) == (3, False, False)
    assert cluster.writes == []


def test_the_second_look_notes_the_number_on_the_deployment_and_then_scales_to_zero() -> None:
    cluster = OneDeployment(replicas=3)
    progress = asked_to_stop(cluster)
    assert progress.asked
    assert cluster.writes == [(REPLICAS_ANNOTATION, "3"), ("replicas", 0)]


def test_pods_that_are_ending_are_waited_for_although_the_status_says_zero() -> None:
    cluster = OneDeployment(replicas=2)
    progress = asked_to_stop(cluster)
    cluster.controllers_catch_up()
    assert cluster.deployment["status"]["replicas"] == 0
    progress = stop(cluster, progress)
    assert not progress.done
    assert [left.name for left in progress.pods_left] == ["orders-0", "orders-1"]
    assert "orders-0 is ending, at the latest at 2026-11-24T03:01:30Z" in progress.message
    cluster.pods_end()
    assert stop(cluster, progress).done


def test_no_pods_are_not_enough_while_the_controller_may_still_make_one() -> None:
    cluster = OneDeployment(replicas=1)
    progress = asked_to_stop(cluster)
    cluster.pods.clear()
    progress = stop(cluster, progress)
    assert not progress.done
    assert "has not taken note" in progress.message
    cluster.controllers_catch_up()
    assert stop(cluster, progress).done


def test_a_replica_set_that_still_wants_pods_keeps_the_stop_open() -> None:
    cluster = OneDeployment(replicas=1)
    progress = asked_to_stop(cluster)
    cluster.pods.clear()
    cluster.deployment["status"]["observedGeneration"] = cluster.deployment["metadata"]["generation"]
    assert not stop(cluster, progress).done


def test_a_pod_whose_node_does_not_answer_is_named_and_never_deleted() -> None:
    cluster = OneDeployment(replicas=2)
    progress = asked_to_stop(cluster)
    cluster.controllers_catch_up()
    cluster.pods.pop()
    late = stop(cluster, progress, now=NOW + timedelta(seconds=90 + 61))
    (lost,) = late.pods_left
    assert (lost.name, lost.node, lost.is_lost) == ("orders-0", "node-1", True)
    assert "out-of-service" in late.message
    assert late.wait_seconds == LOST_POLL_SECONDS
    assert cluster.writes[-1] == ("replicas", 0)


@pytest.mark.parametrize(
    "status",
    [{"reason": "NodeLost"}, {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}],
    ids=["old", "new"],
)
def test_a_pod_that_the_node_controller_has_given_up_is_lost_before_its_grace_period_is_over(status: dict) -> None:
    cluster = OneDeployment(replicas=1)
    progress = asked_to_stop(cluster)
    cluster.controllers_catch_up()
    cluster.pods[0]["status"].update(status)
    assert stop(cluster, progress).pods_left[0].is_lost


def test_a_pod_that_was_evicted_long_ago_does_not_hold_the_stop_up() -> None:
    cluster = OneDeployment(replicas=1)
    progress = asked_to_stop(cluster)
    cluster.controllers_catch_up()
    cluster.pods = [pod("orders-evicted", phase="Failed", reason="Evicted")]
    assert stop(cluster, progress).done


def test_a_stranger_with_the_labels_of_the_release_is_named() -> None:
    cluster = OneDeployment(replicas=0)
    cluster.pods = [pod("by-hand", owner="")]
    (left,) = asked_to_stop(cluster).pods_left
    assert "not the Deployment's" in left.reason


def test_whoever_scales_it_up_again_is_named_and_not_fought() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stopped(cluster)
    cluster.set_replicas(2, by="argocd-controller", time="2026-11-24T03:05:00Z")
    writes = list(cluster.writes)
    with pytest.raises(Conflict, match=r"is at 2 again; .* argocd-controller at 2026-11-24T03:05:00Z") as caught:
        stop(cluster, progress)
    assert "Suspend" in caught.value.hint
    assert "--replicas=0" in caught.value.hint, "what to do before a halted restore goes on"
    assert cluster.writes == writes


def test_where_the_server_records_no_writer_the_conflict_says_so() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stopped(cluster)
    cluster.set_replicas(2)
    with pytest.raises(Conflict, match="does not record by whom"):
        stop(cluster, progress)


def test_a_number_that_changes_before_the_stop_is_noted_anew() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stop(cluster)
    cluster.set_replicas(5, by="kube-controller-manager")
    progress = stop(cluster, progress)
    assert (progress.replicas_before, cluster.writes) == (5, [])
    stop(cluster, progress)
    assert cluster.writes == [(REPLICAS_ANNOTATION, "5"), ("replicas", 0)]


def test_a_number_that_changes_between_the_look_and_the_stop_is_not_overwritten() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stop(cluster)
    cluster.before_patch = lambda: cluster.writes and cluster.set_replicas(5)
    progress = stop(cluster, progress)
    assert cluster.deployment["spec"]["replicas"] == 5
    assert "changed in the meantime" in progress.message
    cluster.before_patch = lambda: None
    assert stop(cluster, progress).replicas_before == 5


def test_a_call_that_died_after_scaling_is_taken_up_by_the_next_one() -> None:
    cluster = OneDeployment(replicas=3)
    noted = stop(cluster)
    stop(cluster, noted)
    cluster.controllers_catch_up()
    cluster.pods_end()
    progress = stop(cluster, noted)
    assert (progress.done, progress.replicas_before) == (True, 3)


def test_what_was_at_zero_is_done_without_a_write() -> None:
    cluster = OneDeployment(replicas=0)
    progress = asked_to_stop(cluster)
    assert (progress.done, progress.replicas_before, cluster.writes) == (True, 0, [])


def test_a_release_that_an_earlier_restore_left_at_zero_keeps_the_number_of_its_annotation() -> None:
    cluster = OneDeployment(replicas=3)
    stopped(cluster)
    progress = stop(cluster)
    assert progress.replicas_before == 3
    assert "since an earlier restore" in progress.notes[0]


def test_a_zero_that_somebody_else_wanted_outweighs_an_old_annotation() -> None:
    cluster = OneDeployment(replicas=3)
    stopped(cluster)
    cluster.set_replicas(2, by="kubectl-scale", time="2026-11-24T03:10:00Z")
    cluster.set_replicas(0, by="kubectl-scale", time="2026-11-24T03:20:00Z")
    progress = stop(cluster)
    assert progress.replicas_before == 0
    assert "kubectl-scale" in progress.notes[0]


def test_an_old_annotation_is_overwritten_when_the_release_runs() -> None:
    cluster = OneDeployment(replicas=2)
    cluster.annotate(REPLICAS_ANNOTATION, "7")
    assert asked_to_stop(cluster).replicas_before == 2
    assert cluster.writes[0] == (REPLICAS_ANNOTATION, "2")


def test_without_the_right_to_annotate_it_is_stopped_all_the_same_and_says_so() -> None:
    cluster = OneDeployment(replicas=3)
    cluster.denied.add("patch deployments")
    progress = asked_to_stop(cluster)
    assert cluster.writes == [("replicas", 0)]
    assert "stands in the run's record only" in progress.notes[0]
    assert progress.replicas_before == 3


def test_without_the_right_to_scale_the_stop_fails() -> None:
    cluster = OneDeployment(replicas=3)
    cluster.denied.add("patch deployments/scale")
    with pytest.raises(Forbidden):
        asked_to_stop(cluster)


def test_a_deployment_made_anew_in_between_is_a_conflict() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stop(cluster)
    cluster.deployment["metadata"]["uid"] = "another"
    with pytest.raises(Conflict, match="made anew"):
        stop(cluster, progress)


def test_a_deployment_that_is_gone_is_not_ready() -> None:
    cluster = OneDeployment()
    cluster.deployment = {}
    with pytest.raises(NotReady, match="scalar/orders does not exist"):
        stop(cluster)


def test_a_stop_that_is_done_is_confirmed_by_looking_again() -> None:
    cluster = OneDeployment(replicas=1)
    progress = stopped(cluster)
    assert stop(cluster, progress).done
    cluster.pods = [pod("orders-late")]
    cluster.pods[0]["metadata"]["deletionTimestamp"] = at(NOW)
    assert not stop(cluster, progress).done


def test_a_deployment_that_ran_after_its_pods_were_gone_is_noticed_though_it_is_at_zero_again() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stopped(cluster)
    assert stop(cluster, progress).generation == progress.generation == cluster.deployment["metadata"]["generation"]
    cluster.set_replicas(2, by="helm", time="2026-11-24T03:05:00Z")
    cluster.set_replicas(0, by="kubectl-scale", time="2026-11-24T03:09:00Z")
    cluster.controllers_catch_up()
    with pytest.raises(Conflict, match=r"changed after its pods were gone; .* kubectl-scale at 2026-11-24T03:09:00Z"):
        stop(cluster, progress)


def test_a_change_of_the_status_is_nobodys_start() -> None:
    cluster = OneDeployment(replicas=3)
    progress = stopped(cluster)
    cluster.touch()
    assert stop(cluster, progress).done
