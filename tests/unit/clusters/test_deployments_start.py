"""Starting a Deployment again: to the number before, until every pod is Ready and serves."""

from __future__ import annotations

import pytest

from shared.clusters.api import FIELD_MANAGER
from shared.clusters.deployments import REPLICAS_ANNOTATION, advance_start
from shared.model.errors import Conflict
from shared.model.records import from_record, replace, to_record
from shared.model.stop_start import StartProgress, StopProgress
from tests.unit.clusters.one_deployment import NAME, NAMESPACE, OneDeployment

PAUSED = "answers, but is paused"


class AdminPorts:
    """What the pods say; `problems` by pod name. `asked` notes whom."""

    def __init__(self, **problems: str) -> None:
        self.problems = {name.replace("_", "-"): problem for name, problem in problems.items()}
        self.asked: list[list[str]] = []

    async def __call__(self, pods):
        self.asked.append([pod["metadata"]["name"] for pod in pods])
        return self.problems


def after_a_stop(replicas_before: int) -> tuple[OneDeployment, StopProgress]:
    cluster = OneDeployment(replicas=0)
    if replicas_before:
        cluster.annotate(REPLICAS_ANNOTATION, str(replicas_before))
    stopped = StopProgress(
        namespace=NAMESPACE, deployment=NAME, uid="deployment-uid", replicas_before=replicas_before, asked=True, done=True
    )
    return cluster, stopped


async def start(cluster, stopped, previous=None, ports=None) -> StartProgress:
    stored = from_record(to_record(previous), StartProgress) if previous else None
    return await advance_start(cluster, stopped, ports or AdminPorts(), stored)


async def test_it_goes_back_to_the_number_before() -> None:
    cluster, stopped = after_a_stop(3)
    progress = await start(cluster, stopped)
    assert cluster.writes == [("replicas", 3)]
    assert (progress.asked, progress.done) == (True, False)


async def test_what_was_at_zero_before_stays_there() -> None:
    cluster, stopped = after_a_stop(0)
    progress = await start(cluster, stopped)
    assert progress.done
    assert cluster.writes == []
    assert "was at 0 before" in progress.notes[0]


async def test_pods_that_are_not_ready_are_named_and_not_asked() -> None:
    cluster, stopped = after_a_stop(2)
    progress, ports = await start(cluster, stopped), AdminPorts()
    cluster.controllers_catch_up()
    progress = await start(cluster, stopped, progress, ports)
    assert [each.name for each in progress.pods_waited_for] == ["orders-new-0", "orders-new-1"]
    assert ports.asked == []
    assert not progress.done


async def test_a_crash_loop_is_told_with_its_exit_code() -> None:
    cluster, stopped = after_a_stop(1)
    progress = await start(cluster, stopped)
    cluster.controllers_catch_up()
    cluster.pods[0]["status"]["containerStatuses"] = [
        {
            "name": "node",
            "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1}},
        }
    ]
    progress = await start(cluster, stopped, progress)
    assert "container node: CrashLoopBackOff (restarts 4, last exit code 1)" in progress.message


async def test_a_pod_that_finds_no_node_is_told_with_the_schedulers_words() -> None:
    cluster, stopped = after_a_stop(1)
    progress = await start(cluster, stopped)
    cluster.controllers_catch_up()
    cluster.pods[0]["status"]["conditions"].append(
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: Insufficient memory."}
    )
    assert "Insufficient memory" in (await start(cluster, stopped, progress)).message


async def test_ready_pods_that_are_paused_are_not_enough() -> None:
    cluster, stopped = after_a_stop(2)
    progress, ports = await start(cluster, stopped), AdminPorts(orders_new_1=PAUSED)
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    progress = await start(cluster, stopped, progress, ports)
    assert not progress.done
    assert f"orders-new-1 {PAUSED}" in progress.message
    assert ports.asked == [["orders-new-0", "orders-new-1"]]
    ports.problems = {}
    assert (await start(cluster, stopped, progress, ports)).done


