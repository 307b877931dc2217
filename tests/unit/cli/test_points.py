"""`scalar-backup points …` and `runs …`: what the catalog knows, for people and for machines."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shared.model.clock import unmeasured
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace, to_record
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import Run
from shared.steps.evidence import load_evidence
from tests.unit.cli import samples
from tests.unit.cli.samples import AT, DATABASE, PODS, RUN_ID, catalog
from tests.unit.cli.world import World


def test_points_are_listed_with_their_second_and_the_pause_they_took() -> None:
    at = samples.SAFE.point or samples.BEGAN
    heading, row = (
        World(catalog(), at=at + timedelta(minutes=59, seconds=30)).call("points", "list", "orders-prod").stdout.splitlines()
    )
    assert heading.split("  ")[0] == "NAME"
    assert re.split(r"\s{2,}", row) == [
        RUN_ID, "available", AT, "59m 30s", "10.5s", "no end", f"{DATABASE} (2/2)", "pre-upgrade",
    ]  # fmt: skip


def covered(*ends: float) -> DatabaseProtection:
    """Of a database without kept copies; `ends` are seconds after the run began."""
    items = tuple(
        ItemProtection(name=f"orders-db-{number}", phase=ItemPhase.COVERED, restorable_until=samples.after(end))
        for number, end in enumerate(ends)
    )
    return DatabaseProtection(database="rds:ap-northeast-1:orders-db", point=samples.after(27), items=items, done=True)


def with_databases(*protections: DatabaseProtection, phase: PointPhase = PointPhase.AVAILABLE) -> World:
    filled = catalog()
    filled.put_point(replace(samples.point(phase), databases={item.database: item for item in protections}))
    return World(filled)


def test_a_point_says_until_when_each_database_can_be_restored_to_it() -> None:
    kept = samples.protection(ItemPhase.KEPT, ItemPhase.KEPT, ItemPhase.ABSENT)
    said = with_databases(kept, covered(7200, 9000)).call("points", "show", "orders-prod").stdout
    rows = [re.split(r"\s{2,}", line) for line in said.splitlines()]
    assert [DATABASE, "no end", "2 kept: a kept copy does not age"] in rows
    assert ["rds:ap-northeast-1:orders-db", "2026-11-24T05:00:00Z", "2 by point-in-time recovery, 1h left"] in rows
    assert ["INSTANCE", "STATE", "BYTES", "RESTORABLE UNTIL (UTC)", "KEPT COPY"] in rows


@pytest.mark.parametrize(
    ("protections", "phase", "listed"),
    [
        ((samples.protection(ItemPhase.KEPT), covered(7200)), PointPhase.AVAILABLE, "2026-11-24T05:00:00Z"),
        ((samples.protection(ItemPhase.KEPT),), PointPhase.AVAILABLE, "no end"),
        ((samples.protection(ItemPhase.KEPT, ItemPhase.COVERED),), PointPhase.AVAILABLE, "unknown"),
        ((samples.protection(ItemPhase.WAITING, done=False),), PointPhase.CAPTURED, "not yet"),
        ((samples.protection(ItemPhase.KEPT),), PointPhase.EXPIRED, "-"),
    ],
)
def test_a_list_of_points_has_the_earliest_end(
    protections: tuple[DatabaseProtection, ...], phase: PointPhase, listed: str
) -> None:
    row = with_databases(*protections, phase=phase).call("points", "list", "orders-prod").stdout.splitlines()[1]
    assert re.split(r"\s{2,}", row)[5] == listed


def test_a_recovery_window_that_is_over_is_said_so() -> None:
    assert "1 by point-in-time recovery, over" in with_databases(covered(60)).call("points", "show", "orders-prod").stdout


def test_a_database_that_is_still_being_protected_says_what_it_waits_for() -> None:
    waiting = replace(samples.protection(ItemPhase.WAITING, done=False), message="waiting for PITR")
    said = with_databases(waiting, phase=PointPhase.CAPTURED).call("points", "show", "orders-prod", RUN_ID).stdout
    assert [DATABASE, "not yet", "waiting for PITR"] in [re.split(r"\s{2,}", line) for line in said.splitlines()]


def test_an_invalid_point_is_listed_too() -> None:
    row = World(catalog(PointPhase.INVALID)).call("points", "list", "orders-prod").stdout.splitlines()[1]
    assert re.split(r"\s{2,}", row)[1:3] == ["invalid", "-"]


def test_the_points_of_an_unknown_plan_are_refused() -> None:
    assert World(catalog()).call("points", "list", "orders").exit_code == 3


@pytest.mark.parametrize("arguments", [("orders-prod",), ("orders-prod", "latest"), ("orders-prod", RUN_ID)])
def test_the_latest_point_is_shown_unless_another_is_named(arguments: tuple[str, ...]) -> None:
    result = World(catalog()).call("points", "show", *arguments)
    assert result.exit_code == 0
    assert f"point:      {AT}" in result.stdout.splitlines()
    assert "paused for: 10.5s, 3 pods, attempt 2" in result.stdout.splitlines()


def test_an_unknown_point_is_answered_with_the_points_that_exist() -> None:
    result = World(catalog()).call("points", "show", "orders-prod", "nothing")
    assert result.exit_code == 3
    assert RUN_ID in result.stderr


def test_the_document_of_a_point_holds_the_whole_evidence() -> None:
    document = json.loads(World(catalog()).call("points", "show", "orders-prod", "latest", "-o", "json").stdout)
    evidence = document["evidence"]
    assert (document["id"], document["at"], document["phase"]) == (RUN_ID, AT, "available")
    assert [item["pod"] for item in evidence["pause"]["acknowledgements"]] == list(PODS)
    assert len(evidence["capture"]["samples"]) == 10
    assert evidence["resume"]["sample"]["not_paused"] == []
    for moment in ("before", "after"):
        (snapshot,) = evidence[moment]
        assert [pod["name"] for pod in snapshot["pods"]] == list(PODS)
        assert snapshot["deployment"]["generation"] == 1
    assert evidence["pause"]["confirmed"]["clocks"][DATABASE]["upper_seconds"] == 0.031
    assert set(document["window"]["safe_by_database"][DATABASE]) == {"start", "end", "is_assumed"}


def test_the_document_has_fields_with_their_defaults_too() -> None:
    document = json.loads(World(catalog()).call("points", "show", "orders-prod", "-o", "json").stdout)
    assert set(document) == {*RestorePoint.__struct_fields__, "evidence"}
    assert document["cause"] is None


def test_a_point_is_explained_with_its_numbers() -> None:
    said = World(catalog()).call("points", "explain", "orders-prod").stdout
    for sentence in (
        f"{RUN_ID} is available: every database of orders-prod as of {AT}. Reason: pre-upgrade.",
        "A pause was needed: dynamodb:ap-northeast-1 does not cut all tables at one consistent moment.",
        "It comes from attempt 2; no earlier window could be proven",
        "All 3 pods were paused for 10.5 s: the last one confirmed at 2026-11-24T03:00:21.400000Z, 1.40 s after the first",
        "CheckPaused was true on every pod in 11 of 11 samples",
        "the same 3 pods throughout",
        "its clock differs from ours by -0.012 s to +0.031 s (21 answers measured)",
        "with 0.5 s kept free at both ends",
        "is the whole second nearest the middle",
        f"{DATABASE}: 2 tables, 2 with a kept copy (2,000 bytes)",
    ):
        assert sentence in said


def test_an_unmeasured_clock_is_admitted() -> None:
    filled = catalog()
    paused = replace(samples.CONFIRMED, clocks={DATABASE: unmeasured(samples.after(19), "no Date header")})
    filled.put_document(RUN_ID, "attempt/2/pause", to_record(replace(samples.pause_evidence(), confirmed=paused)))
    said = World(filled).call("points", "explain", "orders-prod").stdout
    assert "its clock could not be measured (no Date header), so the vendor's rule was used" in said


def test_an_invalid_point_is_explained_by_the_cause_of_each_attempt() -> None:
    result = World(catalog(PointPhase.INVALID)).call("points", "explain", "orders-prod", RUN_ID)
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"- {RUN_ID} is invalid: there is no second to restore to.")
    assert [line.partition(" at ")[0] for line in lines[1:3]] == ["- Attempt 1", "- Attempt 2"]
    assert all("container scalardb of pod a restarted" in line and "[container-restarted]" in line for line in lines[1:3])
    assert "scalar-backup backup run orders-prod" in lines[-1]


def test_a_point_without_a_pause_is_explained() -> None:
    filled = catalog()
    filled.put_point(replace(samples.point(), window=None))
    assert "without its fraction" in World(filled).call("points", "explain", "orders-prod").stdout


def test_a_timeline_is_written_and_its_path_printed(tmp_path: Path) -> None:
    file = tmp_path / "window.svg"
    result = World(catalog()).call("points", "timeline", "orders-prod", "--svg", str(file))
    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    assert ElementTree.parse(file).getroot().tag.endswith("svg")


def test_a_point_without_a_window_has_no_timeline(tmp_path: Path) -> None:
    filled = catalog()
    filled.put_point(replace(samples.point(), window=None))
    result = World(filled).call("points", "timeline", "orders-prod", "--svg", str(tmp_path / "x.svg"))
    assert result.exit_code == 3
    assert "has no pause window to draw" in result.stderr


def test_a_timeline_that_cannot_be_written_is_wrong_usage(tmp_path: Path) -> None:
    result = World(catalog()).call("points", "timeline", "orders-prod", "--svg", str(tmp_path / "no" / "x.svg"))
    assert result.exit_code == 3


def test_runs_are_listed_with_what_came_of_them() -> None:
    row = World(catalog(PointPhase.INVALID)).call("runs", "list", "orders-prod").stdout.splitlines()[1]
    cells = re.split(r"\s{2,}", row)
    assert cells[:3] == [RUN_ID, "backup", "failed"]
    assert cells[4:6] == ["1m 35s", "2"]
    assert cells[-1] == "container scalardb of pod a restarted"


def test_a_run_is_shown_with_every_attempt_and_its_cause() -> None:
    result = World(catalog()).call("runs", "show", RUN_ID)
    assert "container-restarted: container scalardb of pod a restarted The window is tried again." in result.stdout
    document = json.loads(World(catalog()).call("runs", "show", RUN_ID, "-o", "json").stdout)
    assert set(document) == set(Run.__struct_fields__)


def test_an_unknown_run_is_wrong_usage() -> None:
    assert World(catalog()).call("runs", "show", "orders-prod-20260101T000000Z-00000000").exit_code == 3


def test_the_samples_are_evidence_that_the_steps_read() -> None:
    assert load_evidence(catalog(), RUN_ID, 2).capture == samples.capture_evidence()
