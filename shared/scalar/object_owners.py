"""Who made a Kubernetes object and will write it back the way they know it, as its own labels and annotations say.

Sources: Helm, "Labels and Annotations"; Argo CD, "Resource Tracking"; Flux, "Kustomization" and "HelmRelease" (recommended
labels).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.model.kubernetes import KubernetesObject

_HELM_RELEASE = "meta.helm.sh/release-name"
_ARGO_CD = ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance")
_FLUX = {
    "kustomize.toolkit.fluxcd.io/name": "Flux Kustomization",
    "helm.toolkit.fluxcd.io/name": "Flux HelmRelease",
}


def owners_of(item: KubernetesObject) -> tuple[str, ...]:
    """Such as `Helm release orders` or `Argo CD application shop`; empty when nobody is named."""
    return tuple(_owners(item))


def _owners(item: KubernetesObject) -> Iterator[str]:
    marks: dict[str, str] = (item["metadata"].get("labels") or {}) | (item["metadata"].get("annotations") or {})
    if release := marks.get(_HELM_RELEASE):
        yield f"Helm release {release}"
    elif marks.get("app.kubernetes.io/managed-by") == "Helm":
        yield "Helm"
    # A tracking id is <application>:<group>/<kind>:<namespace>/<name>.
    if application := next((marks[mark].partition(":")[0] for mark in _ARGO_CD if mark in marks), ""):
        yield f"Argo CD application {application}"
    for mark, kind in _FLUX.items():
        if mark in marks:
            yield f"{kind} {marks[mark]}"
