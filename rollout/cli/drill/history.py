"""Every drill that was finished, one JSON line each, and the trend that a quarterly drill is for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rollout.cli.drill.site import drill_folder


def history_file() -> Path:
    return drill_folder() / "history.jsonl"


def keep(document: Mapping[str, Any]) -> Path:
    """Appended whole: a line that was cut off is skipped when it is read."""
    file = history_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(document, separators=(",", ":")) + "\n")
    return file


def read(mesh: str | None = None) -> tuple[dict[str, Any], ...]:
    """Oldest first."""
    return tuple(entry for entry in _lines() if mesh in (None, entry.get("mesh")))


def _lines() -> Iterator[dict[str, Any]]:
    file = history_file()
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "mesh" in entry and "at" in entry:
            yield entry


def quarter(entry: Mapping[str, Any]) -> str:
    """Such as 2026-Q4."""
    year, month = str(entry["at"])[:7].split("-")
    return f"{year}-Q{(int(month) - 1) // 3 + 1}"


def trend(entries: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """Per mesh and quarter: how many drills, the most that failed, the longest window, the slowest."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in entries:
        groups.setdefault((entry["mesh"], quarter(entry)), []).append(entry)
    return tuple(_row(mesh, name, found) for (mesh, name), found in sorted(groups.items()))


def _row(mesh: str, name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """A fault that breaks handshakes by its own hand says nothing about how rotations went."""
    fair = [entry for entry in found if not entry.get("elsewhere")]
    return {
        "mesh": mesh,
        "quarter": name,
        "drills": len(found),
        "with_faults": sum(1 for entry in found if entry.get("fault")),
        "failed_most": max((entry["handshakes"]["failed"] for entry in fair), default=0),
        "error_window_ms_longest": max((entry["error_window_ms"]["longest"] for entry in fair), default=0.0),
        "seconds_slowest": max(entry["seconds"]["total"] for entry in found),
    }
