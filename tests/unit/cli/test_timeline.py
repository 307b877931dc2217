"""The picture of a pause window."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from shared.cli.timeline import LANES_SHOWN, timeline_svg
from shared.model.records import replace
from shared.model.restore_point import PointPhase
from shared.model.run import Acknowledgement, Evidence, PausedSample
from shared.steps.evidence import load_evidence
from tests.unit.cli import samples
from tests.unit.cli.samples import AT, DATABASE, PODS, RUN_ID, after, catalog

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def evidence() -> Evidence:
    return load_evidence(catalog(), RUN_ID, 2)


def shapes(svg: str, style: str) -> list[ElementTree.Element]:
    return [item for item in ElementTree.fromstring(svg).iter() if item.get("class") == style and item.get("width") != "22"]


def span(bar: ElementTree.Element) -> tuple[float, float]:
    left = float(bar.get("x", "nan"))
    return left, left + float(bar.get("width", "nan"))


def test_the_chosen_second_lies_inside_every_bar(evidence: Evidence) -> None:
    svg = timeline_svg(samples.point(), evidence)
    (second,) = (span(bar) for bar in shapes(svg, "second"))
    for style in ("paused", "window", "safe"):
        for bar in shapes(svg, style):
            start, end = span(bar)
            assert start < second[0] < second[1] < end, style
    assert f"restore point {AT[11:19]} UTC" in svg


def test_every_pod_has_a_lane_and_every_sample_a_tick(evidence: Evidence) -> None:
    svg = timeline_svg(samples.point(), evidence)
    assert len(shapes(svg, "paused")) == len(PODS)
    assert len(shapes(svg, "tick")) == len(PODS) * 11
    assert all(pod in svg for pod in PODS)
    assert DATABASE in svg


def test_a_sample_that_disproves_the_pause_stands_out(evidence: Evidence) -> None:
    broken = PausedSample(asked_at=after(25), paused=2, not_paused=(PODS[0],))
    capture = replace(samples.capture_evidence(), samples=(broken,))
    svg = timeline_svg(samples.point(PointPhase.INVALID), replace(evidence, capture=capture))
    assert len(shapes(svg, "broken")) == 1
    assert "no restore point, the window is invalid" in svg


def test_of_a_thousand_pods_the_slowest_are_drawn(evidence: Evidence) -> None:
    pods = tuple(f"pod-{number:04}" for number in range(1000))
    many = replace(evidence, pause=samples.pause_evidence(pods), resume=samples.resume_evidence(pods))
    svg = timeline_svg(samples.point(), many)
    assert len(shapes(svg, "paused")) == LANES_SHOWN
    assert f"Pods (the last {LANES_SHOWN} of 1000)" in svg
    assert "pod-0999" in svg
    assert "pod-0000" not in svg


def test_a_pause_that_failed_is_drawn_as_far_as_it_came(evidence: Evidence) -> None:
    lost = Acknowledgement(pod=PODS[0], outcome="unknown")
    pause = replace(samples.pause_evidence(), confirmed=None, acknowledgements=(lost,))
    svg = timeline_svg(samples.point(PointPhase.INVALID), Evidence(attempt=2, pause=pause))
    assert len(shapes(svg, "drain assumed")) == 1
    assert "not proven" in svg


def test_names_cannot_break_the_picture(evidence: Evidence) -> None:
    svg = timeline_svg(replace(samples.point(), plan='<script>"&'), evidence)
    assert ElementTree.fromstring(svg).findtext(f"{SVG}title", "").startswith('<script>"&: restore point')


def test_the_picture_needs_nothing_from_elsewhere_and_knows_the_dark(evidence: Evidence) -> None:
    svg = timeline_svg(samples.point(), evidence)
    assert "prefers-color-scheme: dark" in svg
    assert svg.count("http") == 1
    assert "@import" not in svg


def test_without_a_pause_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no Pause that was sent"):
        timeline_svg(samples.point(), Evidence(attempt=1))
