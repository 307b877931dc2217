"""Whether the Admin ports of a release speak TLS, which CA signs for them, and by which name: from the plan or the release.

Source: the charts' values tls.enabled, tls.caRootCertSecret, tls.certManager and tls.overrideAuthority, and what they become in
the Deployment. The Admin service speaks TLS exactly when the product's server does.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from shared.model.errors import Forbidden, NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import AdminTls, Release
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.health_probe import HealthProbe, read_health_probe
from shared.scalar.mounted_files import FileSource, sources_of
from shared.scalar.mounted_properties import MountedProperties
from shared.scalar.products import Product

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_HINT_PLAN = "Set tls.ca_secret, tls.ca_config_map or tls.ca_pem of the release in the plan."


def find_admin_tls(
    reader: ClusterReader,
    release: Release,
    product: Product,
    deployment: KubernetesObject,
    mounted: MountedProperties | None,
) -> AdminTls | None:
    """None: plain text. `mounted` is None when the properties file could not be found; then the health probe decides.

    Raises:
        NotReady: TLS is on, and there is no CA where it should be.
        Forbidden: the Secret with the CA may not be read; the hint grants this one right.
        Unreachable, Throttled: the cluster.
    """
    pod = deployment["spec"]["template"]["spec"]
    container = next((item for item in pod["containers"] if item["name"] == product.container), pod["containers"][0])
    properties: Mapping[str, str] = mounted.properties if mounted else {}
    health_probe = read_health_probe(container)
    if not _is_enabled(release, product, properties, health_probe):
        return None
    name = release.tls.server_name or health_probe.server_name or properties.get(product.tls_name_property, "")
    if ca := _ca_of_plan(reader, release):
        return AdminTls(ca_pem=ca, server_name=name)
    path = health_probe.ca_path or properties.get(product.tls_ca_property, "")
    return AdminTls(ca_pem=_ca_of_release(reader, release, sources_of(pod, container, path), path), server_name=name)


def participant_tls(reader: ClusterReader, release: Release) -> AdminTls | None:
    """As the plan says; a participant has no chart from which anything could be known. Raises as `find_admin_tls` does."""
    if not release.tls.enabled:
        return None
    ca = _ca_of_plan(reader, release)
    if not ca:
        raise NotReady(f"{release.key}: TLS is on, and the plan gives no CA for it.", hint=_HINT_PLAN)
    return AdminTls(ca_pem=ca, server_name=release.tls.server_name)


def _is_enabled(release: Release, product: Product, properties: Mapping[str, str], health_probe: HealthProbe) -> bool:
    """A property whose value only a Secret knows says nothing; the probe beside it does."""
    if release.tls.enabled is not None:
        return release.tls.enabled
    said = properties.get(product.tls_property, "" if properties else "unknown").lower()
    return health_probe.uses_tls if said not in ("true", "false", "") else said == "true"


def _ca_of_plan(reader: ClusterReader, release: Release) -> str:
    """Empty when the plan gives none."""
    settings = release.tls
    if settings.ca_pem:
        return _certificates(settings.ca_pem, f"tls.ca_pem of {release.key}")
    for kind, reference in (("secrets", settings.ca_secret), ("configmaps", settings.ca_config_map)):
        if reference:
            name, _, key = reference.partition("/")
            source = FileSource(kind, name, key)
            text = _read(reader, release, source)
            if text is None:
                where = f"namespace {release.namespace} of cluster {release.cluster.name}"
                raise NotReady(
                    f"{release.key}: the CA of its TLS should be {source}, which does not exist in {where}.", hint=_HINT_PLAN
                )
            return _certificates(text, f"{source} in namespace {release.namespace}")
    return ""


def _ca_of_release(reader: ClusterReader, release: Release, sources: tuple[FileSource, ...], path: str) -> str:
    """The first source that has the file. One that may not be read matters only when no other has it."""
    refused: Forbidden | None = None
    for source in sources:
        try:
            text = _read(reader, release, source)
        except Forbidden as error:
            refused = refused or error
            continue
        if text is not None:
            return _certificates(text, f"{source} in namespace {release.namespace}")
    if refused:
        raise refused
    where = (
        f"Its containers expect it at {path}, where no Secret or ConfigMap has it." if path else "Its Deployment names none."
    )
    raise NotReady(f"{release.key}: TLS is on, and the CA of its certificates was not found. {where}", hint=_HINT_PLAN)


def _read(reader: ClusterReader, release: Release, source: FileSource) -> str | None:
    """None: no such object or key. Raises Forbidden with the one right that is missing."""
    try:
        found = reader.get(source.kind, release.namespace, source.name)
    except Forbidden as error:
        raise Forbidden(
            f"{release.key}: the CA of its TLS is {source}, which may not be read ({error.message}).",
            hint=_grant(release.namespace, source),
        ) from error
    text: str | None = ((found or {}).get("data") or {}).get(source.key)
    return text if text is None or source.kind == "configmaps" else _decoded(text)


def _grant(namespace: str, source: FileSource) -> str:
    if source.kind == "configmaps":
        return "infra/kubernetes/rbac.yaml has the rights that a backup needs; bind them in this namespace."
    role = "scalar-backup-ca"
    return (
        f"Allow this one Secret: `kubectl -n {namespace} create role {role} --verb=get --resource=secrets "
        f"--resource-name={source.name}` and `kubectl -n {namespace} create rolebinding {role} --role={role} "
        "--group=scalar-backup`; or give the CA, which is no secret, as tls.ca_config_map or tls.ca_pem in the plan."
    )


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _certificates(text: str, where: str) -> str:
    """Only the certificates: a file that also holds a private key must not carry it into the pause journal."""
    found: list[Any] = _CERTIFICATE.findall(text)
    if not found:
        raise NotReady(f"{where} holds no certificate in PEM form.", hint=_HINT_PLAN)
    return "".join(f"{certificate}\n" for certificate in found)
