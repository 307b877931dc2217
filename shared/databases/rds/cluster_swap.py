"""Who has to be renamed next so that one cluster with its instances takes the names of another: looks only, decides only.

Clusters and instances are known by their resource ids, which no rename changes. Whatever happened before, also a crash at any
line, the next renames follow from who bears which name now:

1. the outgoing cluster, if it bears the final name, is renamed aside; then its instances, all of them;
2. the incoming cluster takes the final name; then its instances take theirs.

So a final name is never taken before it is free, and both clusters can be found at every moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.databases.rds.cluster_progress import require_alive
from shared.databases.rds.cluster_reconcile import AVAILABLE
from shared.databases.rds.cluster_scene import Described, Scene
from shared.model.cluster_settings import ClusterSettings
from shared.model.errors import Conflict, NotReady
from shared.model.naming import listed

ADVICE = "Start or repair it; the restore then goes on from here. Or rename it by hand, as the message says."


@dataclass(frozen=True)
class Rename:
    """`is_cluster`: of a cluster, else of an instance."""

    current: str
    to: str
    is_cluster: bool


@dataclass(frozen=True)
class Swap:
    """One call of the cut-over. `incoming` and `outgoing` are known by resource id; names in `incoming` are the final ones.

    `aside` gives the name under which something is kept; `is_aside` says whether a name is such a one. `members_too`: instances
    are renamed as well.
    """

    scene: Scene
    incoming: ClusterSettings
    outgoing: ClusterSettings | None
    aside: Callable[[str], str]
    is_aside: Callable[[str], bool]
    members_too: bool

    def next_renames(self) -> tuple[tuple[Rename, ...], str]:
        """The renames to ask for now, and what is being waited for. Neither: every name is where it belongs.

        Raises:
            Conflict: somebody else has taken a name that is needed.
            NotReady: something is in a state in which it cannot be renamed, or is gone.
        """
        incoming = self.scene.cluster_of(self.incoming.resource_id)
        if incoming is None:
            raise NotReady(
                f"The restored cluster ({self.incoming.resource_id}) does not exist any more.",
                hint="Nothing further was changed. Undo this restore, or restore again.",
            )
        renames, waiting = self._outgoing()
        if renames or waiting:
            return renames, waiting
        return self._incoming(incoming)

    def _outgoing(self) -> tuple[tuple[Rename, ...], str]:
        outgoing = self.scene.cluster_of(self.outgoing.resource_id) if self.outgoing else None
        if outgoing is None:
            return (), ""
        name = outgoing["DBClusterIdentifier"]
        if name == self.incoming.identifier:
            return self._rename_cluster(outgoing, self.aside(name))
        if not self.is_aside(name):
            return (), ""
        if waiting := _waiting(outgoing):
            return (), waiting
        return self._rename_members(
            outgoing,
            lambda member: "" if self.is_aside(_name(member)) else self.aside(_name(member)),
        )

    def _incoming(self, incoming: Described) -> tuple[tuple[Rename, ...], str]:
        final = self.incoming.identifier
        if incoming["DBClusterIdentifier"] != final:
            if (rival := self.scene.cluster(final)) is not None:
                raise _taken(f"cluster {final} ({rival['DbClusterResourceId']})")
            return self._rename_cluster(incoming, final)
        if waiting := _waiting(incoming):
            return (), waiting
        names = {one.resource_id: one.identifier for one in self.incoming.members}
        return self._rename_members(incoming, lambda member: self._final(member, names.get(member["DbiResourceId"], "")))

    def _final(self, member: Described, name: str) -> str:
        if not name or _name(member) == name:
            return ""
        rival = self.scene.instance(name)
        if rival is not None and rival["DbiResourceId"] not in {one.resource_id for one in self.incoming.members}:
            raise _taken(f"instance {name} ({rival['DbiResourceId']})")
        return name

    def _rename_cluster(self, cluster: Described, to: str) -> tuple[tuple[Rename, ...], str]:
        parts = (cluster, *self.scene.members(cluster)) if self.members_too else (cluster,)
        if waiting := next((found for part in parts if (found := _waiting(part))), ""):
            return (), waiting
        return (Rename(cluster["DBClusterIdentifier"], to, is_cluster=True),), ""

    def _rename_members(self, cluster: Described, wished: Callable[[Described], str]) -> tuple[tuple[Rename, ...], str]:
        """Those that are available are renamed side by side; the others are waited for."""
        if not self.members_too:
            return (), ""
        renames, waiting = [], []
        for member in self.scene.members(cluster):
            name = wished(member)
            if state := _waiting(member):
                waiting.append(state)
            elif name:
                renames.append(Rename(_name(member), name, is_cluster=False))
        return tuple(renames), listed(waiting)


def _waiting(part: Described) -> str:
    """What is being waited for, empty when it is available. Raises NotReady for a state without end."""
    instance = part.get("DBInstanceIdentifier")
    called = f"instance {instance}" if instance else f"cluster {part['DBClusterIdentifier']}"
    status = str(part["DBInstanceStatus"] if instance else part["Status"])
    require_alive(called, status, ADVICE)
    return "" if status == AVAILABLE else f"{called} is {status}"


def _taken(what: str) -> Conflict:
    return Conflict(
        f"{what} bears a name that this restore needs, and belongs neither to the restored nor to the replaced cluster.",
        hint="Rename or delete it, then continue this restore; the replaced cluster is kept meanwhile.",
    )


def _name(member: Described) -> str:
    return str(member["DBInstanceIdentifier"])
