"""The Job that runs the Schema Loader with `--repair-all`.

Sources: documentation of the ScalarDB and the ScalarDL Schema Loader; the schema-loading Helm chart (mount, arguments, policy).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from shared.model.errors import NotReady
from shared.model.plan import SchemaLoader
from shared.model.schema_repair import RepairSource

REPAIR_ALL = "--repair-all"
DEADLINE_SECONDS = 1800
"""A repair of hundreds of tables takes minutes; one that hangs ends here."""
KEPT_SECONDS = 7 * 86_400
"""How long the ended Job is left for people to look at."""
LABELS = {"app.kubernetes.io/name": "scalar-backup", "app.kubernetes.io/component": "schema-repair"}
"""Neither the release's instance label nor `app.kubernetes.io/app`: by those its own pods are found."""
_LEDGER = "ledger"
_PROPERTIES, _SCHEMA = "/scalar-backup/database.properties", "/scalar-backup-schema/schema.json"
_LEDGER_DIRECTORY = "/scalardl-schema-loader"
_TEMPLATE_KEY, _RENDERED_KEY = "database.properties.tmpl", "database.properties"
_IMAGE = re.compile(r"(?P<path>.*/)?(?P<name>[^/:@]+)(?::(?P<tag>[^/@]+))?(?:@.+)?")
_USER = 201
"""Of the vendor's images."""


def job_name(release: str, run: str) -> str:
    """The same for every call of one restore."""
    return f"scalar-backup-repair-{sha256(f'{run} {release}'.encode()).hexdigest()[:10]}"


def image_of(source: RepairSource, loader: SchemaLoader) -> str:
    """The vendor publishes each product and its Schema Loader in one place and with one version.

    Raises:
        NotReady: the version cannot be read from the image of the release.
    """
    if loader.image:
        return loader.image
    found = _IMAGE.fullmatch(source.container_image)
    if found is None or not found["tag"] or found["tag"] == "latest":
        raise NotReady(
            f"{source.title} runs image {source.container_image or 'unknown'}, which does not name a version.",
            hint="Name the Schema Loader's image in the plan: schema_loader: image.",
        )
    name = "scalardl-schema-loader" if source.schema_type else "scalardb-schema-loader"
    return f"{found['path'] or ''}{name}:{found['tag']}"


def job_document(release: str, run: str, source: RepairSource, loader: SchemaLoader) -> dict[str, Any]:
    """Reads the same properties, with the same environment, as the release itself: led to the restored database already.

    Raises:
        NotReady: the schema file is missing in the plan, or the properties are a template that the image does not render.
    """
    container = {
        "name": "schema-loader",
        "image": image_of(source, loader),
        "env": [*source.environment],
        "envFrom": [*source.environment_from],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    volumes: list[dict[str, Any]] = []
    if source.schema_type:
        _for_ledger(source, container, volumes)
    else:
        _for_scalardb(release, source, loader, container, volumes)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(release, run),
            "namespace": source.namespace,
            "labels": LABELS,
            "annotations": {"scalar-backup/run": run, "scalar-backup/release": release},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "runAsUser": _USER},
                    "imagePullSecrets": [{"name": name} for name in source.pull_secrets],
                    "tolerations": [*source.tolerations],
                    "nodeSelector": dict(source.node_selector),
                    "containers": [container],
                    "volumes": volumes,
                },
            },
        },
    }


def _for_ledger(source: RepairSource, container: dict[str, Any], volumes: list[dict[str, Any]]) -> None:
    """The image has the schema, and renders its properties itself when it starts."""
    container["env"] = [*container["env"], {"name": "SCHEMA_TYPE", "value": source.schema_type}]
    coordinator = ["--coordinator"] if source.schema_type == _LEDGER else []
    container["args"] = ["--config", f"{_LEDGER_DIRECTORY}/{_RENDERED_KEY}", *coordinator, REPAIR_ALL]
    container["volumeMounts"] = [
        {"name": "properties", "mountPath": f"{_LEDGER_DIRECTORY}/{_TEMPLATE_KEY}", "subPath": _TEMPLATE_KEY}
    ]
    volumes.append(_volume("properties", source.config_map, source.key, _TEMPLATE_KEY))


def _for_scalardb(
    release: str, source: RepairSource, loader: SchemaLoader, container: dict[str, Any], volumes: list[dict[str, Any]]
) -> None:
    if not loader.schema:
        raise NotReady(
            f"{release}: the plan does not say where the schema file is that was applied last; --repair-all needs it.",
            hint="kubectl create configmap NAME --from-file=schema.json, and name it in the plan: "
            "schema_loader: {schema_file: NAME/schema.json}.",
        )
    if source.is_template:
        raise NotReady(
            f"{release}: its properties (ConfigMap {source.config_map}) are a template, which the Schema Loader cannot read.",
            hint="Write placeholders of the form ${env:NAME} into the properties instead of {{ ... }}.",
        )
    name, _, key = loader.schema.partition("/")
    container["args"] = ["--config", _PROPERTIES, "-f", _SCHEMA, "--coordinator", REPAIR_ALL]
    container["volumeMounts"] = [
        {"name": "properties", "mountPath": _PROPERTIES, "subPath": "database.properties"},
        {"name": "schema", "mountPath": _SCHEMA, "subPath": "schema.json"},
    ]
    volumes.append(_volume("properties", source.config_map, source.key, "database.properties"))
    volumes.append(_volume("schema", name, key, "schema.json"))


def _volume(name: str, config_map: str, key: str, path: str) -> dict[str, Any]:
    return {"name": name, "configMap": {"name": config_map, "items": [{"key": key, "path": path}]}}
