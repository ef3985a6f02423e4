"""Whole plans of every subject, as a reviewer reads them: tests/plans/<name>.txt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rollout.engine.observe import observe
from rollout.engine.ports import World
from rollout.model.plan import Options, Plan
from rollout.model.site import Site
from rollout.planner.maintain import plan_maintain
from rollout.planner.render import render_plan
from rollout.planner.request import Request, asked
from rollout.planner.upgrade import plan_upgrade
from rollout.rules.book import book
from tests.unit import subject_sites as sites
from tests.unit.fake_rack import KUBERNETES, FakeRack
from tests.unit.fake_world import world

GOLDEN = Path(__file__).parents[1] / "plans"
Scene = tuple[FakeRack, World]


@dataclass(frozen=True)
class Case:
    """``running`` are versions that differ from the site's own; ``sidecars`` False leaves only gateways as proxies."""

    name: str
    site: Callable[[], Site]
    target: tuple[str, str]
    running: Mapping[str, str] = field(default_factory=dict)
    sidecars: bool = True
    lowest: int = 3

    def scene(self) -> Scene:
        rack = FakeRack(self.site(), kubernetes=self.running.get("kubernetes", KUBERNETES))
        rack.install_all(self.running)
        if not self.sidecars:
            rack.pods = {name: pod for name, pod in rack.pods.items() if pod.gateway}
        return rack, world(rack)

    def request(self, live: World) -> Request:
        return asked(live.site, observe(live), live.roles, self.target)


CASES = (
    Case("istio-in-place", sites.istio, ("istio", "1.31.1")),
    Case("istio-revision", sites.by_revision, ("istio", "1.31.1")),
    Case("istio-ambient", sites.ambient, ("istio", "1.31.1"), sidecars=False),
    Case(
        "linkerd",
        lambda: sites.linkerd("edge-25.10.7", "viz", "multicluster"),
        ("linkerd", "edge-26.6.3"),
        {"kubernetes": "1.34.2"},
        lowest=4,
    ),
    Case("cilium", sites.cilium, ("cilium", "1.20.3"), {"kubernetes": "1.34.2"}),
    Case("consul", sites.consul, ("consul", "1.22.3")),
    Case("metallb", sites.istio, ("metallb", "0.16.1"), {"metallb": "0.15.3"}),
    Case("kubernetes", sites.kubernetes, ("kubernetes", "1.36.1"), {"kubernetes": "1.35.4"}),
)
NAMES = [case.name for case in CASES]


def held_to(name: str, plan: Plan) -> None:
    text = re.sub(r"(?m)^Plan [0-9a-f]{12}", "Plan <id>", render_plan(plan))
    golden = GOLDEN / f"{name}.txt"
    if not golden.exists():
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was missing and has been written: review it")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_plan_of_every_subject_reads_as_reviewed(case: Case) -> None:
    """To accept a change on purpose: delete the file, run the test twice, review the difference."""
    _, live = case.scene()
    held_to(case.name, plan_upgrade(case.request(live)))


def test_a_plain_maintenance_reads_as_reviewed() -> None:
    """One rack only: what an operator does with firmware."""
    _, live = Case("maintain", sites.istio, ("istio", "")).scene()
    found = Request(live.site, observe(live), live.roles, book(), options=Options(limit="rack:r2"))
    held_to("maintain", plan_maintain(found, ("fwupdmgr", "update", "-y"), "firmware"))
    held_to("maintain-reboot", plan_maintain(found, ("dnf", "-y", "update", "kernel"), "kernel", reboot=True))
