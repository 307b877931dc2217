"""All accounts of Cosmos DB: those that exist, whose names are the world's, and those deleted that can still be restored."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.sandbox.azure.arm.operations import Operations
from infra.sandbox.azure.arm.requests import Request
from infra.sandbox.azure.cosmos.accounts import NAMESPACE, Account, region_id
from infra.sandbox.azure.cosmos.contents import RETENTION_SECONDS
from infra.sandbox.azure.refusals import RefusedError
from infra.sandbox.azure.settings import Settings

API_VERSION = "2026-03-15"
ACCOUNT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DocumentDB/databaseAccounts/{account}"


@dataclass
class Inventory:
    """`accounts` by name. `taken_names` are accounts of other people."""

    settings: Settings
    operations: Operations
    accounts: dict[str, Account] = field(default_factory=dict)
    deleted: list[Account] = field(default_factory=list)
    taken_names: set[str] = field(default_factory=set)

    def account(self, request: Request) -> Account:
        """The one that the path names. RefusedError when there is none."""
        found = self.find(request)
        if found is None:
            what = f"{NAMESPACE}/databaseAccounts/{request.names['account']}"
            message = f"The Resource '{what}' under resource group '{request.names['group']}' was not found."
            raise RefusedError(404, "ResourceNotFound", message)
        return found

    def find(self, request: Request) -> Account | None:
        found = self.accounts.get(request.names["account"].lower())
        if found is None or found.group.lower() != request.names["group"].lower():
            return None
        return found

    def ready_account(self, request: Request) -> Account:
        """One whose data can be reached, whatever is being changed about it."""
        found = self.account(request)
        if found.state not in ("Succeeded", "Updating"):
            raise RefusedError(
                412, "PreconditionFailed", f"Database account {found.name} is in state {found.state}: it is not ready yet."
            )
        return found

    def unlocked_account(self, request: Request) -> Account:
        """One of which nothing is being changed."""
        found = self.account(request)
        if self.operations.running(found.id):
            raise RefusedError(
                412,
                "PreconditionFailed",
                f"There is already an operation in progress which requires exclusive lock on this service {found.name}. Please "
                "retry the operation after sometime.",
            )
        return found

    def check_name_free(self, name: str) -> None:
        if name in self.accounts or name in self.taken_names:
            raise RefusedError(409, "Conflict", f"Dns record for {name} under zone Documents is already taken.")

    def check_quota(self) -> None:
        if len(self.accounts) >= self.settings.cosmos_max_accounts:
            most = round(self.settings.cosmos_max_accounts)
            message = f"The subscription has reached its limit of {most} database accounts; ask support for a higher one."
            raise RefusedError(409, "QuotaExceeded", message)

    def restorable(self, now: float) -> list[Account]:
        """Accounts with continuous backup, and those that were deleted within their recovery window."""
        alive = [account for account in self.accounts.values() if account.tier and account.state in ("Succeeded", "Updating")]
        gone = [each for each in self.deleted if each.tier and (each.deleted_at or 0) > now - RETENTION_SECONDS[each.tier]]
        return alive + gone

    def restorable_account(self, location: str, instance_id: str, now: float) -> Account:
        for account in self.restorable(now):
            regions = {region_id(region["locationName"]) for region in account.regions}
            if account.instance_id == instance_id.lower() and region_id(location) in regions:
                return account
        message = f"The restorable database account {instance_id} could not be found in location {location}."
        raise RefusedError(404, "NotFound", message)

    def forget(self, account: Account, now: float) -> None:
        """The end of a deletion."""
        del self.accounts[account.name]
        if account.tier is not None:
            account.deleted_at = now
            self.deleted.append(account)
