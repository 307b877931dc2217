"""Who else writes what a restore writes: autoscalers that would start a stopped Deployment, GitOps controllers and Helm that
would put an old endpoint back. Each is named, with how to suspend it.

Sources: Kubernetes "Horizontal Pod Autoscaling" (implicit maintenance-mode deactivation), KEDA "Pause autoscaling", Argo CD
"Resource tracking", Flux "helm-controller" and "kustomize-controller" labels, Helm's adoption labels and annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from shared.clusters.api import FIELD_MANAGER, KubernetesApi
from shared.clusters.field_owners import FieldOwner, field_owners
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Forbidden, Misconfigured
from shared.model.kubernetes import KubernetesObject

AUTOSCALER, KEDA, ARGO_CD, FLUX, HELM, APPLIER = (
    "rival-autoscaler",
    "rival-keda",
    "rival-argocd",
    "rival-flux",
    "rival-helm",
    "rival-field-manager",
)
"""The names of the checks."""
_PAUSED = "autoscaling.keda.sh/paused"
_PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"
_RIGHTS_HINT = "Grant list on {kind} (ClusterRole scalar-restore in infra/kubernetes/rbac.yaml), or make sure by hand."
# The names under which GitOps controllers write, where their labels were stripped or are someone else's too.
_ARGO_CD_MANAGERS = ("argocd-controller", "argocd-application-controller", "argocd-server")
_FLUX_MANAGERS = ("kustomize-controller", "helm-controller")


def find_rivals(
    api: KubernetesApi, deployment: KubernetesObject, written: Sequence[KubernetesObject] = ()
) -> tuple[CheckResult, ...]:
    """Everybody who would undo a restore of this Deployment; `written` are the further objects that the restore changes, such
    as the ConfigMap with the endpoint.

    FAILED is what surely starts pods in the middle of a restore; a WARNING may revert something, sooner or later, depending on
    settings that cannot be seen from the objects. What could not be looked at for lack of a right is a WARNING too.

    Raises:
        Unreachable, Throttled: the cluster.
    """
    objects = (deployment, *written)
    return (
        *_autoscalers(api, deployment),
        *_scaled_objects(api, deployment),
        *(result for document in objects for result in _gitops(document)),
        *(result for document in objects for result in _helm(document)),
        *_appliers(deployment, ("spec", "replicas")),
        *(result for document in written for result in _appliers(document, ("data",))),
    )


def _autoscalers(api: KubernetesApi, deployment: KubernetesObject) -> tuple[CheckResult, ...]:
    subject, namespace = _subject(deployment), deployment["metadata"]["namespace"]
    try:
        autoscalers = api.list("horizontalpodautoscalers", namespace, {}).items
    except Forbidden as error:
        return (warned(AUTOSCALER, subject, error.message, _RIGHTS_HINT.format(kind="horizontalpodautoscalers")),)
    aimed = [each for each in autoscalers if _aims_at(each, deployment)]
    return tuple(_autoscaler(subject, each) for each in aimed) or (passed(AUTOSCALER, subject, "no HorizontalPodAutoscaler"),)


def _autoscaler(subject: str, autoscaler: KubernetesObject) -> CheckResult:
    """One that keeps at least one pod leaves a Deployment at 0 alone: its minimum only counts from 1 on."""
    metadata, spec = autoscaler["metadata"], autoscaler["spec"]
    name, least = metadata["name"], spec.get("minReplicas", 1)
    if keda := next((each for each in metadata.get("ownerReferences") or () if each.get("kind") == "ScaledObject"), None):
        return _keda(subject, metadata["namespace"], keda["name"], f"through HorizontalPodAutoscaler {name}")
    if least == 0:
        return failed(
            AUTOSCALER,
            subject,
            f"HorizontalPodAutoscaler {name} has minReplicas 0, so it also starts pods from 0.",
            f"Set it to 1 for the restore: kubectl patch hpa {name} -n {metadata['namespace']} "
            """--patch '{"spec":{"minReplicas":1}}'.""",
        )
    return passed(
        AUTOSCALER,
        subject,
        f"HorizontalPodAutoscaler {name} ({least} to {spec['maxReplicas']} pods) leaves the Deployment alone while it is at 0, "
        "and may change the number after the start.",
    )


def _scaled_objects(api: KubernetesApi, deployment: KubernetesObject) -> tuple[CheckResult, ...]:
    """Also seen without this list: KEDA works through an autoscaler of its own, which it takes away while it is paused."""
    subject, namespace = _subject(deployment), deployment["metadata"]["namespace"]
    if not api.can_i("list", "scaledobjects", namespace):
        message = "It cannot be seen whether KEDA scales the Deployment; if it does, it has an autoscaler that is named here."
        return (warned(KEDA, subject, message, _RIGHTS_HINT.format(kind="scaledobjects")),)
    try:
        scaled_objects = api.list("scaledobjects", namespace, {}).items
    except Misconfigured:
        # 404: the cluster does not know the kind. That it is a Kubernetes API was seen by the calls before.
        return (passed(KEDA, subject, "KEDA is not installed"),)
    results = []
    for each in scaled_objects:
        if not _aims_at(each, deployment):
            continue
        name, annotations = each["metadata"]["name"], each["metadata"].get("annotations") or {}
        paused_at = annotations.get(_PAUSED_REPLICAS)
        if annotations.get(_PAUSED) == "true" or paused_at == "0":
            results.append(passed(KEDA, subject, f"ScaledObject {name} is paused"))
        else:
            how = f"and holds it at {paused_at} pods" if paused_at else "on its triggers, also from 0"
            results.append(_keda(subject, namespace, name, how))
    return tuple(results) or (passed(KEDA, subject, "no ScaledObject"),)


def _keda(subject: str, namespace: str, name: str, how: str) -> CheckResult:
    return failed(
        KEDA,
        subject,
        f"KEDA's ScaledObject {name} scales the Deployment {how}.",
        f"Pause it for the restore: kubectl annotate scaledobject {name} -n {namespace} --overwrite {_PAUSED}=true; afterwards "
        f"take the annotation off: {_PAUSED}-.",
    )


def _gitops(document: KubernetesObject) -> tuple[CheckResult, ...]:
    metadata, subject = document["metadata"], _subject(document)
    marks: Mapping[str, str] = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    managers = {entry.get("manager") for entry in metadata.get("managedFields") or ()}
    found = []
    if application := _argo_cd_application(marks, managers):
        hint = (
            f"Switch its automated sync off for the restore: argocd app set {application} --sync-policy none (in the "
            "ApplicationSet or the parent application too, where it comes from one). Commit the new values before switching it "
            "on again."
        )
        message = f"Argo CD's Application {application} manages it: with automated sync and self-heal it reverts changes."
        found.append(warned(ARGO_CD, subject, message, hint))
    for kind, prefix in (("helmrelease", "helm"), ("kustomization", "kustomize")):
        if name := marks.get(f"{prefix}.toolkit.fluxcd.io/name"):
            where = f" -n {namespace}" if (namespace := marks.get(f"{prefix}.toolkit.fluxcd.io/namespace")) else ""
            message = f"Flux manages it by the {kind} {name}: its next reconciliation reverts changes."
            hint = (
                f"Suspend it for the restore: flux suspend {kind} {name}{where}; commit the new values before "
                f"flux resume {kind} {name}{where}."
            )
            found.append(warned(FLUX, subject, message, hint))
    if not any(result.name == FLUX for result in found) and (by := managers & {*_FLUX_MANAGERS}):
        message = f"Flux has written it ({', '.join(sorted(filter(None, by)))}): its next reconciliation may revert changes."
        found.append(warned(FLUX, subject, message, "Find the object with flux get all, and flux suspend it for the restore."))
    return tuple(found)


def _argo_cd_application(marks: Mapping[str, str], managers: Iterable[str | None]) -> str:
    """From the tracking annotation (`app:group/kind:namespace/name`) or label; the plain label `app.kubernetes.io/instance`,
    which Argo CD can be told to use, is Helm's as well and says nothing."""
    if tracking := marks.get("argocd.argoproj.io/tracking-id"):
        return tracking.partition(":")[0]
    if instance := marks.get("argocd.argoproj.io/instance"):
        return instance
    if {*_ARGO_CD_MANAGERS} & {*managers}:
        return marks.get("app.kubernetes.io/instance", "(unknown)")
    return ""


