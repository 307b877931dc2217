"""What has to change in a cluster so that a release reads other values: objects, keys, old and new values. How that is found is
in `endpoint_sources`, how it is written in `endpoint_rewrite`."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.model.secret_text import SecretText
from shared.scalar.products import Product


@dataclass(frozen=True)
class Edit:
    """One value of an object. `key` is a key of a ConfigMap or Secret, or a variable of the Deployment's container; for a
    `line` of a properties file it is the key with the file, and `old` and `new` are as they stand in the file, escaped.

    `properties` are those that read the value.
    """

    key: str
    old: SecretText
    new: SecretText
    properties: tuple[str, ...]
    line: bool = False


@dataclass(frozen=True)
class ObjectEdits:
    """All edits of one object, which are made by one patch. `kind` is `configmaps`, `secrets` or `deployments`.

    `owners` made the object and may write it back; `also_used_by` are other Deployments of the namespace that read it.
    `container` is set for a Deployment.
    """

    kind: str
    name: str
    resource_version: str
    edits: tuple[Edit, ...]
    owners: tuple[str, ...] = ()
    also_used_by: tuple[str, ...] = ()
    container: str = ""

    @property
    def title(self) -> str:
        return f"{TITLES[self.kind]} {self.name}"


@dataclass(frozen=True)
class RewritePlan:
    """Every edit that gives the release the wanted values. None is needed when it has them already.

    `properties_text` is the properties file as it will be, where a line of it changes. `notes` are sentences for people: none
    holds a value.
    """

    release: Release
    product: Product
    deployment: str
    objects: tuple[ObjectEdits, ...]
    properties_text: SecretText | None = None
    notes: tuple[str, ...] = field(default=())


TITLES = {"configmaps": "ConfigMap", "secrets": "Secret", "deployments": "Deployment"}


def referenced_objects(deployment: KubernetesObject) -> frozenset[tuple[str, str]]:
    """Kind and name of every ConfigMap and Secret that the Deployment's pods read."""
    pod = deployment["spec"]["template"]["spec"]
    found = set()
    for volume in pod.get("volumes") or ():
        found |= {("configmaps", (volume.get("configMap") or {}).get("name"))}
        found |= {("secrets", (volume.get("secret") or {}).get("secretName"))}
    for container in [*(pod.get("initContainers") or ()), *pod["containers"]]:
        sources = [*(container.get("envFrom") or ()), *(entry.get("valueFrom") or {} for entry in container.get("env") or ())]
        for source in sources:
            for kind, references in REFERENCES.items():
                found |= {(kind, source[name]["name"]) for name in references if source.get(name)}
    return frozenset((kind, name) for kind, name in found if name)


REFERENCES = {"configmaps": ("configMapRef", "configMapKeyRef"), "secrets": ("secretRef", "secretKeyRef")}
"""How `envFrom` and `valueFrom` name an object of each kind: as a whole, and one key of it."""
