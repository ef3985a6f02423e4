"""A pod's life and end, with a node and an Envoy that are only pretended."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from lab.node.machine import Lasting, Machine
from lab.node.phases import Life, Phase
from lab.node.podlife import Outside
from lab.node.podrun import PodRun
from lab.node.podspec import Drain, PodSpec, PreStop, Proxy, ProxyKind, Readiness
from lab.node.proxyrun import EnvoyRun

PROXY = Proxy(ProxyKind.GATEWAY, "proxyv2:1.30.3", Drain(0.05), Readiness(1, 1))
SPEC = PodSpec("gw", "gw-1", "u1", (), False, 30.0, (), PROXY, (), ())


@dataclass
class Node:
    alive: bool = True
    commands: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, *argv: str, script: str = "") -> str:
        assert not script
        self.commands.append(argv)
        return ""


class Process:
    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.log = Path("envoy.log")
        self.killed = False

    @property
    def alive(self) -> bool:
        return not self.ended.is_set()

    async def wait(self) -> int:
        await self.ended.wait()
        return 1

    async def kill(self) -> None:
        self.killed = True
        self.ended.set()


@dataclass
class Envoy:
    node: Node
    did: list[str] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)
    drain_takes: float = 0.05

    def prepare(self, _endpoints: dict[str, Any]) -> None:
        self.did.append("prepare")

    async def start(self) -> Lasting:
        self.started.append(Process())
        return cast("Lasting", self.started[-1])

    async def ready(self) -> bool:
        return True

    async def ask(self, method: str, target: str) -> None:
        self.did.append(f"{method} {target}")

    async def drain(self, _drain: Drain) -> None:
        self.did.append("drain")
        await asyncio.sleep(self.drain_takes)
        self.did.append("drained")

    def clear(self) -> None:
        self.did.append("clear")


@dataclass
class Bench:
    """One pod, running; ``told`` is every report its kubelet got."""

    spec: PodSpec = SPEC
    told: list[Life] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.node = Node()
        self.envoy = Envoy(self.node)
        out = Outside(lambda _spec, life: self.told.append(life), dict)
        machine, envoy = cast("Machine", self.node), cast("EnvoyRun", self.envoy)
        self.run = PodRun(self.spec, machine, "10.244.1.2", envoy if self.spec.proxy else None, out)
        self.task = asyncio.create_task(self.run.run())

    async def until_ready(self) -> None:
        async with asyncio.timeout(2):
            while not self.run.life.ready:
                await asyncio.sleep(0.01)


async def _ended(bench: Bench, grace: float) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    bench.run.end(grace)
    async with asyncio.timeout(5):
        await bench.task
    return loop.time() - began


def test_the_pre_stop_hook_comes_before_the_drain_and_the_kill_after_it() -> None:
    async def scene() -> None:
        hook = PreStop(0.02, ("POST", "/healthcheck/fail"))
        bench = Bench(replace(SPEC, pre_stop=(hook,)))
        await bench.until_ready()
        await _ended(bench, 30)
        assert bench.envoy.did == ["prepare", "POST /healthcheck/fail", "drain", "drained", "clear"]
        assert bench.envoy.started[0].killed

    asyncio.run(scene())


def test_the_grace_period_cuts_a_long_drain_short() -> None:
    async def scene() -> None:
        bench = Bench()
        bench.envoy.drain_takes = 60
        await bench.until_ready()
        assert await _ended(bench, 0.2) < 1
        assert "drained" not in bench.envoy.did

    asyncio.run(scene())


def test_a_forced_deletion_overtakes_a_graceful_one() -> None:
    async def scene() -> None:
        bench = Bench()
        bench.envoy.drain_takes = 60
        await bench.until_ready()
        bench.run.end(30)
        await asyncio.sleep(0.05)
        assert await _ended(bench, 0) < 1

    asyncio.run(scene())


def test_the_last_word_about_a_pod_is_that_it_no_longer_serves() -> None:
    async def scene() -> None:
        bench = Bench()
        await bench.until_ready()
        await _ended(bench, 0)
        assert not bench.told[-1].ready
        assert bench.node.commands[-1] == ("ip", "address", "del", "10.244.1.2/32", "dev", "lo")

    asyncio.run(scene())


def test_a_crashed_envoy_is_told_and_started_again() -> None:
    async def scene() -> None:
        bench = Bench()
        await bench.until_ready()
        bench.envoy.started[0].ended.set()
        async with asyncio.timeout(3):
            while len(bench.envoy.started) < 2:
                await asyncio.sleep(0.01)
        assert Phase.CRASHED in [life.phase for life in bench.told]
        await bench.until_ready()
        assert bench.run.life.restarts == 1
        await _ended(bench, 0)

    asyncio.run(scene())


def test_nothing_is_started_on_a_dead_node() -> None:
    async def scene() -> None:
        bench = Bench()
        await bench.until_ready()
        bench.node.alive = False
        bench.envoy.started[0].ended.set()
        await asyncio.sleep(0.5)
        assert len(bench.envoy.started) == 1
        bench.node.alive = True
        async with asyncio.timeout(1):
            while len(bench.envoy.started) < 2:
                await asyncio.sleep(0.01)
        await _ended(bench, 0)

    asyncio.run(scene())


def test_a_simulated_pod_is_ready_at_once_and_gone_at_once() -> None:
    async def scene() -> None:
        bench = Bench(replace(SPEC, proxy=None))
        await bench.until_ready()
        assert await _ended(bench, 30) < 0.5

    asyncio.run(scene())
