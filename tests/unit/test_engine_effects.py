"""Single effects on the rack in memory: each looks first, waits for what it promises, and touches only its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from threading import Event

import pytest

from rollout.engine.attempt import attempt
from rollout.engine.context import Run
from rollout.engine.outcome import StepOutcome, Word
from rollout.engine.ports import World
from rollout.errors import StepFailed, Unreachable
from rollout.model.mesh import Gateway
from rollout.model.observed import ProbeResult
from rollout.model.role import Json
from rollout.model.step import (
    Advertise,
    ApplyObjects,
    AwaitAdvertised,
    AwaitNodeReady,
    AwaitPeering,
    AwaitWithdrawn,
    ConfigureSwitch,
    Cordon,
    DrainGateways,
    Effect,
    Evict,
    InstallChart,
    ProbeVips,
    Soak,
    Step,
    Uncordon,
    Withdraw,
)
from tests.unit.fake_cluster import FakeCluster
from tests.unit.fake_world import TEMPO, FakeProbe, FakeRack, FakeSwitches, running
from tests.unit.sites import site

RUN = "run-1"


def do(rack: FakeRack, live: World, effect: Effect, stop: Event | None = None) -> StepOutcome:
    run = Run(RUN, live, rack, TEMPO, stop or Event())
    return attempt(run, Step("k", effect, (), getattr(effect, "node", None)))


def later(rack: FakeRack, seconds: float, change: Callable[[], object]) -> None:
    """Once, after so many seconds of the rack's time."""
    due = rack.time + seconds

    def tick() -> None:
        if rack.time >= due:
            rack.each_tick = lambda: None
            change()

    rack.each_tick = tick


def marked(rack: FakeRack, node: str, **marks: object) -> None:
    rack.nodes[node] = replace(rack.nodes[node], **marks)  # type: ignore[arg-type]


def test_withdrawn_means_gone_from_the_tor_and_then_settled() -> None:
    rack, live = running(site())
    rack.bgp = 4.0
    do(rack, live, Withdraw("r1n1"))
    began = rack.time
    assert do(rack, live, AwaitWithdrawn("r1n1", timedelta(seconds=2))).word is Word.DONE
    assert "r1n1" not in rack.routed(rack.site.gateways[0])
    assert rack.time - began > 5.9


def test_a_speaker_that_ignores_the_label_fails_the_step_by_name() -> None:
    rack, live = running(site())
    outcome = do(rack, live, AwaitWithdrawn("r1n1", timedelta(seconds=2)))
    assert outcome.word is Word.FAILED
    assert "still a next-hop of 203.0.113.1" in outcome.detail
    assert "ignoreExcludeLB" in outcome.detail


def test_a_tor_that_stays_silent_fails_the_wait_as_unreachable() -> None:
    rack, live = running(site())
    rack.silent.add("tor-r1")
    outcome = do(rack, live, AwaitWithdrawn("r1n1", timedelta(0)))
    assert (outcome.word, outcome.exit_code) == (Word.FAILED, 4)


def test_ready_means_ready_at_the_target_version() -> None:
    rack, live = running(site())
    rack.start_takes = 5.0
    rack.charts["istio-system", "istiod"] = replace(rack.charts["istio-system", "istiod"], version="1.31.1")
    do(rack, live, Evict("r1n1", "istio", "1.31.1"))
    assert do(rack, live, AwaitNodeReady("r1n1", "istio", "1.31.1")).word is Word.DONE
    (pod,) = [p for p in live.cluster.proxies() if p.node == "r1n1" and p.gateway]
    assert (pod.ready, pod.version) == (True, "1.31.1")


def test_a_gateway_that_comes_back_at_the_old_version_is_not_ready() -> None:
    rack, live = running(site())
    outcome = do(rack, live, AwaitNodeReady("r1n1", "istio", "1.31.1"))
    assert outcome.word is Word.FAILED
    assert "at 1.30.3 is Ready" in outcome.detail


