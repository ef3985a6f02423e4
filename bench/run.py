"""Each job in a fresh process, several times; the median counts, and is held against the target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.fleet import Shape
from bench.jobs import JOBS

SIZES = {"1,000": Shape(racks=50, nodes_per_rack=20), "10,000": Shape(racks=250, nodes_per_rack=40)}


@dataclass(frozen=True, slots=True)
class Target:
    """``seconds`` and ``mib`` None: no target. Issue 3, Speed. ``cpu`` where it is not the same as ``seconds``."""

    seconds: float | None = None
    cpu: float | None = None
    mib: float | None = None


TARGETS: Mapping[tuple[str, str], Target] = {
    ("1,000", "load+plan"): Target(seconds=2.0),
    ("10,000", "load+plan"): Target(seconds=10.0, mib=500.0),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One job at one size. ``error`` is the end of its traceback; then there are no figures."""

    size: str
    job: str
    seconds: float
    cpu: float
    peak_mib: float
    detail: str
    target: str
    verdict: str
    error: str = ""


def measure_all(sizes: Mapping[str, Shape], repeat: int, say: Callable[[str], None]) -> list[Row]:
    rows: list[Row] = []
    for size, shape in sizes.items():
        for job in JOBS:
            say(f"{size} nodes: {job} ...")
            rows.append(_row(size, shape, job, repeat, rows))
    return rows


def _row(size: str, shape: Shape, job: str, repeat: int, earlier: list[Row]) -> Row:
    results = [_in_its_own_process(job, shape) for _ in range(repeat)]
    broken = next((r for r in results if isinstance(r, str)), None)
    figures = [r for r in results if not isinstance(r, str)]
    if broken is not None:
        return Row(size, job, 0.0, 0.0, 0.0, "", "", "FAILED", broken)
    seconds, cpu = median(f[0] for f in figures), median(f[1] for f in figures)
    peak, detail = max(f[2] for f in figures), figures[0][3]
    target = _target(size, job, earlier)
    verdict = _verdict(target, seconds, cpu, peak)
    return Row(size, job, seconds, cpu, peak, detail, _words(target), verdict)


def _in_its_own_process(job: str, shape: Shape) -> tuple[float, float, float, str] | str:
    """Seconds, CPU seconds, MiB and detail; or the last line of what went wrong."""
    sizes = (shape.racks, shape.nodes_per_rack, shape.gateways_per_rack, shape.sidecars)
    command = [sys.executable, "-m", "bench.jobs", job, *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    seconds, cpu, peak, detail = json.loads(done.stdout)
    return float(seconds), float(cpu), float(peak), str(detail)


def _target(size: str, job: str, earlier: list[Row]) -> Target:
    """Verifying is held against planning of the same size, which was measured just before."""
    if job == "verify":
        planning = next((row for row in earlier if (row.size, row.job) == (size, "plan")), None)
        if planning is None or planning.error:
            return Target()
        return Target(seconds=planning.seconds, cpu=planning.cpu)
    return TARGETS.get((size, job), Target())


def _words(target: Target) -> str:
    words = [f"<= {target.seconds:.2f} s"] if target.seconds is not None else []
    words += [f"<= {target.mib:.0f} MiB"] if target.mib is not None else []
    return ", ".join(words)


def _verdict(target: Target, seconds: float, cpu: float, peak: float) -> str:
    """``busy``: too late by the clock, in time by the processor: the machine had other work to do."""
    if target.seconds is None and target.mib is None:
        return ""
    if target.mib is not None and peak > target.mib:
        return "MISSED"
    if target.seconds is None or seconds <= target.seconds:
        return "ok"
    return "busy" if cpu <= (target.cpu if target.cpu is not None else target.seconds) else "MISSED"
