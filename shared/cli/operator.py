"""Who calls, and what a command needs of the deployment that was chosen. Azure's is in `azure_operator`."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from shared.cli.aws_errors import calling
from shared.cli.deployment import Deployment, find_deployment
from shared.cli.engine import Engine, StepFunctionsEngine
from shared.model.cron import eventbridge_cron
from shared.model.errors import InvalidRequest

if TYPE_CHECKING:
    from shared.model.plan import Schedule
    from shared.steps.ports import Catalog, Rooms


class Operator(ABC):
    """One call of the command line, on whichever cloud the deployment is."""

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """The executions and functions of the deployment."""

    @property
    @abstractmethod
    def rooms(self) -> Rooms:
        """Catalog, pods and signals of the deployment."""

    @property
    @abstractmethod
    def rooms_without_deployment(self) -> Rooms:
        """Clusters and pods only, for when neither the deployment nor its catalog can be reached. Rooms are made when first
        used, so those without a name here are never asked."""

    @property
    @abstractmethod
    def region(self) -> str:
        """The AWS region. Raises InvalidRequest when there is none."""

    @abstractmethod
    def about_schedule(self, plan: str, schedule: Schedule) -> str:
        """What there is to do before the schedule of a plan that was just applied takes effect."""

    @property
    def catalog(self) -> Catalog:
        return self.rooms.catalog

    @property
    def can_answer(self) -> bool:
        """Whether somebody is there to be asked."""
        return sys.stdin.isatty()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class AwsOperator(Operator):
    """The stack and region that were chosen, and everything a command needs of them, made when first used. `region` None means:
    as the environment or the AWS profile says."""

    def __init__(self, stack: str, region: str | None) -> None:
        self._stack = stack
        self._region = region

    @cached_property
    def session(self) -> Any:
        import boto3

        with calling("sts:GetCallerIdentity"):
            return boto3.Session(region_name=self._region)

    @cached_property
    def deployment(self) -> Deployment:
        return find_deployment(self.session, self._stack)

    @cached_property
    def engine(self) -> StepFunctionsEngine:
        return StepFunctionsEngine(self.session, self.deployment)

    @cached_property
    def rooms(self) -> Rooms:
        from shared.wiring import operator_rooms

        return operator_rooms(self.deployment.catalog_table, self.deployment.event_bus, self.region)

    @cached_property
    def rooms_without_deployment(self) -> Rooms:
        from shared.wiring import operator_rooms

        return operator_rooms("", "", self.region)

    @property
    def region(self) -> str:
        if not self.session.region_name:
            raise InvalidRequest("No AWS region is set.", hint="Use --region, or set AWS_REGION.")
        return str(self.session.region_name)

    def about_schedule(self, plan: str, schedule: Schedule) -> str:
        """The stack owns its EventBridge schedule, so that it is deployed and reviewed like everything else that runs."""
        return (
            f"The schedule takes effect when the stack is deployed with PlanName={plan} "
            f"ScheduleExpression='{eventbridge_cron(schedule.cron)}' ScheduleTimezone={schedule.timezone}."
        )


# It only looks for an instance of the class and makes none, so an abstract one will do.
pass_operator = click.make_pass_decorator(Operator)  # type: ignore[type-abstract]
