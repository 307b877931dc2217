"""The keys of a written plan, section by section: types, limits, defaults and examples, which also make the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from shared.model.cron import check_cron
from shared.model.durations import format_duration
from shared.model.plan import BackupSettings, PauseSettings, Plan, Retention, Schedule
from shared.model.plan_document.database_sections import DatabaseSection
from shared.model.plan_document.release_sections import ParticipantSection, ReleaseSection
from shared.model.plan_document.section import Seconds, Section, refuse_duplicates

RESUME_ALLOWANCE_SECONDS = 25.0
"""What a window needs beyond hold and drain: the calls themselves, the CheckPaused samples, the resume and its proof."""
LONGEST_DRAIN_SECONDS = 120.0
"""A Pause waits without a word on its connection. gRPC servers end one that is kept alive for much longer than two minutes
("too many pings"), and the answer is lost."""
LONGEST_PAUSE_SECONDS = 600.0
"""Capture waits for the hold inside one function, and Lambda ends a function after 900 s."""

EXAMPLE: dict[str, Any] = {
    "name": "orders-prod",
    "releases": [
        {"cluster": {"eks": "prod-tokyo", "region": "ap-northeast-1"}, "namespace": "scalar", "helm_release": "orders"}
    ],
    "databases": [{"dynamodb": {"region": "ap-northeast-1"}}],
    "pause": {"hold": "10s", "drain": "65s", "max_pause": "3m", "attempts": 3},
    "backup": {"kept_copy": True},
    "schedule": {"cron": "0 3 * * *", "timezone": "Asia/Tokyo"},
    "retention": {"keep_days": 35, "keep_at_least": 7},
}


def _time_zone(name: str) -> str:
    """Source: the IANA time zone database of this machine, or of the package `tzdata`."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # OSError: the name of one of the database's folders, such as "Asia"
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Tokyo or Etc/UTC") from error
    return name


