"""Step Functions made faithful: moto's interpreter of the Amazon States Language with its deviations repaired."""

from infra.sandbox.aws.step_functions.executions import stop_all
from infra.sandbox.aws.step_functions.overlay import install

__all__ = ["install", "stop_all"]
