"""What the drills found, as the page that says so: figures of one machine, with the commands that give them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

HEAD = """# Rotation drills, as they went

`make drills` runs every drill there is on the embedded lab and prints this page; `make drills ARGS=--write` writes it.
Meshes, pods and proxies are **simulated** (`lab/mesh`); every handshake is a real TLS 1.3 handshake with certificates
from both sides, fresh, at 12 a second from each of four pods to each other one; the rotation is the product's own,
planned, signed by two and carried out over SSH and the Kubernetes API. One row is one drill on a fresh lab, on two
cores. The figures vary from run to run; what must not vary: `failed` and `old leaves` are 0, `naive failed` is not.

"""
FAULTS = """
## With a fault

Each drill must be held by the check that is for it, or go on by itself; the fault is then mended, the run resumed and
finished. A verifier without the old root refuses its peers until it is mended, and they it: there those of all the
other nodes are judged.

"""


@dataclass(frozen=True, slots=True)
class Case:
    mesh: str
    fault: str | None
    number: int = 1

    def __str__(self) -> str:
        return f"{self.mesh}/{self.fault or 'plain'}"

    @property
    def words(self) -> tuple[str, ...]:
        wrong = ("--fault", self.fault, "--no-naive") if self.fault else ()
        return ("--mesh", self.mesh, *wrong)


@dataclass(frozen=True, slots=True)
class Drilled:
    """``entry`` is what the history has of it, None for a drill that was not finished; ``left`` what it left behind."""

    case: Case
    code: int
    entry: dict[str, Any] | None
    said: str = ""
    left: list[str] = field(default_factory=list)

    def line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> Drilled:
        raw = json.loads(line)
        return cls(**{**raw, "case": Case(**raw["case"])})

    @property
    def kept(self) -> bool:
        return self.code == 0 and self.entry is not None and not self.left

    @property
    def verdict(self) -> str:
        if self.kept and self.entry is not None:
            counts = self.entry["handshakes"]
            return f"kept: {counts['tried']} tried, {counts['failed']} failed"
        return f"BROKEN, exit {self.code}: {self.said[-400:].strip()} {self.left[:3]}"


def document(done: tuple[Drilled, ...]) -> str:
    plain = [each for each in done if each.case.fault is None]
    wrong = [each for each in done if each.case.fault is not None]
    text = HEAD + "\n".join(_plain(plain)) + "\n"
    return text + (FAULTS + "\n".join(_wrong(wrong)) + "\n" if wrong else "")


def _plain(done: list[Drilled]) -> Iterator[str]:
    yield "| command | tried | failed | longest window | old leaves | seconds: " + (
        "PREFLIGHT, MINT, TRUST, SWITCH, DRAIN, UNTRUST | naive failed | naive window |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for each in done:
        yield _row(each, _plain_cells(each.entry) if each.entry else ())


def _plain_cells(entry: dict[str, Any]) -> tuple[str, ...]:
    naive = entry["naive"] or {"failed": "", "tried": "", "error_window_ms": 0}
    return (
        f"{entry['handshakes']['tried']:,}",
        str(entry["handshakes"]["failed"]),
        f"{entry['error_window_ms']['longest']:g} ms",
        str(entry["old_root"]["live_leaves"]),
        f"{entry['seconds']['total']:g}: " + ", ".join(f"{p['seconds']:.1f}" for p in entry["phases"]),
        f"{naive['failed']} of {naive['tried']}",
        f"{naive['error_window_ms'] / 1000:.1f} s",
    )


def _wrong(done: list[Drilled]) -> Iterator[str]:
    yield "| command | tried | failed | old leaves | seconds | what came of it |"
    yield "|---|---|---|---|---|---|"
    for each in done:
        yield _row(each, _wrong_cells(each.entry) if each.entry else ())


def _wrong_cells(entry: dict[str, Any]) -> tuple[str, ...]:
    failed = entry["handshakes"]["failed"]
    return (
        f"{entry['handshakes']['tried']:,}",
        f"{entry['elsewhere']['failed']} elsewhere" if entry.get("elsewhere") else str(failed),
        str(entry["old_root"]["live_leaves"]),
        f"{entry['seconds']['total']:g}",
        came_of(entry["fault"]),
    )


def came_of(fault: dict[str, Any]) -> str:
    if "held_by" in fault:
        return f"held by {fault['held_by']} (“{fault['detail']}”), mended, resumed, done"
    if "killed_in" in fault:
        kills = ", ".join(f"{phase} {len(steps)}" for phase, steps in fault["killed_in"].items())
        return f"killed in {kills}; resumed each time, done"
    return f"{fault['killed']} signers killed as the switch began; done"


def _row(each: Drilled, cells: tuple[str, ...]) -> str:
    command = f"`rackroll drill rotate {' '.join(each.case.words)}`"
    shown = cells if each.kept else (*cells, f"**{each.verdict.splitlines()[0]}**")
    return f"| {command} | {' | '.join(shown)} |"
