"""A pause window as a picture: one self-contained SVG, light or dark as its reader prefers, without fonts or scripts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape

from shared.model.restore_point import RestorePoint
from shared.model.run import Evidence, PausedSample, PauseEvidence
from shared.model.times import iso
from shared.model.window import PRECISION, SafeInterval

WIDTH, GUTTER, RIGHT, TOP = 1040, 270, 28, 92
LANE, BAR = 26, 14
LANES_SHOWN = 40
"""Pods with a lane of their own; of a thousand pods the slowest to confirm are drawn, because they made the window short."""
_LABEL_CHARACTERS = 36
_TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120)
_TICKS_AT_MOST = 12

_STYLE = """
  svg { --ground: #ffffff; --ink: #1d2733; --faint: #66717e; --rule: #e3e7ec; --drain: #e9b44c; --paused: #4a86c5;
        --tick: #ffffff; --window: #8a63b8; --safe: #2e9e6b; --point: #c8324b; }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #12171d; --ink: #e6ebf0; --faint: #98a4b1; --rule: #29323c; --drain: #c9973a; --paused: #5b97d6;
          --tick: #12171d; --window: #a684d3; --safe: #3fbf86; --point: #ff6b81; }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
  .title { font-size: 17px; font-weight: 600; } .faint { fill: var(--faint); } .small { font-size: 11px; }
  .lane { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 11px; }
  .ground { fill: var(--ground); } .rule { stroke: var(--rule); }
  .drain { fill: var(--drain); } .paused { fill: var(--paused); }
  .window { fill: var(--window); } .safe { fill: var(--safe); } .assumed { fill-opacity: .5; }
  .tick { stroke: var(--tick); stroke-width: 1.5; } .broken { fill: var(--point); }
  .point { stroke: var(--point); stroke-width: 2; } .second { fill: var(--point); fill-opacity: .14; }
  .label { fill: var(--point); font-weight: 600; }
"""


class _Pod(NamedTuple):
    """One lane. `confirmed_at` and `open_at` are None when the pod's answer never came."""

    name: str
    confirmed_at: datetime | None
    open_at: datetime | None


class _Scale(NamedTuple):
    """From times to pixels."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    def x(self, moment: datetime) -> float:
        return GUTTER + (moment - self.start).total_seconds() / self.seconds * (WIDTH - GUTTER - RIGHT)


def timeline_svg(point: RestorePoint, evidence: Evidence) -> str:
    """The window of one attempt: a lane per pod, the pause window, the safe interval of each database, the chosen second.

    Pods and the window are drawn on our own clock, a safe interval on its database's clock.

    Raises:
        ValueError: no Pause was ever sent, so there is nothing to draw.
    """
    pause = evidence.pause
    if pause is None or pause.first_sent_at is None:
        raise ValueError("the evidence holds no Pause that was sent")
    pods = _pods(pause, pause.first_sent_at, evidence)
    shown = sorted(pods, key=lambda pod: pod.confirmed_at or datetime.max.replace(tzinfo=UTC))[-LANES_SHOWN:]
    drawing = _Drawing(_scale(point, evidence, pods, pause.first_sent_at))
    drawing.heading(f"Pods ({len(pods)})" if len(pods) == len(shown) else f"Pods (the last {len(shown)} of {len(pods)})")
    samples = _samples(evidence)
    for pod in sorted(shown, key=lambda pod: pod.name):
        drawing.pod(pod, pause.first_sent_at, samples)
    drawing.heading("Pause window")
    drawing.window(pause, evidence)
    if point.window:
        drawing.heading("Safe interval, on each database's clock")
        for database, interval in point.window.safe_by_database.items():
            drawing.safe(database, interval)
    return drawing.finished(point)


def _pods(pause: PauseEvidence, sent_at: datetime, evidence: Evidence) -> list[_Pod]:
    begun = evidence.resume.begun.at if evidence.resume and evidence.resume.begun else None
    resumed = {item.pod: item for item in evidence.resume.pods} if evidence.resume else {}
    pods = []
    for item in pause.acknowledgements:
        answered = sent_at + timedelta(milliseconds=item.answered_ms) if item.outcome == "paused" else None
        opened = resumed.get(item.pod)
        open_at = begun + timedelta(milliseconds=opened.answered_ms) if begun and opened and not opened.problem else None
        pods.append(_Pod(item.pod, answered, open_at))
    return pods


def _samples(evidence: Evidence) -> list[PausedSample]:
    last = [evidence.resume.sample] if evidence.resume and evidence.resume.sample else []
    return [*(evidence.capture.samples if evidence.capture else ()), *last]


def _scale(point: RestorePoint, evidence: Evidence, pods: list[_Pod], sent_at: datetime) -> _Scale:
    """Everything that is drawn, and a little air at both ends."""
    times = [sent_at, *(moment for pod in pods for moment in (pod.confirmed_at, pod.open_at) if moment)]
    times += [sample.asked_at for sample in _samples(evidence)]
    if evidence.resume:
        times.append(evidence.resume.begun.at if evidence.resume.begun else evidence.resume.finished_at)
    if point.window:
        times += [moment for item in point.window.safe_by_database.values() for moment in (item.start, item.end)]
    start, end = min(times), max(times)
    air = max((end - start) * 0.03, timedelta(milliseconds=50))
    return _Scale(start - air, end + air)


class _Drawing:
    """Collects shapes from top to bottom."""

    def __init__(self, scale: _Scale) -> None:
        self._scale, self._shapes, self._y = scale, list[str](), TOP

    def heading(self, text: str) -> None:
        self._y += 12
        self._shapes.append(_text(16, self._y + 12, text, "faint small"))
        self._y += 20

    def pod(self, pod: _Pod, sent_at: datetime, samples: list[PausedSample]) -> None:
        self._lane(pod.name)
        if pod.confirmed_at is None:
            self._bar(sent_at, self._scale.end, "drain assumed", f"{pod.name}: Pause sent {iso(sent_at)}, never acknowledged")
        else:
            self._bar(sent_at, pod.confirmed_at, "drain", f"{pod.name}: Pause sent {iso(sent_at)}, draining")
            until = f"until {iso(pod.open_at)}" if pod.open_at else "resume not seen"
            self._bar(
                pod.confirmed_at,
                pod.open_at or self._scale.end,
                "paused",
                f"{pod.name}: paused from {iso(pod.confirmed_at)} {until}",
            )
        self._shapes += [self._sample(sample, pod) for sample in samples]
        self._y += LANE

    def window(self, pause: PauseEvidence, evidence: Evidence) -> None:
        begun = evidence.resume.begun if evidence.resume else None
        if pause.confirmed and begun:
            seconds = (begun.at - pause.confirmed.at).total_seconds()
            self._lane(f"all paused, {seconds:.2f} s")
            said = f"last pod confirmed {iso(pause.confirmed.at)}, resume began {iso(begun.at)}"
            self._bar(pause.confirmed.at, begun.at, "window", said)
        else:
            self._lane("not proven")
        self._y += LANE

    def safe(self, database: str, interval: SafeInterval) -> None:
        self._lane(database)
        assumed = " assumed" if interval.is_assumed else ""
        said = "clock not measured: the middle of a long pause" if interval.is_assumed else "for every possible clock error"
        self._bar(interval.start, interval.end, f"safe{assumed}", f"{iso(interval.start)} to {iso(interval.end)}, {said}")
        self._y += LANE

    def finished(self, point: RestorePoint) -> str:
        bottom = self._y + 8
        body = [*self._axis(bottom), *self._shapes, *self._chosen(point, bottom), *_legend(bottom + 52)]
        height, title = bottom + 76, _title(point)
        size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        frame = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
            _text(16, 30, title, "title"),
            _text(16, 52, _subtitle(point), "faint"),
        ]
        return "\n".join([*frame, *body, "</svg>", ""])

    def _lane(self, label: str) -> None:
        short = label if len(label) <= _LABEL_CHARACTERS else f"…{label[1 - _LABEL_CHARACTERS :]}"
        self._shapes.append(_text(16, self._y + 17, short, "lane", title=label))

    def _bar(self, start: datetime, end: datetime, style: str, said: str) -> None:
        left, right = self._scale.x(start), self._scale.x(max(start, end))
        self._shapes.append(
            f'<rect class="{style}" x="{left:.1f}" y="{self._y + 6}" width="{max(right - left, 1):.1f}" height="{BAR}" rx="2">'
            f"<title>{escape(said)}</title></rect>"
        )

    def _sample(self, sample: PausedSample, pod: _Pod) -> str:
        x, top = self._scale.x(sample.asked_at), self._y + 6
        if pod.name in sample.not_paused or pod.name in sample.unknown:
            said = "<title>CheckPaused did not say true</title>"
            return f'<circle class="broken" cx="{x:.1f}" cy="{top + BAR / 2}" r="4">{said}</circle>'
        return f'<line class="tick" x1="{x:.1f}" y1="{top + 3}" x2="{x:.1f}" y2="{top + BAR - 3}"/>'

    def _axis(self, bottom: int) -> Iterator[str]:
        step = next((item for item in _TICK_SECONDS if self._scale.seconds / item <= _TICKS_AT_MOST), self._scale.seconds / 8)
        midnight = self._scale.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        number = int((self._scale.start - midnight).total_seconds() / step) + 1
        while (moment := midnight + timedelta(seconds=number * step)) < self._scale.end:
            x = self._scale.x(moment)
            yield f'<line class="rule" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>'
            label = f"{moment:%H:%M:%S}" if step >= 1 else f"{moment:%S.%f}"[:4]
            yield _text(x, bottom + 18, label, "faint small", anchor="middle")
            number += 1

    def _chosen(self, point: RestorePoint, bottom: int) -> Iterator[str]:
        if point.at is None:
            return
        x = self._scale.x(point.at)
        width = self._scale.x(point.at + PRECISION) - x
        yield f'<rect class="second" x="{x:.1f}" y="{TOP - 6}" width="{width:.1f}" height="{bottom - TOP + 6}"/>'
        yield f'<line class="point" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}"/>'
        anchor = "end" if x > WIDTH - 160 else "middle"
        yield _text(x, TOP - 13, f"restore point {point.at.astimezone(UTC):%H:%M:%S} UTC", "label", anchor=anchor)


def _title(point: RestorePoint) -> str:
    return f"{point.plan}: {'restore point ' + iso(point.at) if point.at else 'no restore point, the window is invalid'}"


def _subtitle(point: RestorePoint) -> str:
    window = point.window
    if window is None:
        return f"{point.id} · {point.cause.message if point.cause else point.phase.value}"[:150]
    seconds = (window.resume_began_at - window.confirmed_at).total_seconds()
    return f"{point.id} · {window.pods} pods paused together for {seconds:.2f} s · attempt {window.attempt} · times in UTC"


def _legend(y: int) -> Iterator[str]:
    x = 16.0
    for style, text in (
        ("drain", "Pause sent, transactions draining"),
        ("paused", "paused; ticks: CheckPaused true"),
        ("window", "every pod paused"),
        ("safe", "certainly inside the pause"),
    ):
        yield f'<rect class="{style}" x="{x}" y="{y - 10}" width="22" height="12" rx="2"/>'
        yield _text(x + 30, y, text, "faint small")
        x += 46 + len(text) * 6.4


def _text(x: float, y: float, text: str, style: str, anchor: str = "start", title: str = "") -> str:
    hover = f"<title>{escape(title)}</title>" if title else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{hover}{escape(text)}</text>'
