"""Leads releases to the new endpoints of their databases: what of it can be done, and doing it.

Where a value stands is found by `endpoint_sources`, how a host is replaced in it is said in `endpoint_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, Protocol

from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.endpoint_change import EndpointChange
from shared.model.errors import Forbidden, InvalidRequest, Misconfigured, NotReady
from shared.model.plan import Cluster, Release
from shared.model.restore import EndpointMove
from shared.model.secret_text import SecretText
from shared.scalar.chart_values import values_change
from shared.scalar.clock import Clock
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.endpoint_edits import ObjectEdits, RewritePlan
from shared.scalar.endpoint_rewrite import ClusterWriter, apply_rewrite
from shared.scalar.endpoint_sources import find_sources
from shared.scalar.endpoint_text import NoPlaceForPort, moved, turned_back
from shared.scalar.java_properties import rewrite_property
from shared.scalar.mounted_properties import read_mounted_properties
from shared.scalar.properties import is_credential, storage_of
from shared.scalar.workload import find_deployment

NAME = "restore-endpoints"
"""The name of the check."""
MOST_RELEASES_AT_ONCE = 16
_CONTACT_POINTS = "contact_points"


class EndpointCluster(ClusterReader, ClusterWriter, Protocol):
    """What is needed of a cluster; `shared.clusters` implements it."""

    def can_i(self, verb: str, resource: str, namespace: str, *, name: str = "") -> bool: ...


class _Held(NamedTuple):
    """What a release's properties say about the endpoints. `properties` are all but the credentials, resolved; `wanted` are
    those that name an old endpoint, with the value to give them; `led` those that name a new one, with the value before.

    `unknown` are endpoints that cannot be seen. `credentials` are the passwords that change with an endpoint, by name of the
    property, with whom to ask for them.
    """

    source: str
    properties: Mapping[str, str]
    wanted: Mapping[str, str]
    led: Mapping[str, str]
    unknown: tuple[str, ...]
    credentials: Mapping[str, str]


class EndpointsInClusters:
    """`open_cluster` gives the hands on a cluster; it may be called from several threads. `read_credential` answers with the
    password of an `EndpointMove.credential_source`; where no move has one it is not needed."""

    def __init__(
        self,
        open_cluster: Callable[[Cluster], EndpointCluster],
        clock: Clock,
        *,
        read_credential: Callable[[str], SecretText] | None = None,
    ) -> None:
        self._open_cluster = open_cluster
        self._clock = clock
        self._read_credential = read_credential

    def find(self, releases: Sequence[Release], moves: Sequence[EndpointMove]) -> tuple[CheckResult, ...]:
        """Can every place that names an old endpoint be rewritten. One result per release; only reads. When no release names
        any of the endpoints, all have failed: the application would come back on the old database.

        Raises:
            Unreachable, Throttled: a cluster.
        """
        with ThreadPoolExecutor(MOST_RELEASES_AT_ONCE, thread_name_prefix="release") as threads:
            results = tuple(threads.map(lambda release: self._look(release, moves), releases))
        is_named = any(result is not None for result in results)
        return tuple(
            result or _names_none(release, moves, is_named=is_named) for release, result in zip(releases, results, strict=True)
        )

    def lead(self, release: Release, moves: Sequence[EndpointMove]) -> tuple[tuple[EndpointChange, ...], str]:
        """Rewrites the endpoints wherever the release keeps them, and passwords that change with them. A repeated call changes
        nothing more and answers the same, so an answer that was lost is not lost for good. The release must be stopped.

        Answers with the changes (`run` is the caller's to fill in), and with the change of the Helm values; empty when the
        release names none of the endpoints.

        Raises:
            NotReady: an endpoint is in a place that cannot be rewritten, or the release is not stopped; nothing was changed.
            Conflict: somebody else wrote at the same time, if only the Deployment's controller its status: call again.
            Unreachable, Throttled, Forbidden: the cluster.
        """
        if release.is_participant:
            raise NotReady(f"{release.key}: {_PARTICIPANT}", hint=_PARTICIPANT_HINT)
        cluster = self._open_cluster(release.cluster)
        held = _held(cluster, release, moves)
        if held.unknown:
            raise NotReady(f"{release.key}: {_cannot_be_seen(held)}", hint=_UNSEEN_HINT)
        plan = find_sources(cluster, release, _secret(held.wanted) | self._new_passwords(release, held))
        if plan.objects:
            apply_rewrite(cluster, plan)
            held = _held(cluster, release, moves)
        # From what is there now, not from what this call has done: an earlier one may have died after its patch.
        back = find_sources(cluster, release, _secret(held.led) | dict.fromkeys(held.credentials, _ANOTHER_PASSWORD))
        return self._changes(release, held), values_change(_turned_around(back))

    def _new_passwords(self, release: Release, held: _Held) -> dict[str, SecretText]:
        """Asked for at this moment and kept nowhere. Also where the endpoint is led already: between an endpoint in a ConfigMap
        and a password in a Secret an earlier call may have died."""
        if held.credentials and self._read_credential is None:
            raise Misconfigured(
                f"{release.key}: {', '.join(sorted(held.credentials))} changes with the endpoint, and it cannot be asked for.",
                hint="The function that leads releases has to be deployed with the right to read keys of the databases.",
            )
        read = self._read_credential
        return {name: read(source) for name, source in held.credentials.items()} if read else {}

    def _changes(self, release: Release, held: _Held) -> tuple[EndpointChange, ...]:
        before = storage_of({**held.properties, **held.led}, release.key, held.source).storages
        after = storage_of(held.properties, release.key, held.source).storages
        return tuple(
            EndpointChange(
                release=release.key,
                storage=new.name,
                old=old.contact_point,
                new=new.contact_point,
                run="",
                changed_at=self._clock.now(),
            )
            for old, new in zip(before, after, strict=True)
            if old.contact_point != new.contact_point
        )

    def _look(self, release: Release, moves: Sequence[EndpointMove]) -> CheckResult | None:
        """None: the release names none of the endpoints."""
        if release.is_participant:
            return failed(NAME, release.key, _PARTICIPANT, _PARTICIPANT_HINT)
        cluster = self._open_cluster(release.cluster)
        try:
            held = _held(cluster, release, moves)
            if held.unknown:
                return failed(NAME, release.key, _cannot_be_seen(held), _UNSEEN_HINT)
            if not held.wanted:
                return passed(NAME, release.key, _already_led(held)) if held.led else None
            wanted = _secret(held.wanted) | dict.fromkeys(held.credentials, _ANOTHER_PASSWORD)
            return _judged(cluster, find_sources(cluster, release, wanted))
        except (NotReady, Forbidden, InvalidRequest) as error:
            return failed(NAME, release.key, error.message, error.hint)


_ANOTHER_PASSWORD = SecretText("another-password")
"""Stands for one that is not known: which places would be written is found without it."""
_PARTICIPANT = "it is a participant, and where it keeps the endpoints of its databases is not known."
_PARTICIPANT_HINT = (
    "Choose cut_over: identifier for the database, which leaves the endpoints as they are, or restore side by side and lead "
    "the application to the copy by hand."
)
_UNSEEN_HINT = "Grant get and patch on that Secret by name (Role scalar-restore-endpoints in infra/kubernetes/rbac.yaml)."


def _held(cluster: ClusterReader, release: Release, moves: Sequence[EndpointMove]) -> _Held:
    product, deployment = find_deployment(cluster, release)
    mounted = read_mounted_properties(cluster, deployment, product)
    # Passwords are not looked up: nothing here needs them.
    properties = {name: mounted.properties[name] for name in mounted.properties if not is_credential(name)}
    return _Held(
        source=mounted.source,
        properties=properties,
        wanted=_moved(release, properties, moves),
        led=_moved(release, properties, turned_back(moves)),
        unknown=tuple(name for name, value in properties.items() if name.endswith(_CONTACT_POINTS) and "unresolved(" in value),
        credentials=_credentials(release, properties, moves),
    )


def _credentials(release: Release, properties: Mapping[str, str], moves: Sequence[EndpointMove]) -> dict[str, str]:
    """By the name of a password's property, whom to ask for it: of each endpoint that a move leads, or has led."""
    found = {}
    for move in moves:
        if move.credential_source:
            led = {**_moved(release, properties, [move]), **_moved(release, properties, turned_back([move]))}
            for name in led:
                if name.endswith(_CONTACT_POINTS):
                    found[name.removesuffix(_CONTACT_POINTS) + "password"] = move.credential_source
    return found


def _moved(release: Release, properties: Mapping[str, str], moves: Sequence[EndpointMove]) -> dict[str, str]:
    found = {}
    for name, value in properties.items():
        try:
            new = moved(value, moves)
        except NoPlaceForPort as error:
            raise NotReady(
                f"{release.key}: property {name} cannot be led to another endpoint: {error}.",
                hint="Write the port into the property in the chart's values, or choose cut_over: identifier for the database.",
            ) from error
        if new != value:
            found[name] = new
    return found


def _secret(values: Mapping[str, str]) -> dict[str, SecretText]:
    return {name: SecretText(value) for name, value in values.items()}


def _judged(cluster: EndpointCluster, plan: RewritePlan) -> CheckResult:
    subject, namespace = plan.release.key, plan.release.namespace
    forbidden = [changed for changed in plan.objects if not cluster.can_i("patch", changed.kind, namespace, name=changed.name)]
    if forbidden:
        titles = " and ".join(changed.title for changed in forbidden)
        return failed(
            NAME,
            subject,
            f"The right to patch {titles} in namespace {namespace} is not granted.",
            "Write the names into the Role scalar-restore-endpoints (infra/kubernetes/rbac.yaml), and give the roles of the "
            "functions restore and applications the group scalar-restore.",
        )
    where = "; ".join(_place(changed) for changed in plan.objects)
    if concerns := [*plan.notes, *_also_used(plan.objects)]:
        return warned(NAME, subject, f"{where}. {' '.join(concerns)}", "Look at it before you confirm the restore.")
    return passed(NAME, subject, where)


def _place(changed: ObjectEdits) -> str:
    properties = sorted({name for edit in changed.edits for name in edit.properties})
    return f"{changed.title} is rewritten for {', '.join(properties)}"


def _also_used(objects: Sequence[ObjectEdits]) -> Iterator[str]:
    for changed in objects:
        if changed.also_used_by:
            yield f"{changed.title} is read by {', '.join(changed.also_used_by)}, too: it is led elsewhere when it starts anew."


def _already_led(held: _Held) -> str:
    return f"{held.source} leads to the new endpoint already ({', '.join(sorted(held.led))})"


def _cannot_be_seen(held: _Held) -> str:
    return f"{held.source} takes {' and '.join(held.unknown)} from where it cannot be read, so it cannot be led elsewhere."


def _names_none(release: Release, moves: Sequence[EndpointMove], *, is_named: bool) -> CheckResult:
    old = ", ".join(move.old for move in moves) or "an endpoint of the databases that are restored"
    if is_named:
        return passed(NAME, release.key, f"does not name {old}")
    return failed(
        NAME,
        release.key,
        f"No release of the plan names {old}: the application reaches the database by another name, which cannot be led.",
        "Choose cut_over: identifier for the database, or name its own endpoint in the properties.",
    )


def _turned_around(plan: RewritePlan) -> RewritePlan:
    """The plan whose way back this is: with what is there now as the new values."""
    text = plan.properties_text.reveal() if plan.properties_text else None
    objects = []
    for changed in plan.objects:
        for edit in changed.edits:
            if edit.line and text is not None:
                text = rewrite_property(text, edit.properties[0], edit.old.reveal())
        edits = tuple(replace(edit, old=edit.new, new=edit.old) for edit in changed.edits)
        objects.append(replace(changed, edits=edits))
    return replace(plan, objects=tuple(objects), properties_text=None if text is None else SecretText(text))
