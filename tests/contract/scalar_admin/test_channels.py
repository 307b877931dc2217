"""Connections are kept between calls, given up when their pod is gone, and never shared with a new pod at the old address."""

from __future__ import annotations

import grpc.aio
import pytest

from shared.model.plan import EksCluster
from shared.model.records import replace
from shared.scalar import wire
from shared.scalar.channels import IDLE_SECONDS, KEPT_UNUSED_SECONDS, Channels
from tests.contract.scalar_admin.pods import ScriptedPod, WallClock, dead_target, running


@pytest.fixture
async def clock():
    return WallClock()


@pytest.fixture
async def channels(clock):
    found = Channels(clock)
    yield found
    await found.close()


async def test_the_same_pod_gets_the_same_channel_whatever_else_is_asked_for(channels):
    one, two = dead_target("one"), dead_target("two")
    (first,) = await channels.to([one])
    await channels.to([two])
    assert (await channels.to([two, one]))[1] is first


async def test_a_new_pod_at_an_old_address_gets_a_channel_of_its_own(channels):
    old = dead_target()
    (before,) = await channels.to([old])
    (after,) = await channels.to([replace(old, uid="another")])
    assert after is not before
    with pytest.raises(grpc.aio.UsageError):
        await before.call(wire.CHECK_PAUSED, b"", 0.1)


async def test_a_channel_that_nobody_used_for_long_is_closed_when_targets_change(channels, clock):
    (stale,) = await channels.to([dead_target("gone")])
    clock.ahead_seconds = KEPT_UNUSED_SECONDS + 1
    await channels.to([dead_target("new")])
    with pytest.raises(grpc.aio.UsageError):
        await stale.call(wire.CHECK_PAUSED, b"", 0.1)


async def test_a_channel_is_kept_as_long_as_its_pod_is_asked_for(channels, clock):
    pod = ScriptedPod("pod-0")
    async with running(pod) as (target,):
        (channel,) = await channels.to([target])
        clock.ahead_seconds = KEPT_UNUSED_SECONDS + 1
        assert await channel.check_paused(1.0, wait_for_ready=True) is False
        await channels.to([dead_target("new"), target])
        assert await channel.check_paused(1.0) is False


async def test_a_connection_that_was_idle_for_long_is_not_trusted_again(channels, clock):
    pod = ScriptedPod("pod-0")
    async with running(pod) as (target,):
        (idle,) = await channels.to([target])
        await idle.check_paused(1.0, wait_for_ready=True)
        await channels.give_up_idle([target])
        assert await channels.to([target]) == [idle], "not yet"
        clock.ahead_seconds = IDLE_SECONDS + 1
        await channels.give_up_idle([target])
        (fresh,) = await channels.to([target])
        assert fresh is not idle
        assert await fresh.check_paused(1.0, wait_for_ready=True) is False
    assert len(pod.peers) == 2


async def test_pods_of_two_clusters_may_have_one_address(channels):
    here = dead_target()
    there = replace(here, uid="another", cluster=EksCluster(name="other", region="ap-northeast-1"))
    first, second = await channels.to([here, there])
    assert first is not second
    assert await channels.to([here, there]) == [first, second]
