"""A flexible server with no setting at its default, and the loops that an engine makes, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shared.databases.flexible_servers import FlexibleServerAccess
from shared.databases.flexible_servers.engines import POSTGRESQL, Engine
from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.servers import Parameter
from shared.model.plan import FlexibleServer
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, RestoreStage, Target
from shared.model.server_settings import EntraAdministrator, MaintenanceWindow, ServerSettings
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_servers import FakeServer, FakeServers, Killed

NAME, STAMP, RUN = "orders", "20261124t040000z", "orders-20261124T040000Z-1f2e3d4c"
SIDE = f"{NAME}-r{STAMP}"
GROUP_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers"
HOST = f"{NAME}.postgres.database.azure.com"
ADMINISTRATOR = EntraAdministrator(object_id="11", name="dba", kind="Group", tenant="t")
FULL = ServerSettings(
    server=NAME,
    resource_id=f"{GROUP_ID}/{NAME}",
    created_at="2026-01-01T00:00:00Z",
    endpoint=HOST,
    port=5432,
    engine="postgresql",
    version="16",
    location="westeurope",
    administrator_login="root",
    zone="2",
    geo_redundant_backup=True,
    storage_type="PremiumV2_LRS",
    encryption="AzureKeyVault",
    key_uri="https://vault/keys/1",
    key_identity="/identities/keys",
    geo_key_uri="https://vault/keys/2",
    geo_key_identity="/identities/geo",
    sku="Standard_D4ds_v5",
    tier="GeneralPurpose",
    storage_gib=256,
    auto_grow=True,
    storage_tier="P20",
    iops=4000,
    throughput_mib=250,
    auto_io_scaling=True,
    log_on_disk=True,
    ha_mode="ZoneRedundant",
    standby_zone="3",
    retention_days=14,
    backup_interval_hours=12,
    maintenance=MaintenanceWindow(day=6, hour=2, minute=30),
    public_access=True,
    identity_kind="UserAssigned",
    user_identities=("/identities/keys",),
    entra_auth=True,
    password_auth=False,
    tenant="t",
    private_endpoints=("/endpoints/1",),
)
PARAMETERS = (
    Parameter("max_connections", "500", "859", is_override=True),
    Parameter("work_mem", "8192", "4096", is_override=True),
    Parameter("timezone", "UTC", "UTC"),
    Parameter("server_version_num", "160009", "160009", is_override=True, is_read_only=True),
)


class ServersWorld:
    def __init__(self, kind: Engine = POSTGRESQL, *, snapshot: bool = False, **settings: Any) -> None:
        self.clock = FakeClock()
        self.servers = FakeServers(self.clock, kind)
        live = FakeServer(replace(FULL, **settings), "first", tags={"team": "payments"}, ha_state="Healthy")
        live.earliest = self.clock.now()
        live.parameters = {one.name: one for one in PARAMETERS}
        live.static = frozenset({"max_connections"})
        if not live.settings.is_private:
            live.firewall = {"office": ("10.0.0.1", "10.0.0.9"), "pods": ("10.1.0.1", "10.1.0.1")}
        live.people = {ADMINISTRATOR.object_id: ADMINISTRATOR}
        live.replicas = ("orders-reader",)
        live.written = [(self.clock.now(), "first")]
        self.servers.there[NAME] = live
        self.clock.advance(7200)
        self.point = self.clock.now().replace(microsecond=0)
        self.clock.advance(60)
        self.servers.write(NAME, "second")
        self.clock.advance(600)
        self.database = FlexibleServer(engine=kind.name, subscription="s", resource_group="g", server=NAME, snapshot=snapshot)
        self.access = self.new_process()

    def new_process(self) -> FlexibleServerAccess:
        return FlexibleServerAccess(None, self.clock, open_servers=lambda *_: self.servers)

    @property
    def live(self) -> FakeServer:
        return self.servers.there[NAME]

    @property
    def side(self) -> FakeServer:
        return self.servers.there[SIDE]

    def settings(self, name: str = NAME) -> ServerSettings:
        server = self.servers.server(name)
        assert server is not None
        return read(server, self.clock.now(), self.servers)

    def protect(self, arn: str = "", note: str = "", point: datetime | None = None) -> DatabaseProtection:
        point = point or self.point
        item = ItemProtection(name=NAME, phase=ItemPhase.WAITING, backup_arn=arn, note=note)
        reached = DatabaseProtection(database=self.database.key, point=point, items=(item,))
        for _ in range(200):
            reached = self.access.protect(self.database, (), point, True, reached)
            reached = from_record(to_record(reached), DatabaseProtection)
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done: {reached}")

    def order(self, protection: DatabaseProtection | None = None, **more: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": self.database,
            "run": RUN,
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": protection.point if protection else self.point,
            "protection": protection,
        }
        return RestoreOrder(**{**given, **more})

    def until(
        self,
        call: Callable[[DatabaseRestore | None], DatabaseRestore],
        reached: DatabaseRestore | None = None,
        between: Callable[[], object] = lambda: None,
    ) -> DatabaseRestore:
        """Calls until done; what is returned goes through the catalog's form. A killed process is started again."""
        for _ in range(3_000):
            between()
            try:
                reached = from_record(to_record(call(reached)), DatabaseRestore)
            except Killed:
                self.servers.kill_at = None
                self.access = self.new_process()
                continue
            if reached.done:
                return reached
            assert 1 <= reached.wait_seconds <= 60
            self.clock.advance(reached.wait_seconds)
        raise AssertionError(f"not done after 3,000 calls: {reached}")

    def prepare(self, order: RestoreOrder, reached: DatabaseRestore | None = None) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.restore(order, so_far), reached)

    def cut_over(self, order: RestoreOrder, reached: DatabaseRestore) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.cut_over(order, so_far or reached), reached)

    def restore(self, order: RestoreOrder) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order))

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        done = self.until(lambda so_far: self.access.discard(order, so_far or restored), None)
        assert done.stage is RestoreStage.DISCARDED
        return done

    def undo(self, order: RestoreOrder, restored: DatabaseRestore) -> RestoreOrder:
        stamp = order.stamp.replace("t04", "t05")
        return self.order(run=order.run.replace("T04", "T05"), stamp=stamp, at=None, undo=restored)

    def later(self, hours: float) -> None:
        self.clock.advance(timedelta(hours=hours).total_seconds())


def leading_to(host: str) -> ReleaseStorage:
    storage = Storage(name="default", kind="jdbc", contact_point=f"jdbc:postgresql://{host}:5432/postgres")
    return ReleaseStorage(release="g/aks/ns/scalardb", source="config", storages=(storage,))