def test_a_node_that_is_not_ready_is_waited_for() -> None:
    rack, live = running(site())
    marked(rack, "r1n1", ready=False)
    later(rack, 3.0, lambda: marked(rack, "r1n1", ready=True))
    began = rack.time
    assert do(rack, live, AwaitNodeReady("r1n1", "istio", "1.30.3")).word is Word.DONE
    assert rack.time - began > 2.9


def test_advertised_means_back_in_the_tor() -> None:
    rack, live = running(site())
    do(rack, live, Withdraw("r1n1"))
    do(rack, live, AwaitWithdrawn("r1n1", timedelta(0)))
    rack.bgp = 3.0
    do(rack, live, Advertise("r1n1"))
    assert do(rack, live, AwaitAdvertised("r1n1")).word is Word.DONE
    assert "r1n1" in rack.routed(rack.site.gateways[0])


def test_objects_wait_for_the_webhook_that_a_chart_has_just_brought() -> None:
    rack, live = running(site())
    rack.silent.add("webhooks")
    later(rack, 5.0, lambda: rack.silent.discard("webhooks"))
    assert do(rack, live, ApplyObjects("metallb", "pools")).word is Word.DONE
    assert rack.time >= 5.0


class Halting(FakeCluster):
    """Takes the first object, and refuses the next one once."""

    refused = False

    def apply(self, objects: Sequence[Json]) -> int:
        if self.rack.applied and not self.refused:
            self.refused = True
            raise Unreachable("the webhook does not serve yet")
        return super().apply(objects)


def test_objects_that_are_so_already_are_said_to_be_and_what_went_through_before_a_refusal_is_new() -> None:
    rack, live = running(site())
    live, pools = replace(live, cluster=Halting(rack)), ApplyObjects("metallb", "pools")
    first = do(rack, live, pools)
    count = len(live.roles["metallb"].objects("pools"))
    assert (first.word, first.detail) == (Word.DONE, f"{count} of {count} objects changed")
    assert count > 1
    assert do(rack, live, pools).word is Word.ALREADY


def test_a_webhook_that_never_answers_ends_the_step_with_its_words() -> None:
    rack, live = running(site())
    rack.silent.add("webhooks")
    outcome = do(rack, live, ApplyObjects("metallb", "pools"))
    assert outcome.word is not Word.DONE
    assert "did not answer" in outcome.detail


@pytest.mark.parametrize(
    "effect",
    [Withdraw("r1n1"), Cordon("r1n1"), ConfigureSwitch("tor-r1"), AwaitPeering("tor-r1")],
)
def test_a_second_delivery_finds_it_already_so(effect: Effect) -> None:
    rack, live = running(site())
    do(rack, live, effect)
    before = dict(rack.nodes)
    assert do(rack, live, effect).word is Word.ALREADY
    assert rack.nodes == before


@pytest.mark.parametrize(("effect", "mark"), [(Cordon("r1n1"), "cordoned"), (Withdraw("r1n1"), "excluded")])
@pytest.mark.parametrize("owner", [None, "run-0"])
def test_a_foreign_mark_is_never_taken_over(effect: Effect, mark: str, owner: str | None) -> None:
    rack, live = running(site())
    marked(rack, "r1n1", **{mark: True}, owner=owner)
    outcome = do(rack, live, effect)
    assert outcome.word is Word.FAILED
    assert (owner or "someone else") in outcome.detail
    assert rack.nodes["r1n1"].owner == owner


def test_a_foreign_mark_is_never_removed() -> None:
    rack, live = running(site())
    marked(rack, "r1n1", cordoned=True, excluded=True)
    assert do(rack, live, Uncordon("r1n1")).word is Word.ALREADY
    assert do(rack, live, Advertise("r1n1")).word is Word.FAILED
    assert (rack.nodes["r1n1"].cordoned, rack.nodes["r1n1"].excluded) == (True, True)


def test_a_pod_at_the_target_is_never_evicted() -> None:
    rack, live = running(site(), "1.31.1")
    assert do(rack, live, Evict("r1n1", "istio", "1.31.1")).word is Word.ALREADY
    assert not [line for line in rack.log if line.startswith("evict")]


