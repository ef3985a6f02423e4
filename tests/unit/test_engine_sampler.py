"""The sample of the N-1 join: the worst VIP counts, each has its own numbers, and many ToRs are asked side by side."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import Lock

import pytest

from rollout.engine.context import Run
from rollout.engine.join import AT_ONCE
from rollout.engine.observe import observe
from rollout.engine.sampler import take_sample
from rollout.errors import Unreachable
from rollout.model.site import Address, Switch
from tests.unit.fake_world import FakeSwitches, running
from tests.unit.sites import site


def test_a_sample_counts_the_worst_vip() -> None:
    rack, live = running(site(vips=2))
    rack.rib["ingress-2", "r1n1"] = False
    run_sample = take_sample(Run("run-1", live))
    assert (run_sample.in_rib, run_sample.ready, run_sample.total) == (3, 4, 4)


def test_a_sample_has_each_vips_own_numbers() -> None:
    rack, live = running(site(vips=2))
    rack.rib["ingress-2", "r1n1"] = False
    vips = take_sample(Run("run-1", live)).vips
    assert [(v.gateway, v.in_rib, v.total) for v in vips] == [("ingress-1", 4, 4), ("ingress-2", 3, 4)]


def test_many_tors_are_asked_side_by_side_and_a_bounded_number_of_them() -> None:
    rack, live = running(site((1,) * 20, workers=0))
    most, now, guard = 0, 0, Lock()

    class Counting(FakeSwitches):
        def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
            nonlocal most, now
            with guard:
                now += 1
                most = max(most, now)
            time.sleep(0.005)
            found = FakeSwitches.next_hops(self, switch, vip)
            with guard:
                now -= 1
            return found

    counted = replace(live, switches=Counting(rack))
    assert take_sample(Run("run-1", counted)).in_rib == 20
    assert observe(counted) == observe(live)
    assert 1 < most <= AT_ONCE
    rack.silent.add("tor-r13")
    with pytest.raises(Unreachable):
        take_sample(Run("run-1", counted))
