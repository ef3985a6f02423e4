"""The figures as a table for people, and as the part of docs/benchmarks.md that ``--write`` replaces."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from bench.run import Row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: written by `make bench ARGS=--write` -->", "<!-- end of figures -->"
_HEADS = ("nodes", "job", "time", "CPU", "peak memory", "target", "", "what")


def as_table(rows: list[Row]) -> str:
    cells = [_HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_HEADS))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cells(row: Row) -> tuple[str, ...]:
    if row.error:
        return (row.size, row.job, "", "", "", row.target, row.verdict, row.error)
    time, cpu, memory = f"{row.seconds:.2f} s", f"{row.cpu:.2f} s", f"{row.peak_mib:.0f} MiB"
    return (row.size, row.job, time, cpu, memory, row.target, row.verdict, row.detail)


def as_markdown(rows: list[Row], repeat: int) -> str:
    head = "| " + " | ".join(_HEADS) + " |"
    body = ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join([_where(repeat), "", head, "|" + "---|" * len(_HEADS), *body])


def _where(repeat: int) -> str:
    return f"{machine()}; median of {repeat}."


def machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} CPUs "
        f"({platform.machine()}), load average {load:.1f}"
    )


def write(figures: str, begin: str = BEGIN) -> Path:
    """Raises ValueError if the page has lost its marks."""
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(begin, 1)
    _, tail = rest.split(END, 1)
    PAGE.write_text(f"{head}{begin}\n{figures}\n{END}{tail}", encoding="utf-8")
    return PAGE
