"""Which errors ErrorEquals matches.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html: States.ALL does not match the
terminal errors States.DataLimitExceeded and States.Runtime; States.TaskFailed matches everything but States.Timeout.
"""

from __future__ import annotations

from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl

_TERMINAL = {"States.DataLimitExceeded", "States.Runtime"}
_NOT_A_FAILED_TASK = _TERMINAL | {"States.Timeout", "States.HeartbeatTimeout"}


def install() -> None:
    """Replace moto's matching."""
    ErrorEqualsDecl._eval_body = _matches


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
