"""Is the account that the releases are led to what a restore has promised? Only reads."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.cosmos.account import Account, find_account
from shared.databases.cosmos.compare import differences, script_differences
from shared.databases.cosmos.manifest import read
from shared.databases.cosmos.progress import Work, settings_of
from shared.model.checks import CheckResult, failed, passed
from shared.model.cosmos_settings import STRONG, CosmosSettings
from shared.model.naming import listed
from shared.model.restore import DatabaseRestore, Target


def verify(work: Work, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
    """See the port's `verify`. Everything is read again, consistency and stored procedures above all."""
    wanted, subject = settings_of(work.item(restored).settings), work.database.key
    account = find_account(wanted.account, work.calls) if wanted else None
    if wanted is None or account is None or account.instance_id != wanted.instance_id:
        return (failed("cosmos-restored", subject, "The restored account does not exist.", "Restore again."),)
    return tuple(_checks(work, wanted, account))


def _checks(work: Work, wanted: CosmosSettings, account: Account) -> Iterator[CheckResult]:
    subject = work.database.key
    yield passed("cosmos-restored", subject, f"{account.name} is {account.instance_id}")
    if account.is_settled:
        yield passed("cosmos-state", subject, account.state)
    else:
        yield failed("cosmos-state", subject, f"{account.name} is {account.state}.", "See its activity log in the portal.")
    if account.consistency == STRONG:
        yield passed("cosmos-consistency", subject, STRONG)
    else:
        yield failed(
            "cosmos-consistency",
            subject,
            f"The default consistency of {account.name} is {account.consistency or 'not known'}, and ScalarDB needs {STRONG}.",
            f"Stop the releases, az cosmosdb update --default-consistency-level {STRONG}, and start them again.",
        )
    found = read(account, work.now, work.calls)
    if told := differences(wanted, found):
        yield failed(
            "cosmos-settings", subject, listed(list(told.values()), " "), "Put them right by hand, or undo the restore."
        )
    else:
        yield passed("cosmos-settings", subject, "every setting compares equal")
    if work.order.target is Target.IN_PLACE:
        yield _scripts(subject, wanted, found)


def _scripts(subject: str, wanted: CosmosSettings, found: CosmosSettings) -> CheckResult:
    if told := script_differences(wanted, found):
        return failed(
            "cosmos-stored-procedures",
            subject,
            listed(list(told.values()), " "),
            "ScalarDB cannot write there: run the Schema Loader with --repair-all and the schema that was applied last.",
        )
    number = sum(len(container.stored_procedures) for container in wanted.containers)
    return passed("cosmos-stored-procedures", subject, f"all {number} are there")
