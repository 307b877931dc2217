"""The command `scalar-backup`: its global options, its groups, and what becomes of an error."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from shared.cli.backup import backup
from shared.cli.check import check
from shared.cli.deployment import DEFAULT_STACK
from shared.cli.operator import AwsOperator, Operator
from shared.cli.output import note
from shared.cli.plans import plan
from shared.cli.points import points
from shared.cli.restore import restore
from shared.cli.runs import runs
from shared.cli.unpause import unpause
from shared.model.errors import BackupError, InvalidRequest, Temporary

DONE, FAILED, UNREACHABLE, INVALID, UNEXPECTED = 0, 1, 2, 3, 4


class _Application(click.Group):
    """Every way out of a command ends in one of the exit codes."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        try:
            ended = super().main(
                args=args, prog_name=prog_name, complete_var=complete_var, standalone_mode=False,
                windows_expand_args=windows_expand_args, **extra,
            )  # fmt: skip
        except click.UsageError as error:
            error.show()
            sys.exit(INVALID)
        except click.ClickException as error:
            error.show()
            sys.exit(INVALID)
        except click.Abort:
            note("Stopped.")
            sys.exit(FAILED)
        except BackupError as error:
            _explain(error)
            sys.exit(exit_code(error))
        except BrokenPipeError:
            # Whoever read our output has gone (`| head`). Python would complain once more when it flushes stdout.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except Exception as error:  # noqa: BLE001 - the last line of defence: a traceback helps nobody at a terminal
            note(f"Error: unexpected {type(error).__name__}: {_first_line(error)}. The traceback is in {_keep_traceback()}.")
            sys.exit(UNEXPECTED)
        sys.exit(ended if isinstance(ended, int) else DONE)


def exit_code(error: BackupError) -> int:
    if isinstance(error, InvalidRequest):
        return INVALID
    return UNREACHABLE if isinstance(error, Temporary) else FAILED


def _explain(error: BackupError) -> None:
    note(f"Error: {error.message}", style="bold red")
    if error.hint:
        note(error.hint)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:300]


def _keep_traceback() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="scalar-backup-", suffix=".traceback", delete=False, encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return file.name


@click.group(
    cls=_Application,
    epilog="Example: scalar-backup --region ap-northeast-1 backup run orders-prod --wait",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--stack", envvar="SCALAR_BACKUP_STACK", default=DEFAULT_STACK, show_default=True, show_envvar=True,
    help="Name of the CloudFormation stack of the deployment.",
)  # fmt: skip
@click.option(
    "--region", envvar="AWS_REGION", show_envvar=True,
    help="AWS region of the stack. Default: as the AWS profile says.",
)  # fmt: skip
@click.option(
    "--app", metavar="URL", envvar="SCALAR_BACKUP_APP", show_envvar=True,
    help="Address of the function app of a deployment on Azure, such as https://NAME.azurewebsites.net. Its system key "
    "durabletask_extension is taken from SCALAR_BACKUP_APP_KEY. Left out, the deployment is the stack on AWS.",
)  # fmt: skip
@click.version_option(package_name="scalar-backup")
@click.pass_context
def main(context: click.Context, stack: str, region: str | None, app: str | None) -> None:
    """Consistent backups and restores of ScalarDB and ScalarDL on managed cloud databases.

    Exit codes: 0 done; 1 the operation failed; 2 a service could not be reached; 3 wrong usage or invalid input;
    4 anything unexpected; 130 you stopped waiting for a run with Ctrl-C.
    """
    context.obj = context.obj or _operator(stack, region, app)


def _operator(stack: str, region: str | None, app: str | None) -> Operator:
    if app is None:
        return AwsOperator(stack, region)
    from shared.cli.azure_operator import KEY_VARIABLE, AzureOperator

    return AzureOperator(app, os.environ.get(KEY_VARIABLE, ""), os.environ.get("AZURE_RESOURCE_MANAGER", ""))


for _command in (plan, check, backup, restore, runs, points, unpause):
    main.add_command(_command)