def test_draining_fails_every_gateway_of_the_node_whatever_its_mesh_and_waits() -> None:
    rack, live = running(site())
    began = rack.time
    do(rack, live, DrainGateways("r1n1", timedelta(seconds=2)))
    do(rack, live, DrainGateways("r1n1", timedelta(seconds=2)))
    assert [pod.node for pod in rack.pods.values() if pod.failing] == ["r1n1"]
    assert rack.time - began == pytest.approx(4.0)


def test_a_run_that_was_asked_to_stop_begins_nothing() -> None:
    rack, live = running(site())
    stop = Event()
    stop.set()
    outcome = do(rack, live, Withdraw("r1n1"), stop)
    assert (outcome.word, outcome.exit_code) == (Word.INTERRUPTED, 130)
    assert rack.log == []


def test_a_chart_that_is_as_asked_gets_no_new_revision() -> None:
    rack, live = running(site())
    effect = InstallChart("istio", "istiod", "istio-system", "istiod", "1.30.3")
    assert do(rack, live, effect).word is Word.ALREADY
    newer = replace(effect, version="1.31.1")
    assert do(rack, live, newer).detail == "revision 2"


class Stubborn(FakeSwitches):
    """Accepts every line and keeps none, as a switch does whose user may not configure."""

    def __init__(self, rack: FakeRack) -> None:
        super().__init__(rack)
        rack.configured.clear()

    def apply(self, switch):  # type: ignore[no-untyped-def]
        return self.diff(switch)


def test_a_switch_whose_second_diff_is_not_empty_fails_the_step() -> None:
    rack, live = running(site())
    outcome = do(rack, replace(live, switches=Stubborn(rack)), ConfigureSwitch("tor-r1"))
    assert outcome.word is Word.FAILED
    assert "1 lines still differ" in outcome.detail


class Lossy(FakeProbe):
    """Loses a sample at these moments of the rack's time."""

    def __init__(self, rack: FakeRack, *moments: float) -> None:
        super().__init__(rack)
        self._moments = list(moments)

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        if self._moments and self.rack.time >= self._moments[0]:
            self._moments.pop(0)
            return ProbeResult(gateway.vip, samples, samples - 1)
        return ProbeResult(gateway.vip, samples, samples)


SOAK = Soak(timedelta(seconds=4), 20)


def soaked(*moments: float) -> tuple[StepOutcome, float]:
    rack, live = running(site())
    began = rack.time
    probe = Lossy(rack, *(began + moment for moment in moments))
    return do(rack, replace(live, probe=probe), SOAK), rack.time - began


def test_a_soak_takes_its_time_and_its_samples() -> None:
    outcome, took = soaked()
    assert outcome.word is Word.DONE
    assert took > 3.9


def test_a_lost_sample_starts_the_soak_afresh() -> None:
    outcome, took = soaked(3.0)
    assert (outcome.word, outcome.lost) == (Word.DONE, 1)
    assert took > 6.9


def test_a_soak_that_keeps_losing_holds_the_run() -> None:
    outcome, _ = soaked(1.0, 2.0, 3.0)
    assert (outcome.word, outcome.exit_code, outcome.lost) == (Word.HELD, 5, 3)
    assert outcome.findings[0].check == "VIP-ANSWERS"


def test_a_probe_step_waits_for_a_clean_round_and_counts_what_was_lost() -> None:
    rack, live = running(site())
    probe = Lossy(rack, rack.time, rack.time + 0.2)
    outcome = do(rack, replace(live, probe=probe), ProbeVips(20))
    assert (outcome.word, outcome.lost) == (Word.DONE, 2)


def test_what_lasts_long_is_asked_about_less_often() -> None:
    rack, live = running(site())
    looks: list[float] = []
    run = Run(RUN, live, rack, TEMPO, Event())

    def look() -> str:
        looks.append(rack.time)
        return "nothing yet"

    with pytest.raises(StepFailed, match="not within 60 s; at last nothing yet"):
        run.until("a kubelet", look, hint="look")
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert min(gaps) == pytest.approx(0.25)
    assert max(gaps) == pytest.approx(1.0)
    assert len(looks) < 80
