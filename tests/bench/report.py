"""What a section of the benchmark found, and how it is printed: as a Markdown table, which a terminal shows as well."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """`failures` are limits that were missed: sentences, each of which fails the whole benchmark."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def show(section: Section) -> str:
    widths = [max(len(row[column]) for row in (section.columns, *section.rows)) for column in range(len(section.columns))]
    lines = [f"## {section.title}", ""]
    lines += [_line(section.columns, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
    lines += [_line(row, widths) for row in section.rows]
    lines += ["", *section.notes] if section.notes else []
    lines += [f"**Missed**: {failure}" for failure in section.failures]
    return "\n".join(lines)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
