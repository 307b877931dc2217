"""Whether pods serve: found by the room of the products, asked over their Admin ports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.model.transports import AUTO

if TYPE_CHECKING:
    from shared.steps.ports import Admin, Releases


class ServingPods:
    """The question to the pods of one release (`Serving` of `shared.clusters.deployments`)."""

    def __init__(self, release: Release, releases: Releases, admin: Admin) -> None:
        self._release, self._releases, self._admin = release, releases, admin

    async def __call__(self, pods: Sequence[KubernetesObject]) -> Mapping[str, str]:
        """By pod name, why it does not serve; a pod without an entry answers on its Admin port and is not paused.

        Raises:
            Unreachable, Throttled, Forbidden: the cluster.
        """
        names = [str(pod["metadata"]["name"]) for pod in pods]
        if not names:
            return {}
        try:
            (snapshot,) = await asyncio.to_thread(self._releases.observe, [self._release])
        except NotReady as error:
            return dict.fromkeys(names, f"cannot be asked: {error.message}")
        targets, _ = await self._admin.choose_transport(self._release.key, snapshot.targets, AUTO)
        sample = await self._admin.check_paused(targets)
        problems = dict.fromkeys(names, "is paused")
        problems |= dict.fromkeys(set(names) - {target.pod for target in targets}, "has not been found by its labels yet")
        problems |= dict.fromkeys(sample.unknown, "does not answer on its Admin port")
        return {name: problem for name, problem in problems.items() if name in names and name not in sample.not_paused}