async def test_ready_pods_are_not_enough_while_there_are_fewer_than_wanted() -> None:
    cluster, stopped = after_a_stop(2)
    progress = await start(cluster, stopped)
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    cluster.pods.pop()
    progress = await start(cluster, stopped, progress)
    assert "has 1 of 2 pods Ready" in progress.message


async def test_the_annotation_goes_when_all_serve_and_not_before() -> None:
    cluster, stopped = after_a_stop(1)
    progress = await start(cluster, stopped)
    cluster.controllers_catch_up()
    progress = await start(cluster, stopped, progress)
    assert REPLICAS_ANNOTATION in cluster.deployment["metadata"]["annotations"]
    cluster.pods_become_ready()
    progress = await start(cluster, stopped, progress)
    assert progress.done
    assert cluster.writes == [("replicas", 1), (REPLICAS_ANNOTATION, None)]
    assert progress.message == ""


async def test_an_annotation_that_may_not_be_taken_off_is_told() -> None:
    cluster, stopped = after_a_stop(1)
    progress = await start(cluster, stopped)
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    cluster.denied.add("patch deployments")
    progress = await start(cluster, stopped, progress)
    assert progress.done
    assert "could not be taken off" in progress.notes[0]


async def test_a_number_that_somebody_else_has_set_is_left_and_noted() -> None:
    cluster, stopped = after_a_stop(3)
    cluster.set_replicas(5, by="kube-controller-manager")
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    progress = await start(cluster, stopped)
    assert progress.done
    assert ("replicas", 3) not in cluster.writes
    assert "at 5, not at 3 as before; the last who set spec.replicas is kube-controller-manager" in progress.notes[0]


async def test_whoever_stops_it_again_is_named_and_not_fought() -> None:
    cluster, stopped = after_a_stop(3)
    progress = await start(cluster, stopped)
    cluster.set_replicas(0, by="kubectl-scale", time="2026-11-24T03:30:00Z")
    with pytest.raises(Conflict, match=r"at 0 again; .*kubectl-scale"):
        await start(cluster, stopped, progress)
    assert cluster.writes == [("replicas", 3)]


async def test_a_call_that_died_after_scaling_is_taken_up_by_the_next_one() -> None:
    cluster, stopped = after_a_stop(1)
    await start(cluster, stopped)
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    assert (await start(cluster, stopped)).done
    assert cluster.writes.count(("replicas", 1)) == 1


async def test_a_change_at_the_same_moment_is_tried_again_at_the_next_look() -> None:
    cluster, stopped = after_a_stop(1)
    cluster.before_patch = cluster.touch
    progress = await start(cluster, stopped)
    assert not progress.asked
    assert "changed in the meantime" in progress.message
    cluster.before_patch = lambda: None
    assert (await start(cluster, stopped, progress)).asked


@pytest.mark.parametrize("by", ["helm", ""])
async def test_whoever_starts_it_before_its_time_is_named_and_nothing_is_waited_for(by: str) -> None:
    cluster, stopped = after_a_stop(3)
    stopped = replace(stopped, generation=cluster.deployment["metadata"]["generation"])
    cluster.set_replicas(0, by=FIELD_MANAGER if by else "", time="2026-11-24T03:00:00Z")
    cluster.set_replicas(3, by=by, time="2026-11-24T03:30:00Z")
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    with pytest.raises(Conflict, match="was started at 3 before it was to be") as caught:
        await start(cluster, stopped)
    assert (by or "does not record by whom") in caught.value.message
    assert "--replicas=0" in caught.value.hint


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_call_of_ours_that_died_after_scaling_is_not_taken_for_somebody_elses(is_recorded: bool) -> None:
    cluster, stopped = after_a_stop(1)
    stopped = replace(stopped, generation=cluster.deployment["metadata"]["generation"])
    await start(cluster, stopped)
    if not is_recorded:
        cluster.deployment["metadata"]["managedFields"].clear()
    cluster.controllers_catch_up()
    cluster.pods_become_ready()
    assert (await start(cluster, stopped)).done
