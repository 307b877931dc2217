"""The master password when RDS manages it: a generated one, kept in a secret of Secrets Manager. No restore carries it over."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import Any

from infra.sandbox.aws.rds.inventory import Instance, Inventory, Resource
from infra.sandbox.aws.rds.refusals import invalid_combination


def check(resource: Resource | None, given: dict[str, Any]) -> None:
    """Refuse a password beside a managed one, and an end of the management without a password."""
    managed = given.get("ManageMasterUserPassword")
    if managed and "MasterUserPassword" in given:
        raise invalid_combination("You can't specify MasterUserPassword when ManageMasterUserPassword is turned on.")
    is_managed = resource is not None and "MasterUserSecret" in resource.settings
    if is_managed and managed is None and "MasterUserPassword" in given:
        raise invalid_combination(
            "You can't specify MasterUserPassword while RDS manages it; turn ManageMasterUserPassword off."
        )
    if is_managed and managed is False and "MasterUserPassword" not in given:
        raise invalid_combination("MasterUserPassword must be specified when ManageMasterUserPassword is turned off.")


def manage(inventory: Inventory, resource: Resource, key_id: str | None, at: float) -> None:
    """Generate a password and keep it in a new secret; nothing when it is managed already."""
    if "MasterUserSecret" in resource.settings:
        return
    kind = "db" if isinstance(resource, Instance) else "cluster"
    password = secrets.token_urlsafe(24)
    secret = inventory.backend.secretsmanager.create_managed_secret(
        service_name="rds",
        secret_id=f"rds!{kind}-{uuid.uuid4()}",
        secret_string=json.dumps({"username": resource.settings["MasterUsername"], "password": password}),
        description=f"The secret associated with the primary RDS DB: {inventory.arn(kind, resource.identifier)}",
        kms_key_id=key_id,
        tags=[{"Key": f"aws:rds:primaryDB{'Instance' if kind == 'db' else 'Cluster'}Arn", "Value": resource.resource_id}],
    )
    resource.volume.set_password(password, at, resource.recovery.forget_before(at))
    resource.settings["MasterUserSecret"] = {
        "SecretArn": secret.arn,
        "SecretStatus": "active",
        "KmsKeyId": key_id or "alias/aws/secretsmanager",
    }


def forget(inventory: Inventory, resource: Resource) -> None:
    """Delete the secret with what it is of, or when the owner takes the password back."""
    held = resource.settings.pop("MasterUserSecret", None)
    if held is not None:
        inventory.backend.secretsmanager.delete_secret(
            held["SecretArn"], recovery_window_in_days=None, force_delete_without_recovery=True
        )
