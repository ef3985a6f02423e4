"""The simulated cluster as a stage: real plan, engine, helm and Kubernetes calls; modelled hosts, ToRs and load."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.simulated.fabric import SimulatedFabric
from lab.simulated.load import SimulatedLoad
from lab.simulated.ports import SimulatedHosts, SimulatedProbe, SimulatedSwitches
from lab.sitecopy import copy_site
from rollout.adapters.helm import HelmCharts
from rollout.adapters.kube.cluster import KubeCluster
from rollout.cli.demo.lab_stage import DEMO_LOOPBACK
from rollout.cli.demo.record import RecordedHosts, RecordedSwitches
from rollout.cli.demo.stage import LAB_SITE, RATE_PER_SECOND, ROOT
from rollout.cli.world import roles_of
from rollout.engine.ports import World
from rollout.errors import Unreachable
from rollout.model.site import Site
from rollout.site.load import load_site

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SimulatedStage:
    site: Site
    world: World
    hosts: RecordedHosts
    switches: RecordedSwitches
    fabric: SimulatedFabric
    seconds_up: float

    def load(self) -> SimulatedLoad:
        return SimulatedLoad(self.fabric, rate=RATE_PER_SECOND)

    def envoys(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class SimulatedTheatre:
    """Each stage is a fresh simulated Kubernetes API in a temporary folder."""

    say: Callable[[str], None]

    @contextmanager
    def stage(self) -> Iterator[SimulatedStage]:
        folder = Path(tempfile.mkdtemp(prefix="rackroll-simulated-"))
        try:
            copy_site(LAB_SITE, folder, name="simulated", loopback=DEMO_LOOPBACK)
            started = time.monotonic()
            with _daemon(folder):
                site = load_site(folder)
                cluster = KubeCluster(site, roles_of(site))
                self.say("simulated Kubernetes API is up")
                with SimulatedFabric(cluster) as fabric:
                    yield _staged(site, cluster, fabric, time.monotonic() - started)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _staged(site: Site, cluster: KubeCluster, fabric: SimulatedFabric, seconds_up: float) -> SimulatedStage:
    hosts = RecordedHosts(SimulatedHosts())
    switches = RecordedSwitches(SimulatedSwitches(site, fabric))
    charts, probe = HelmCharts(site), SimulatedProbe(fabric)
    world = World(site, hosts, switches, charts, cluster, probe, roles_of(site))
    return SimulatedStage(site, world, hosts, switches, fabric, seconds_up)


@contextmanager
def _daemon(folder: Path) -> Iterator[None]:
    log = folder / "daemon.log"
    with log.open("wb") as stream:
        argv = [sys.executable, "-m", "lab.daemon", str(folder), "--simulated-nodes"]
        process = subprocess.Popen(argv, stdout=stream, stderr=stream, cwd=ROOT, start_new_session=True)
    try:
        _await_ready(process, folder, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (folder / ".lab" / "daemon.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Unreachable(
                f"the simulated Kubernetes API did not start: {' '.join(tail) or 'no output'}",
                where=str(folder),
            )
        time.sleep(0.05)
