"""PKI-CLOCK: wall clocks beside each other, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Absent, Facts, SkewFacts, Unknown
from rollout.engine.context import Run
from rollout.engine.gather_hosts import skews
from rollout.engine.ports import CommandOutcome, World
from rollout.errors import Unreachable
from rollout.model.gate import Finding, Verdict
from tests.unit.fake_world import running
from tests.unit.sites import site

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def asked(*found: SkewFacts) -> Finding:
    return catalogue()["PKI-CLOCK"].find(Facts("", None, (), (), skews=found))


def skew(host: str, seconds: float, error: float = 0.0) -> SkewFacts:
    return SkewFacts(host, timedelta(seconds=seconds), timedelta(seconds=error))


@pytest.mark.parametrize(
    ("found", "verdict", "says"),
    [
        ((), Verdict.OPEN, "0 clocks"),
        ((skew("a", 0.2), skew("b", -9.7)), Verdict.OPEN, "2 clocks, 9.900 s apart at most"),
        ((skew("a", 10.5),), Verdict.CLOSED, "a is 10.5 s ahead of this machine; at most 10 s"),
        ((skew("a", -11),), Verdict.CLOSED, "a is 11.0 s behind this machine; at most 10 s"),
        (
            (skew("a", 6), skew("b", -6)),
            Verdict.CLOSED,
            "b is 6.0 s behind this machine and a is 6.0 s ahead of",
        ),
        ((skew("a", 2, error=2), skew("b", -7, error=2)), Verdict.INCONCLUSIVE, "took 4.0 s, too long"),
        ((skew("a", 9, error=2),), Verdict.INCONCLUSIVE, "asking a took 4.0 s"),
        ((skew("a", 20, error=15),), Verdict.INCONCLUSIVE, "too long to tell"),
        ((skew("a", 13, error=2),), Verdict.CLOSED, "a is 13.0 s ahead"),
        ((SkewFacts("a", Unknown("did not answer")),), Verdict.INCONCLUSIVE, "a: did not answer"),
        ((SkewFacts("a", Unknown("silent")), skew("b", 60)), Verdict.CLOSED, "b is 60.0 s ahead"),
    ],
)
def test_any_two_clocks_are_at_most_ten_seconds_apart(
    found: tuple[SkewFacts, ...], verdict: Verdict, says: str
) -> None:
    answer = asked(*found)
    assert answer.verdict is verdict
    assert says in answer.detail


@given(
    true=st.lists(st.floats(-30, 30), min_size=1, max_size=4),
    noise=st.lists(st.floats(-1, 1), min_size=4, max_size=4),
    error=st.floats(0, 8),
)
def test_it_is_open_only_where_the_true_times_are_close_and_closed_only_where_they_are_not(
    true: list[float], noise: list[float], error: float
) -> None:
    """Whatever was measured lies within its error of the truth."""
    found = [skew(f"n{i}", t + noise[i] * error, error) for i, t in enumerate(true)]
    apart = max(0.0, *true) - min(0.0, *true)
    verdict = asked(*found).verdict
    if verdict is Verdict.OPEN:
        assert apart <= 10 + 1e-3
    if verdict is Verdict.CLOSED:
        assert apart >= 10 - 1e-3


class Dates:
    """Hosts whose clocks are off by so many seconds; a word in place of a number is what ``date`` printed."""

    def __init__(self, hosts: Mapping[str, object], sent: datetime | None = None) -> None:
        self.sent = sent
        self.hosts = hosts

    def run(self, host: str, argv: Sequence[str], within: timedelta | None = None) -> CommandOutcome:
        del within
        assert argv[-2:] == ("date", "+%s.%N")
        said = self.hosts[host]
        if said is None:
            raise Unreachable("did not answer", where=host)
        if isinstance(said, str):
            return CommandOutcome(1, said)
        assert isinstance(said, int | float)
        return CommandOutcome(0, f"motd\n{NOON.timestamp() + 2 + said:.9f}\n", self.sent)


def gathered(**hosts: object) -> dict[str, SkewFacts]:
    """Each host is asked at noon and answers four seconds later."""
    small = site((1, 1), workers=0)
    world: World = replace(running(small)[1], commands=Dates(hosts))
    found: dict[str, SkewFacts] = {}
    for node in small.nodes:
        ticks = iter((NOON, NOON + timedelta(seconds=4)))
        one = skews(Run("run-1", world, today=lambda ticks=ticks: next(ticks)), node.name)  # type: ignore[misc]
        assert not isinstance(one, Absent)
        found |= {facts.host: facts for facts in one}
    return found


def test_a_hosts_time_is_compared_with_the_middle_of_asking_and_known_to_half_of_it() -> None:
    found = gathered(r1n1=0.0, r2n1=-3.5)
    assert found["r1n1"] == skew("r1n1", 0, error=2)
    assert found["r2n1"] == skew("r2n1", -3.5, error=2)


def test_a_slow_login_is_no_part_of_asking() -> None:
    """It is known when the command was sent: a second before the answer, although the login took three."""
    small = site((1, 1), workers=0)
    world: World = replace(running(small)[1], commands=Dates({"r1n1": 1.5}, sent=NOON + timedelta(seconds=3)))
    ticks = iter((NOON, NOON + timedelta(seconds=4)))
    found = skews(Run("run-1", world, today=lambda: next(ticks)), "r1n1")
    assert found == (skew("r1n1", 0, error=0.5),)


def test_a_host_that_tells_no_time_is_unknown_with_its_words() -> None:
    found = gathered(r1n1=None, r2n1="date: not found")
    assert found["r1n1"].skew == Unknown("did not answer")
    assert found["r2n1"].skew == Unknown("`date` does not tell the time: date: not found")


def test_a_simulation_has_no_clocks_and_says_so() -> None:
    from rollout.engine.ports import NoCommands

    world = replace(running(site())[1], commands=NoCommands())
    found = skews(Run("run-1", world), None)
    assert isinstance(found, Absent)
    assert catalogue()["PKI-CLOCK"].find(Facts("", None, (), (), skews=found)).verdict is Verdict.OPEN
