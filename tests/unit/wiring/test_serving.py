"""Whether pods serve, put together from what is found and what is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared.model.errors import NotReady, Unreachable
from shared.model.plan import EksCluster, Release
from shared.model.run import PausedSample
from shared.wiring.serving import ServingPods

RELEASE = Release(cluster=EksCluster(name="prod", region="ap-northeast-1"), namespace="scalar", helm_release="orders")
NAMES = ("a", "b", "c")


class World:
    """Room of the products and of the Admin ports at once. `problem` is what finding the pods raises."""

    def __init__(self, found: tuple[str, ...] = NAMES, **sample: tuple[str, ...]) -> None:
        self.found, self.sample, self.problem = found, sample, None
        self.asked: list[str] = []

    def observe(self, releases: Any) -> Any:
        assert releases == [RELEASE]
        if self.problem:
            raise self.problem
        return (SimpleNamespace(targets=[SimpleNamespace(pod=name, way="?") for name in self.found]),)

    async def choose_transport(self, release: str, targets: Any, wanted: str) -> Any:
        assert (release, wanted) == (RELEASE.key, "auto")
        return [SimpleNamespace(pod=target.pod, way="chosen") for target in targets], None

    async def check_paused(self, targets: Any) -> PausedSample:
        assert all(target.way == "chosen" for target in targets)
        self.asked = [target.pod for target in targets]
        return PausedSample(asked_at=datetime(2026, 11, 24, 3, tzinfo=UTC), paused=0, **self.sample)

    async def ask(self, *names: str) -> Any:
        pods = [{"metadata": {"name": name}} for name in names or NAMES]
        return await ServingPods(RELEASE, self, self)(pods)  # type: ignore[arg-type]


async def test_pods_that_answer_and_are_not_paused_serve() -> None:
    assert await World(not_paused=NAMES).ask() == {}


async def test_each_other_pod_says_why_it_does_not_serve() -> None:
    world = World(found=("a", "b", "c", "d"), not_paused=("a",), unknown=("b", "d"))
    assert await world.ask("a", "b", "c", "e") == {
        "b": "does not answer on its Admin port",
        "c": "is paused",
        "e": "has not been found by its labels yet",
    }


async def test_pods_that_cannot_be_found_yet_are_waited_for() -> None:
    world = World()
    world.problem = NotReady("1 of 3 pods have no IP address: c.")
    assert await world.ask() == dict.fromkeys(NAMES, "cannot be asked: 1 of 3 pods have no IP address: c.")


async def test_a_cluster_that_does_not_answer_is_raised() -> None:
    world = World()
    world.problem = Unreachable("no answer.")
    with pytest.raises(Unreachable):
        await world.ask()


async def test_nobody_is_asked_for_no_pods() -> None:
    world = World()
    assert await ServingPods(RELEASE, world, world)([]) == {}  # type: ignore[arg-type]
    assert world.asked == []