Cron = Annotated[str, AfterValidator(check_cron)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class PauseSection(Section):
    """How the pods are paused. hold + drain + 25 s may not be more than max_pause."""

    hold: Annotated[Seconds, Field(ge=1, examples=["10s"])] = PauseSettings().hold_seconds
    """The least time every pod stays paused. The vendor's guides say about ten seconds."""
    drain: Annotated[Seconds, Field(ge=1, le=LONGEST_DRAIN_SECONDS, examples=["65s"])] = PauseSettings().drain_seconds
    """How long a pod may wait for outstanding transactions. ScalarDB gives up an abandoned one after 60 s."""
    max_pause: Annotated[Seconds, Field(le=LONGEST_PAUSE_SECONDS, examples=["3m"])] = PauseSettings().max_pause_seconds
    """When the watchdog resumes the pods, whatever has happened. At most 10 minutes."""
    attempts: Annotated[int, Field(ge=1, le=10, examples=[3])] = PauseSettings().attempts
    """How many pause windows a run may try before it fails."""
    margin: Annotated[Seconds, Field(ge=0, le=10, examples=["0.5s"])] = PauseSettings().margin_seconds
    """Kept free at both ends of the window on every database's clock."""
    transport: Annotated[Literal["auto", "direct", "port-forward"], Field(examples=["auto"])] = "auto"
    """The way to the pods. direct: to their own addresses. port-forward: through the cluster's API server, for pods whose
    addresses only the cluster can reach. auto: direct where that works, tried before the pause."""
    strict: Annotated[bool, Field(examples=[False])] = PauseSettings().strict
    """Compare resourceVersions of pods and Deployments too, as the vendor's guide does by hand: then a changed annotation or
    a readiness flap voids the window."""

    @model_validator(mode="after")
    def _fits_max_pause(self) -> PauseSection:
        needed = self.hold + self.drain + RESUME_ALLOWANCE_SECONDS
        if needed > self.max_pause:
            raise ValueError(
                f"hold {format_duration(self.hold)} + drain {format_duration(self.drain)} + "
                f"{format_duration(RESUME_ALLOWANCE_SECONDS)} = {format_duration(needed)} is more than "
                f"max_pause {format_duration(self.max_pause)}; raise max_pause (at most 10m) or lower hold or drain"
            )
        return self

    def to_settings(self) -> PauseSettings:
        return PauseSettings(
            hold_seconds=self.hold,
            drain_seconds=self.drain,
            max_pause_seconds=self.max_pause,
            attempts=self.attempts,
            margin_seconds=self.margin,
            transport=self.transport,
            strict=self.strict,
        )


class BackupSection(Section):
    """How the restore point is kept."""

    kept_copy: Annotated[bool, Field(examples=[True])] = BackupSettings().kept_copy
    """DynamoDB: keep an on-demand backup of the restore point that outlives the point-in-time recovery window. Relational
    databases have `snapshot` for that, in their own entries; Cosmos DB has its continuous backup only."""


class ScheduleSection(Section):
    """When backups run by themselves."""

    cron: Annotated[Cron, Field(examples=["0 3 * * *"])]
    """Minute, hour, day of month, month, day of week."""
    timezone: Annotated[TimeZone, Field(examples=["Asia/Tokyo"])]
    """IANA time zone. The wall-clock time of this zone is kept when its clocks change."""


class RetentionSection(Section):
    """How long restore points are kept."""

    keep_days: Annotated[int, Field(ge=1, examples=[35])] = Retention().keep_days
    """Days after which a restore point expires."""
    keep_at_least: Annotated[int, Field(ge=1, examples=[7])] = Retention().keep_at_least
    """The newest good points that never expire, however old they are."""


class PlanDocument(Section):
    """What is backed up together, and how."""

    model_config = ConfigDict(title="scalar-backup plan", json_schema_extra={"examples": [EXAMPLE]})

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["orders-prod"])]
    """Name of the plan: lower-case letters, digits and hyphens, at most 40."""
    releases: Annotated[tuple[ReleaseSection, ...], Field(strict=False, min_length=1, examples=[EXAMPLE["releases"]])]
    """The Helm releases that are paused together."""
    participants: Annotated[
        tuple[ParticipantSection, ...],
        Field(
            strict=False,
            examples=[
                [
                    {
                        "name": "orders-api",
                        "cluster": EXAMPLE["releases"][0]["cluster"],
                        "namespace": "scalar",
                        "selector": "app=orders-api",
                        "admin_port": 60053,
                    }
                ]
            ],
        ),
    ] = ()
    """What else is paused together with them, because it writes through ScalarDB too."""
    databases: Annotated[tuple[DatabaseSection, ...], Field(strict=False, min_length=1, examples=[EXAMPLE["databases"]])]
    """The databases that get one common restore point."""
    two_phase_commit: Annotated[bool, Field(examples=[False])] = False
    """Transactions run through several of the releases. No properties file shows it; with it, a pause is always needed."""
    pause: Annotated[PauseSection, Field(examples=[EXAMPLE["pause"]])] = PauseSection()
    """How the pods are paused."""
    backup: Annotated[BackupSection, Field(examples=[EXAMPLE["backup"]])] = BackupSection()
    """How the restore point is kept."""
    schedule: Annotated[ScheduleSection | None, Field(examples=[EXAMPLE["schedule"]])] = None
    """When backups run by themselves. Left out, they run on demand and on events only."""
    retention: Annotated[RetentionSection, Field(examples=[EXAMPLE["retention"]])] = RetentionSection()
    """How long restore points are kept."""

    @field_validator("releases")
    @classmethod
    def _refuse_duplicate_releases(cls, releases: tuple[ReleaseSection, ...]) -> tuple[ReleaseSection, ...]:
        refuse_duplicates("release", [item.to_release().key for item in releases])
        return releases

    @field_validator("participants")
    @classmethod
    def _refuse_duplicate_participants(
        cls, participants: tuple[ParticipantSection, ...], info: ValidationInfo
    ) -> tuple[ParticipantSection, ...]:
        """Beside the releases too: the name is part of the key by which both are known."""
        releases: tuple[ReleaseSection, ...] = info.data.get("releases", ())
        keys = [release.to_release().key for release in releases]
        refuse_duplicates("release or participant", keys + [item.to_release().key for item in participants])
        return participants

    @field_validator("databases")
    @classmethod
    def _refuse_duplicate_databases(cls, databases: tuple[DatabaseSection, ...]) -> tuple[DatabaseSection, ...]:
        refuse_duplicates("database", [item.to_database().key for item in databases])
        return databases

    def to_plan(self) -> Plan:
        return Plan(
            name=self.name,
            releases=(
                *(release.to_release() for release in self.releases),
                *(participant.to_release() for participant in self.participants),
            ),
            databases=tuple(database.to_database() for database in self.databases),
            two_phase_commit=self.two_phase_commit,
            pause=self.pause.to_settings(),
            backup=BackupSettings(kept_copy=self.backup.kept_copy),
            schedule=Schedule(cron=self.schedule.cron, timezone=self.schedule.timezone) if self.schedule else None,
            retention=Retention(keep_days=self.retention.keep_days, keep_at_least=self.retention.keep_at_least),
        )


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a plan, with descriptions, units, defaults and examples."""
    schema = PlanDocument.model_json_schema()
    for key in ("hold", "drain", "max_pause", "margin"):
        field = schema["$defs"]["PauseSection"]["properties"][key]
        field["default"] = format_duration(field["default"])
    for key in ("pause", "backup", "retention"):
        del schema["properties"][key]["default"]  # each key of the section has its own
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
