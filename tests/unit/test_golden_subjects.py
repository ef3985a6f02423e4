"""Whole plans of every subject, as a reviewer reads them. The texts are tests/plans/<subject>.txt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rollout.engine.observe import observe
from rollout.model.plan import Plan
from rollout.model.site import Site
from rollout.planner import upgrade as _later
from rollout.planner.render import render_plan
from rollout.planner.request import Request, asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit import subject_sites as sites
from tests.unit.fake_rack import KUBERNETES, FakeRack
from tests.unit.fake_world import world

GOLDEN = Path(__file__).parents[1] / "plans"


def upgrade(small: Site, versions: Mapping[str, str], *targets: tuple[str, str]) -> Plan:
    return plan_upgrade(request(small, versions, *targets))


def request(small: Site, versions: Mapping[str, str], *targets: tuple[str, str]) -> Request:
    rack = FakeRack(small, kubernetes=versions.get("kubernetes", KUBERNETES))
    rack.install_all(versions)
    live = world(rack)
    return asked(small, observe(live), live.roles, *targets)


def istio_in_place() -> Plan:
    return upgrade(sites.istio(), {"istio": "1.30.3"}, ("istio", "1.31.1"))


def istio_revision() -> Plan:
    return upgrade(sites.by_revision(), {"istio": "1.30.3"}, ("istio", "1.31.1"))


def istio_ambient() -> Plan:
    return upgrade(sites.ambient(), {"istio": "1.30.3"}, ("istio", "1.31.1"))


def linkerd() -> Plan:
    small = sites.linkerd("edge-25.10.7", "viz", "multicluster")
    return upgrade(small, {"linkerd": "edge-25.10.7", "kubernetes": "1.34.2"}, ("linkerd", "edge-26.6.3"))


def cilium() -> Plan:
    return upgrade(sites.cilium(), {"kubernetes": "1.34.2", "cilium": "1.19.7"}, ("cilium", "1.20.3"))


def consul() -> Plan:
    return upgrade(sites.consul(), {"consul": "1.21.9"}, ("consul", "1.22.3"))


def metallb() -> Plan:
    return upgrade(sites.istio(), {"metallb": "0.15.3"}, ("metallb", "0.16.1"))


def kubernetes() -> Plan:
    return upgrade(sites.kubernetes(), {"kubernetes": "1.35.4"}, ("kubernetes", "1.36.1"))


def maintain() -> Plan:
    raise NotImplementedError


PLANS: tuple[tuple[str, Callable[[], Plan]], ...] = (
    ("istio-in-place", istio_in_place),
    ("istio-revision", istio_revision),
    ("istio-ambient", istio_ambient),
    ("linkerd", linkerd),
    ("cilium", cilium),
    ("consul", consul),
    ("metallb", metallb),
    ("kubernetes", kubernetes),
    ("maintain", maintain),
)


@pytest.mark.parametrize(("name", "plan"), PLANS, ids=[name for name, _ in PLANS])
def test_the_plan_of_every_subject_reads_as_reviewed(name: str, plan: Callable[[], Plan]) -> None:
    """To accept a change on purpose: delete the file, run the test twice, review the difference."""
    text = re.sub(r"(?m)^Plan [0-9a-f]{12}", "Plan <id>", render_plan(plan()))
    golden = GOLDEN / f"{name}.txt"
    if not golden.exists():
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was missing and has been written: review it")
    assert text == golden.read_text(encoding="utf-8")
