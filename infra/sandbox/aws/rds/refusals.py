"""The errors with which RDS refuses a request: the codes are those that travel, as the API model spells them."""

from __future__ import annotations

from infra.sandbox.aws.moto_names import ServiceException


class Refusal(ServiceException):
    """`code` as on the wire, e.g. InvalidDBInstanceState; the HTTP status follows from the API model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def invalid_value(message: str) -> Refusal:
    return Refusal("InvalidParameterValue", message)


def invalid_combination(message: str) -> Refusal:
    return Refusal("InvalidParameterCombination", message)


def instance_missing(name: str) -> Refusal:
    return Refusal("DBInstanceNotFound", f"DBInstance {name} not found.")


def instance_busy(name: str, status: str, wanted: str = "available") -> Refusal:
    return Refusal("InvalidDBInstanceState", f"Database instance {name} is {status}; this operation needs it to be {wanted}.")


def cluster_missing(name: str) -> Refusal:
    return Refusal("DBClusterNotFoundFault", f"DBCluster {name} not found.")


def cluster_busy(name: str, status: str, wanted: str = "available") -> Refusal:
    return Refusal("InvalidDBClusterStateFault", f"DBCluster {name} is {status}; this operation needs it to be {wanted}.")
