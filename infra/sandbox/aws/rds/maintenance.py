"""What an account is asked before its databases are touched: maintenance and blue/green deployments. Here there are none."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds.requests import Operation, Request


def _pending_actions(_: Request) -> dict[str, Any]:
    return {"PendingMaintenanceActions": []}


def _blue_green_deployments(_: Request) -> dict[str, Any]:
    return {"BlueGreenDeployments": []}


OPERATIONS: dict[str, Operation] = {
    "DescribePendingMaintenanceActions": _pending_actions,
    "DescribeBlueGreenDeployments": _blue_green_deployments,
}
