"""Subnet, security, parameter and option groups: moto keeps them; here they are looked up, defaulted and checked."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.moto_names import ec2_backends
from infra.sandbox.aws.rds.engines import Engine
from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.refusals import Refusal, invalid_combination, invalid_value

DEFAULT_SUBNET_GROUP = "default"


def subnet_group(inventory: Inventory, name: str) -> dict[str, Any]:
    """As the API describes it; `default` is that of the default VPC. DBSubnetGroupNotFoundFault."""
    group = inventory.backend.subnet_groups.get(name)
    if group is not None:
        return {
            "DBSubnetGroupName": group.name,
            "DBSubnetGroupDescription": group.description,
            "VpcId": group.vpc_id,
            "SubnetGroupStatus": group.subnet_group_status,
            "Subnets": group.subnets,
            "DBSubnetGroupArn": group.arn,
        }
    if name != DEFAULT_SUBNET_GROUP:
        raise Refusal("DBSubnetGroupNotFoundFault", f"Subnet Group {name} not found.")
    return {
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": name,
        "VpcId": _ec2(inventory).default_vpc.id,
        "SubnetGroupStatus": "Complete",
        "Subnets": [],
        "DBSubnetGroupArn": inventory.arn("subgrp", name),
    }


def default_security_groups(inventory: Inventory, subnet_group_name: str) -> list[str]:
    """The default group of the VPC that the subnet group lies in."""
    vpc = subnet_group(inventory, subnet_group_name)["VpcId"]
    return [_ec2(inventory).get_default_security_group(vpc).id]


def check_security_groups(inventory: Inventory, ids: list[str]) -> None:
    for group_id in ids:
        if _ec2(inventory).get_security_group_from_id(group_id) is None:
            raise invalid_value(f"Invalid security group , groupId= {group_id}, groupName=.")


def default_parameter_group(engine: Engine, version: str) -> str:
    """Of instances and of clusters: AWS gives both the same name."""
    return f"default.{engine.family(version)}"


def check_parameter_group(inventory: Inventory, name: str, engine: Engine, version: str, *, of_cluster: bool = False) -> None:
    """DBParameterGroupNotFound, or InvalidParameterCombination when it is of another family."""
    if name == default_parameter_group(engine, version):
        return
    groups = inventory.backend.db_cluster_parameter_groups if of_cluster else inventory.backend.db_parameter_groups
    group = groups.get(name)
    if group is None:
        if of_cluster:
            raise Refusal("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")
        raise Refusal("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    family = group.db_parameter_group_family if of_cluster else group.family
    if family != engine.family(version):
        raise invalid_combination(
            f"The Parameter Group {name} with DBParameterGroupFamily {family} cannot be used for this instance. Please "
            f"use a Parameter Group with DBParameterGroupFamily {engine.family(version)}"
        )


def check_option_group(inventory: Inventory, name: str, engine: Engine, version: str) -> None:
    """OptionGroupNotFoundFault, or InvalidParameterCombination when it is of another engine."""
    if name == engine.default_option_group(version):
        return
    group = inventory.backend.option_groups.get(name)
    if group is None:
        raise Refusal("OptionGroupNotFoundFault", f"Specified OptionGroupName: {name} not found.")
    if group.engine_name != engine.name:
        raise invalid_combination(f"The option group {name} is associated with a different engine: {group.engine_name}")


def _ec2(inventory: Inventory) -> Any:
    return ec2_backends[inventory.account][inventory.region]
