"""One upgrade of the two-rack lab in which rackroll is killed at every journal boundary, and what came of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.load.tally import LoadCount
from rollout.adapters.kube.api import KubeApi, connect
from rollout.model.plan import Plan
from rollout.model.site import Site
from rollout.model.step import InstallChart
from rollout.planner.codec import load
from rollout.site.load import load_site
from tests.crash.foreign import Foreign
from tests.crash.mortal import Moment
from tests.crash.witness import Pods, Routes, marks, revisions
from tests.lab.rackroll_command import ROOT
from tests.lab.rackroll_command import Site as Commands
from tests.lab.serving import clients, serving

BEFORE, AFTER = "1.30.3", "1.31.1"
IMAGE = "docker.io/istio/proxyv2:{}"
TRIES = 5
"""How often a command may end held before the campaign gives up: a gate may be closed for a moment after a kill."""
KILLED = -9
HELD = 5


@dataclass(frozen=True, slots=True)
class Boundary:
    step: int
    moment: Moment


def boundaries(plan: Plan, moments: tuple[Moment, ...]) -> Iterator[Boundary]:
    """In the order in which an upgrade passes them."""
    yield Boundary(0, Moment.STORED)
    for number, *_ in plan.numbered():
        yield from (Boundary(number, moment) for moment in moments)


@dataclass(frozen=True, slots=True)
class Result:
    boundaries: int
    kills: int
    held: int
    steps: int
    seconds: float
    load: LoadCount
    lowest: int | None
    samples: int
    gateways: int
    wrong: tuple[str, ...]


class Mortals:
    """The process that forks rackroll; see :mod:`tests.crash.mortal`."""

    def __init__(self, log: Path) -> None:
        words = [sys.executable, "-m", "tests.crash.mortal", str(log)]
        self._process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, *argv: str, die: Boundary | None = None) -> int:
        """The exit code; negative for a signal."""
        command = {"argv": argv, "die": [str(die.step), die.moment.value] if die else None}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline())["code"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@dataclass(slots=True)
class Campaign:
    """``folder`` keeps the site, the plan and the log of every process."""

    folder: Path
    moments: tuple[Moment, ...]
    loopback: str = "127.92."
    kills: int = 0
    held: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "rackroll.log"

    def run(self) -> Result:
        with serving(self.folder / "site", "crash", self.loopback) as commands:
            site = load_site(commands.folder)
            foreign = Foreign(site)
            foreign.mark()
            plan = self._plan(commands)
            return self._upgrade(commands, site, plan, foreign)

    def _plan(self, commands: Commands) -> Plan:
        file = self.folder / "upgrade.json"
        commands.run("plan", "upgrade", "--to", f"istio={AFTER}", "--out", str(file))
        return load(file.read_text(encoding="utf-8"), str(file))

    def _upgrade(self, commands: Commands, site: Site, plan: Plan, foreign: Foreign) -> Result:
        api = connect(site.kubernetes)
        before = revisions(api)
        began = time.monotonic()
        with (
            clients(site.folder, rate=60, keepalive=10) as seen,
            Routes(site) as routes,
            Pods(api) as pods,
        ):
            started = dict(pods.living())
            asked = self._die_everywhere(commands, plan, foreign)
        self._judge(api, plan, before, pods, started[IMAGE.format(BEFORE)])
        self._expect("foreign marks that are gone", foreign.missing(), [])
        self._expect("marks on nodes", sorted(marks(api)), [f"{foreign.worker}: cordon"])
        return Result(
            boundaries=asked,
            kills=self.kills,
            held=self.held,
            steps=plan.steps,
            seconds=time.monotonic() - began,
            load=seen.count,
            lowest=routes.lowest,
            samples=routes.samples,
            gateways=len(site.gateway_nodes),
            wrong=tuple(self.wrong),
        )

    def _die_everywhere(self, commands: Commands, plan: Plan, foreign: Foreign) -> int:
        """Killed at each boundary in turn; each next process is a ``resume``. The last one is left alive."""
        moves = [number for number, *_, step in plan.numbered() if step.node == foreign.worker]
        through = max(moves, default=1)  # a worker without proxies is not in the plan at all
        mortals = Mortals(self.log)
        inventory = ("-i", str(commands.folder))
        asked = 0
        try:
            argv: tuple[str, ...] = ("apply", str(self.folder / "upgrade.json"), "--yes")
            for boundary in boundaries(plan, self.moments):
                asked += 1
                if boundary == Boundary(through + 1, self.moments[0]):
                    foreign.cordon()
                self._die(mortals, (*argv, *inventory), boundary)
                argv = ("resume",)
            last = mortals.run("resume", *inventory)
            self._expect("exit code of the last resume", last, 0)
        finally:
            mortals.close()
        return asked

    def _die(self, mortals: Mortals, argv: tuple[str, ...], boundary: Boundary) -> None:
        for _ in range(TRIES):
            code = mortals.run(*argv, die=boundary)
            if code == KILLED:
                self.kills += 1
                return
            if code != HELD:
                break
            self.held += 1
            argv = ("resume", *argv[-2:])
        raise AssertionError(
            f"step {boundary.step}, {boundary.moment}: exit {code} instead of a kill; see {self.log}"
        )

    def _judge(self, api: KubeApi, plan: Plan, before: dict[str, int], pods: Pods, proxies: int) -> None:
        living = dict(pods.living())
        self._expect("proxies at the target", living, {IMAGE.format(AFTER): proxies})
        self._expect("pods of the old version that were ended", pods.ended(IMAGE.format(BEFORE)), proxies)
        self._expect("pods of the new version that were ended", pods.ended(IMAGE.format(AFTER)), 0)
        installs = [
            step.effect.release for *_, step in plan.numbered() if isinstance(step.effect, InstallChart)
        ]
        wanted = {name: number + installs.count(name) for name, number in before.items()}
        self._expect("Helm revisions", revisions(api), wanted)

    def _expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.wrong.append(f"{what}: {found}, expected {wanted}")
