"""The embedded lab as a stage: real hosts, real ToRs, real Envoys, a real outside client."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab.control.tools import charts, require
from lab.lifecycle import down, up
from lab.load.process import RunningLoad, from_outside, load_argv
from lab.sitecopy import copy_site, with_upstream_metallb
from rollout.adapters.kube.api import connect
from rollout.adapters.kube.execute import Container, run_in_container
from rollout.cli.demo.record import RecordedHosts, RecordedSwitches
from rollout.cli.demo.stage import KEPT_ALIVE, LAB_SITE, RATE_PER_SECOND
from rollout.cli.world import build_world
from rollout.engine.ports import World
from rollout.model.site import Site
from rollout.site.load import load_site

DEMO_LOOPBACK = "127.89."


@dataclass(frozen=True, slots=True)
class LabStage:
    """A built lab, the world over it, and what its hosts and switches were told."""

    site: Site
    world: World
    hosts: RecordedHosts
    switches: RecordedSwitches
    seconds_up: float

    def load(self) -> RunningLoad:
        argv = load_argv(self.site.gateways[0], self.site.probe, rate=RATE_PER_SECOND, keepalive=KEPT_ALIVE)
        return RunningLoad(from_outside(self.site, argv))

    def envoys(self) -> str:
        """Asked of each gateway's Envoy itself, by exec: the version in its ``server_info``."""
        pods = (proxy for proxy in self.world.cluster.proxies() if proxy.gateway)
        return "+".join(sorted({_envoy_version(self.site, pod.namespace, pod.pod) for pod in pods}))


@dataclass(frozen=True, slots=True)
class LabTheatre:
    """Each stage is the lab site of the inventory under its own name, in the user's state folder.

    ``real``: upstream's control plane and MetalLB, with MetalLB's own chart.
    """

    say: Callable[[str], None]
    real: bool = False

    @contextmanager
    def stage(self) -> Iterator[LabStage]:
        if self.real:
            require(load_site(LAB_SITE).kubernetes.version)
        folder = demo_folder()
        _clear(folder)
        copy_site(LAB_SITE, folder, name="demo", loopback=DEMO_LOOPBACK)
        if self.real:
            with_upstream_metallb(folder, charts("metallb"))
        try:
            started = time.monotonic()
            site = load_site(folder)
            up(site, progress=self.say, real=self.real)
            yield _staged(site, time.monotonic() - started)
        finally:
            _clear(folder)


def _envoy_version(site: Site, namespace: str, pod: str) -> str:
    info = run_in_container(
        connect(site.kubernetes),
        Container(namespace, pod, "istio-proxy"),
        ("pilot-agent", "request", "GET", "server_info"),
    )
    # "version" reads <commit>/<release>/<tree state>/<build type>/<TLS library>
    return str(json.loads(info)["version"]).split("/")[1]


def demo_folder() -> Path:
    """Where the demo keeps its copy of the lab site: user state, outside the repository."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rackroll" / "demo"


def _staged(site: Site, seconds_up: float) -> LabStage:
    world = build_world(site)
    hosts, switches = RecordedHosts(world.hosts), RecordedSwitches(world.switches)
    return LabStage(site, replace(world, hosts=hosts, switches=switches), hosts, switches, seconds_up)


def _clear(folder: Path) -> None:
    if folder.exists():
        down(folder)
        shutil.rmtree(folder)
