"""What several findings come to: open, held at once, or waited for as long as it may pass by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from rollout.checks.catalogue import catalogue
from rollout.engine.aims import Aims
from rollout.engine.attempt import attempt
from rollout.engine.check import check_site, standing, tally
from rollout.engine.clock import Tempo
from rollout.engine.context import Run
from rollout.engine.outcome import Word
from rollout.engine.ports import World
from rollout.errors import Unreachable
from rollout.model.gate import Finding, Verdict
from rollout.model.policy import AlertSource, Policy
from rollout.model.step import Cordon, Step
from rollout.model.workload import Budget, Selector
from tests.unit.check_world import (
    NO_PATIENCE,
    SHUT,
    Prometheus,
    Shelf,
    pod,
    world,
)
from tests.unit.fake_world import FakeRack


def test_a_healthy_site_is_all_open_and_a_plain_check_asks_what_always_has_a_meaning() -> None:
    findings = check_site(world(), standing())
    assert [f.detail for f in findings if f.verdict is not Verdict.OPEN] == []
    assert {f.check for f in findings} == set(catalogue()) - {"GW-ROUTE-GONE", "PKI-CLOCK"}
    assert tally(findings).exit_code == 0


def test_something_wrong_outweighs_something_unknown() -> None:
    opened, closed = Finding("A", Verdict.OPEN, ""), Finding("B", Verdict.CLOSED, "")
    unknown = Finding("C", Verdict.INCONCLUSIVE, "")
    assert tally((opened, unknown)).exit_code == 4
    assert tally((opened, closed, unknown)).exit_code == 2
    assert tally(()).exit_code == 0


def test_a_step_that_break_glass_let_through_says_so_in_its_outcome() -> None:
    made = world(SHUT)
    gated = Step("c", Cordon("r1n1"), ("WINDOW-OPEN", "NODE-FREE"), "r1n1")
    shut = attempt(Run("run-1", made, tempo=NO_PATIENCE), gated)
    assert (shut.word, shut.findings[0].check) == (Word.HELD, "WINDOW-OPEN")
    forced = attempt(Run("run-1", made, tempo=NO_PATIENCE, aims=Aims("CVE-2026-1")), gated)
    assert forced.word is Word.DONE
    assert "WINDOW-OPEN closed, but opened by break-glass (CVE-2026-1)" in forced.detail


def waited(made: World, *ids: str) -> tuple[Word, float]:
    """How an attempt behind these gates ends, and for how many seconds it asked."""
    clock = cast(FakeRack, made.probe.rack)  # type: ignore[attr-defined]
    began = clock.now()
    tempo = Tempo(sample_every=None, gate_probes=1)
    outcome = attempt(Run("run-1", made, clock, tempo, aims=Aims()), Step("c", Cordon("r1n1"), ids, "r1n1"))
    return outcome.word, clock.now() - began


def test_a_budget_that_opens_again_is_waited_for_as_long_as_the_eviction_would_be() -> None:
    used_up = Budget("shop", "cart", Selector(), 0, 2, 2, 3)

    class Coming(Shelf):
        def budgets(self) -> tuple[Budget, ...]:
            self.asked.append("budgets")
            return (used_up if len(self.asked) < 50 else replace(used_up, allowed=1, healthy=3),)

    word, seconds = waited(world(workloads=Coming((pod("a"),))), "PDB-ALLOWS")
    assert word is Word.DONE
    assert 5 < seconds < 60
    word, seconds = waited(world(workloads=Shelf((pod("a"),), (used_up,))), "PDB-ALLOWS")
    assert word is Word.HELD
    assert 59.9 < seconds <= 66, "the site's stepTimeout"


def test_what_does_not_end_by_itself_holds_after_the_short_patience() -> None:
    never = Budget("shop", "db", Selector(), 0, 1, 1, 1)
    assert 4.9 < waited(world(workloads=Shelf((pod("a"),), (never,))), "PDB-ALLOWS")[1] < 6
    assert 4.9 < waited(world(SHUT), "WINDOW-OPEN")[1] < 6
    quiet_but_shut = replace(SHUT, alerts=AlertSource("http://p"))
    firing = Prometheus(({"alertname": "EtcdDown"},))
    assert 4.9 < waited(world(quiet_but_shut, metrics=firing), "ALERTS-QUIET", "WINDOW-OPEN")[1] < 6


def test_an_alert_that_passes_does_not_end_the_night() -> None:
    class Passing(Prometheus):
        def series(self, source: AlertSource) -> tuple[Mapping[str, str], ...]:
            del source
            self.asked += 1
            return ({"alertname": "KubePodNotReady"},) if self.asked < 30 else ()

    word, seconds = waited(world(Policy(alerts=AlertSource("http://p")), metrics=Passing()), "ALERTS-QUIET")
    assert (word, 5 < seconds < 60) == (Word.DONE, True)
    silent = world(Policy(alerts=AlertSource("http://p")), metrics=Prometheus(Unreachable("gone")))
    assert 4.9 < waited(silent, "ALERTS-QUIET")[1] < 6, "silence holds at once"
