"""Which errors ErrorEquals matches, and under which name the failure of an iteration or a branch arrives behind it.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: States.ALL does not match the
terminal errors States.DataLimitExceeded and States.Runtime; States.TaskFailed matches everything but States.Timeout.
What fails inside a Map or Parallel fails it under the same name, AWS's own names (States.TaskFailed) included.
"""

from __future__ import annotations

from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl

_TERMINAL = {"States.DataLimitExceeded", "States.Runtime"}
_NOT_A_FAILED_TASK = _TERMINAL | {"States.Timeout", "States.HeartbeatTimeout"}


class _NameFromWithin(ErrorName):
    """moto takes it for a name that the definition made up, and refuses AWS's own."""


def install() -> None:
    """Replace moto's matching, and how it passes an error on."""
    ErrorEqualsDecl._eval_body = _matches
    iteration_worker.CustomErrorName = _NameFromWithin
    branches_decl.CustomErrorName = _NameFromWithin


def _matches(declaration: Any, env: Any) -> None:
    error = env.stack.pop().error_name
    named = {name.error_name for name in declaration.error_names}
    env.stack.append(
        error in named
        or ("States.ALL" in named and error not in _TERMINAL)
        or ("States.TaskFailed" in named and error not in _NOT_A_FAILED_TASK)
        # Every time-out of a task is a States.Timeout too.
        or ("States.Timeout" in named and error == "States.HeartbeatTimeout")
    )
