#!/usr/bin/env python3
"""Build the upstream programs that the real tier needs, from their Go modules into rackroll's cache.

Use: scripts/get-tools.py [FAMILY ...]     without a name: all of them; what is there already is left alone
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.control.tools import FAMILIES, Family, Program, fitting, folder

PINS = Path(__file__).parents[1] / "tests" / "tools"
ENVIRONMENT = {
    **os.environ,
    "CGO_ENABLED": "0",
    "GOFLAGS": "-trimpath -pgo=off -buildvcs=false",
    "GOWORK": "off",
}
SAY_EVERY = 15.0  # seconds
GO = (1, 26)


@dataclass(frozen=True, slots=True)
class Job:
    """What of one family is still to be made."""

    family: Family
    version: str
    programs: tuple[Program, ...]
    stale: int = 0

    @property
    def target(self) -> Path:
        return folder(self.family) / self.version

    @property
    def charts_missing(self) -> bool:
        return bool(self.family.charts) and not (self.target / "charts").is_dir()


@dataclass(slots=True)
class Clock:
    """Time left, from the packages compiled so far in this very run: no figure of another machine is used."""

    total: int
    started: float
    done: int = 0
    said: float = 0.0

    def left(self) -> str:
        if self.done < 50:
            return "counting"
        seconds = (time.monotonic() - self.started) / self.done * max(self.total - self.done, 0)
        return f"about {max(seconds / 60, 0.1):.1f} min left"


def main(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        sys.exit(f"no such family: {', '.join(unknown)}\n  next: choose from {', '.join(FAMILIES)}")
    jobs = [job for name in names or FAMILIES if (job := _job(FAMILIES[name])).programs or job.charts_missing]
    if not jobs:
        if not names:
            _say("everything is there")
        return
    _require_go()
    _download(jobs)
    jobs = [replace(job, stale=_stale(job)) for job in jobs]
    clock = Clock(sum(job.stale for job in jobs), time.monotonic())
    for job in jobs:
        _make(job, clock)
    _say(
        f"done in {(time.monotonic() - clock.started) / 60:.1f} min; builds are in {folder(jobs[0].family).parent}"
    )


def _job(family: Family) -> Job:
    version = _pinned(family)
    have = folder(family) / version
    missing = tuple(p for p in family.programs if not (have / p.name).exists() and not _on_machine(family, p))
    return Job(family, version, missing)


def _on_machine(family: Family, program: Program) -> bool:
    found = fitting(family, program)
    if found:
        _say(f"{program.name} of {family.name}: using {found}")
    return found is not None


def _pinned(family: Family) -> str:
    """The one place of a version is the family's go.mod."""
    text = (PINS / family.name / "go.mod").read_text()
    found = re.search(rf"^require {re.escape(family.module)} (v\S+)$", text, re.MULTILINE)
    if found is None:
        sys.exit(f"{PINS / family.name / 'go.mod'} does not require {family.module}")
    return found[1]


def _require_go() -> None:
    try:
        said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        said = ""
    numbers = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    if numbers < GO:
        sys.exit(
            f"Go {'.'.join(map(str, GO))} or newer builds these programs; here is {said.strip() or 'none'}\n"
            "  next: install it, or put programs of the right version on PATH or into KUBEBUILDER_ASSETS"
        )


def _download(jobs: Sequence[Job]) -> None:
    for number, job in enumerate(jobs, start=1):
        _say(f"{job.family.name} {job.version}: fetching modules ({number} of {len(jobs)})")
        _go(job, "mod", "download", *([] if job.programs else [f"{job.family.module}@{job.version}"]))


def _stale(job: Job) -> int:
    """Packages that Go would compile now; another family may have compiled some of them already."""
    if not job.programs:
        return 0
    packages = [program.package for program in job.programs]
    listed = _go(job, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", *packages)
    return len(listed.split())


def _make(job: Job, clock: Clock) -> None:
    job.target.mkdir(parents=True, exist_ok=True)
    for program in job.programs:
        _build(job, program, clock)
    if job.charts_missing:
        _copy_charts(job)


def _build(job: Job, program: Program, clock: Clock) -> None:
    """Into a draft and then renamed: an interrupted build leaves no half program behind."""
    _say(f"{job.family.name}: building {program.name} {job.version}, {clock.left()}")
    with tempfile.TemporaryDirectory(prefix=".building-", dir=job.target) as draft:
        command = [
            "go",
            "build",
            "-v",
            "-ldflags",
            _flags(job),
            "-o",
            f"{draft}/{program.name}",
            program.package,
        ]
        words = list(_compiling(command, PINS / job.family.name, clock))
        if words and words[-1].startswith("exit "):
            _fail(f"{program.name} {job.version} could not be built: go's last words are above", words[:-1])
        (Path(draft) / program.name).replace(job.target / program.name)


def _compiling(command: Sequence[str], where: Path, clock: Clock) -> Iterator[str]:
    """Run go, counting the packages it names as it compiles them; what else it says is passed on."""
    with subprocess.Popen(
        command, cwd=where, env=ENVIRONMENT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if re.fullmatch(r"[\w./~+-]+\n", line):
                clock.done += 1
                _tick(clock)
            else:
                yield line.rstrip()
    if process.returncode != 0:
        yield f"exit {process.returncode}"


def _tick(clock: Clock) -> None:
    now = time.monotonic()
    if now - clock.said >= SAY_EVERY:
        clock.said = now
        _say(f"  {clock.done} of {clock.total} packages, {clock.left()}")


def _flags(job: Job) -> str:
    stamps = " ".join(f"-X {name}={value.format(version=job.version)}" for name, value in job.family.stamp)
    return f"-s -w {stamps}".strip()


def _copy_charts(job: Job) -> None:
    """Each into a folder of its chart's name, which is where a chart source is looked into."""
    fetched = _go(job, "mod", "download", "-json", f"{job.family.module}@{job.version}")
    source = Path(json.loads(fetched)["Dir"])
    with tempfile.TemporaryDirectory(prefix=".charts-", dir=job.target) as draft:
        charts = Path(draft) / "charts"
        for chart in job.family.charts:
            shutil.copytree(source / chart, charts / _name(source / chart), copy_function=shutil.copyfile)
        for path in (charts, *charts.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        charts.replace(job.target / "charts")
    _say(f"{job.family.name}: charts of {job.version} copied from its module")


def _name(chart: Path) -> str:
    return re.findall(r"^name: (\S+)$", (chart / "Chart.yaml").read_text(), re.MULTILINE)[0]


def _go(job: Job, *words: str) -> str:
    done = subprocess.run(
        ["go", *words],
        cwd=PINS / job.family.name,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        _fail(f"{job.family.name}: go {words[0]} failed", done.stderr.splitlines())
    return done.stdout


def _fail(what: str, words: Sequence[str]) -> None:
    print("\n".join(words[-20:]), file=sys.stderr)
    sys.exit(f"{what}\n  next: read them; if the Go module proxy was out of reach, run make tools again")


def _say(text: str) -> None:
    print(f"==> tools: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("interrupted; what was built is kept, run make tools again for the rest")