def _helm(document: KubernetesObject) -> tuple[CheckResult, ...]:
    """By the annotations that Helm itself sets; its label is also in charts that others render."""
    annotations = document["metadata"].get("annotations") or {}
    release = annotations.get("meta.helm.sh/release-name")
    if not release:
        return ()
    return (
        passed(
            HELM,
            _subject(document),
            f"Helm release {release} owns it: the next helm upgrade with unchanged values writes its number of replicas and "
            "its properties back. Commit what a restore changes to the values first, and run no upgrade during it.",
        ),
    )


def _appliers(document: KubernetesObject, path: tuple[str, ...]) -> tuple[CheckResult, ...]:
    """Server-side apply insists on its fields: the next apply after our change is refused as a conflict, or forced through."""
    owners = [owner for owner in field_owners(document, *path) if owner.applies and owner.manager != FIELD_MANAGER]
    if not owners:
        return ()
    message = f"{_named(owners)} holds {'.'.join(path)} by server-side apply."
    hint = (
        f"Its next apply stops with a conflict that names {FIELD_MANAGER}, or puts the old value back when it is forced "
        "(helm upgrade --force-conflicts, Argo CD, Flux): bring the new value into what it applies first."
    )
    return (warned(APPLIER, _subject(document), message, hint),)


def _aims_at(scaler: KubernetesObject, deployment: KubernetesObject) -> bool:
    """KEDA takes a missing kind for a Deployment."""
    target = scaler["spec"].get("scaleTargetRef") or {}
    return bool(target.get("kind", "Deployment") == "Deployment" and target.get("name") == deployment["metadata"]["name"])


def _subject(document: KubernetesObject) -> str:
    metadata = document["metadata"]
    return f"{document.get('kind') or 'Deployment'} {metadata['namespace']}/{metadata['name']}"


def _named(owners: Sequence[FieldOwner]) -> str:
    return " and ".join(str(owner) for owner in owners)
