"""Random fleets, random targets: every plan passes the independent verifier, every refusal names a rule that fails.

Simulated fleets, the product's planner. A fixed budget and fixed seeds here; ``make properties`` looks much longer, at
other fleets each time.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

import roles
import rollout.planner
from rollout.model.plan import Plan, Stage, Wave
from rollout.model.step import AwaitWithdrawn, Cordon, DrainGateways, Evict, Step, Withdraw
from rollout.planner import visit
from rollout.planner.codec import content_id, dump, load
from rollout.planner.maintain import plan_maintain
from rollout.planner.refuse import RuleRefused
from rollout.planner.rollback import plan_rollback
from rollout.planner.upgrade import plan_upgrade
from rollout.verify.check import check
from rollout.verify.data import Rules, read_rules
from rollout.verify.finding import Counterexample
from tests.properties import raw
from tests.properties.fleets import Case
from tests.properties.oracle import OURS, oracle_for
from tests.properties.oracle_rows import BY_TABLE
from tests.properties.wishes import cases, maintained, moved

LONG = os.environ.get("RACKROLL_PROPERTIES") == "long"
BUDGET = settings(
    max_examples=5000 if LONG else 150,
    derandomize=not LONG,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
RULES = read_rules(None)
ELSEWHERE = frozenset(
    {
        "PLAN-FORMAT-01",
        "PLAN-EDITED-01",
        "PLAN-STALE-01",
        "PLAN-SITE-01",
        "PLAN-NEGATIVE-01",
        "PLAN-VERSION-03",
        "PLAN-TRUST-01",
        "PLAN-TRUST-03",
        "PLAN-TRUST-04",
    }
)
"""Not asked while an upgrade is planned: of plan files, of ``apply``, of a bringup, of a rotation."""


def require_sound(plan: Plan, rules: Rules = RULES) -> None:
    """Survives being written and read, and the verifier finds nothing against it."""
    text = dump(plan)
    assert load(text) == plan
    assert dump(load(text)) == text
    check(text, rules)


def require_true(case: Case, refused: RuleRefused) -> None:
    """The rule has an oracle, and it too says that the rule fails; people are told what to do."""
    oracle = oracle_for(refused.rule)
    assert oracle is not None, f"no oracle knows {refused.rule}"
    assert oracle(case, refused), f"refused although {refused.rule} holds: {refused}"
    assert refused.hint, f"{refused.rule} says nothing of what to do"
    assert refused.exit_code == 3


def test_every_plan_passes_the_verifier_and_every_refusal_names_a_rule_that_fails() -> None:
    met: Counter[str] = Counter()

    @BUDGET
    @given(cases())
    def look(case: Case) -> None:
        try:
            plan = plan_upgrade(case.request)
        except RuleRefused as refused:
            met[refused.rule] += 1
            require_true(case, refused)
        else:
            met["plan" if plan.steps else "nothing to do"] += 1
            require_sound(plan)

    look()
    assert met["plan"] >= 30, f"too few plans to say anything: {met}"
    assert len(met) >= 10, f"too few different ends to say anything: {met}"


def test_every_maintenance_passes_the_verifier_or_names_a_rule_that_fails() -> None:
    met: Counter[str] = Counter()

    @BUDGET
    @given(maintained())
    def look(case: Case) -> None:
        try:
            plan = plan_maintain(case.request, case.argv, reboot=case.reboot)
        except RuleRefused as refused:
            met[refused.rule] += 1
            require_true(case, refused)
        else:
            met["plan"] += 1
            require_sound(plan)

    look()
    assert met["plan"] >= 20, f"too few plans to say anything: {met}"
    assert len(met) >= 5, f"too few different ends to say anything: {met}"


def test_every_rollback_passes_the_verifier_or_names_a_rule_that_fails() -> None:
    """Of upgrades that are done, from the fleet that they left."""
    met: Counter[str] = Counter()

    @BUDGET
    @given(cases())
    def look(case: Case) -> None:
        try:
            undone = plan_upgrade(replace(case, limit="").request)
        except RuleRefused:
            return
        case = moved(case, undone)
        try:
            plan = plan_rollback(case.request, undone)
        except RuleRefused as refused:
            met[refused.rule] += 1
            require_true(case, refused)
        else:
            met["plan"] += 1
            require_sound(plan)

    look()
    assert met["plan"] >= 10, f"too few plans to say anything: {met}"
    assert len(met) >= 3, f"too few different ends to say anything: {met}"


def ids_in_sources() -> Iterator[str]:
    """Every rule that planner or roles refuse by name."""
    named = re.compile(r'(?:refuse|NoRecipe|RuleRefused)\(\s*"([A-Z0-9]+-[A-Z0-9-]*\d)"')
    for package in (rollout.planner, roles):
        for file in Path(package.__path__[0]).rglob("*.py"):
            yield from named.findall(file.read_text(encoding="utf-8"))


def test_every_rule_that_can_refuse_a_plan_has_an_oracle() -> None:
    rows = {row["id"] for table in BY_TABLE for row in raw.rows(table)}
    named = set(ids_in_sources()) - ELSEWHERE
    assert len(named) > 10, "the sources were read"
    assert sorted(rule for rule in named | rows if oracle_for(rule) is None) == []


QUICK = settings(BUDGET, max_examples=2000, derandomize=True, phases=[Phase.generate])


@cache
def moving_a_gateway() -> Case:
    """A fleet whose plan takes a gateway node out; the same each time."""

    def moves(case: Case) -> bool:
        marked = any(node.cordoned or node.excluded for node in case.observed.nodes)
        effects = [type(step.effect) for *_, step in steps_of(case)]
        return not marked and Withdraw in effects and Evict in effects

    return find(cases(), moves, settings=QUICK)


def steps_of(case: Case) -> list[tuple[int, Wave, Stage, Step]]:
    try:
        return list(plan_upgrade(case.request).numbered())
    except RuleRefused:
        return []


@pytest.mark.parametrize("rule", sorted(OURS))
def test_an_oracle_denies_a_refusal_of_a_fleet_that_can_be_planned(rule: str) -> None:
    """NEGATIVE CONTROL: an oracle that always agrees would prove nothing."""
    case = replace(moving_a_gateway(), argv=("true",))
    with pytest.raises(AssertionError, match="refused although"):
        require_true(case, RuleRefused(rule, "made up", hint="none"))


def without_gates(step: Step) -> Step:
    return replace(step, gates=())


def reordered(*order: type) -> Callable[[visit.Visit], visit.Phases]:
    """The node transaction with its first phase's steps in another order."""
    honest = visit.phases

    def phases(one: visit.Visit) -> visit.Phases:
        leave, *others = honest(one)
        rank = {kind: index for index, kind in enumerate(order)}
        return (tuple(sorted(leave, key=lambda step: rank.get(type(step.effect), 99))), *others)

    return phases


def ungated() -> Callable[[visit.Visit], visit.Phases]:
    honest = visit.phases
    return lambda one: tuple(tuple(map(without_gates, phase)) for phase in honest(one))


def forgetful(*gone: str) -> Callable[[visit.Visit], visit.Phases]:
    """Leaves steps out by the last word of their key."""
    honest = visit.phases

    def phases(one: visit.Visit) -> visit.Phases:
        return tuple(
            tuple(step for step in phase if step.key.rsplit("/", 1)[-1] not in gone) for phase in honest(one)
        )

    return phases


BROKEN: dict[str, Callable[[], Callable[[visit.Visit], visit.Phases]]] = {
    "withdraws before it drains": lambda: reordered(Withdraw, DrainGateways, AwaitWithdrawn, Cordon),
    "cordons before the route is gone": lambda: reordered(DrainGateways, Withdraw, Cordon, AwaitWithdrawn),
    "has no gates": ungated,
    "never withdraws": lambda: forgetful("withdraw", "await-withdrawn"),
    "does not wait for the route to go": lambda: forgetful("await-withdrawn"),
    "never announces again": lambda: forgetful("advertise"),
    "leaves the cordon": lambda: forgetful("uncordon"),
    "does not soak": lambda: forgetful("soak"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_planner_that_is_broken_on_purpose_is_caught_by_the_verifier(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NEGATIVE CONTROL: the proof of such a plan is made by the planner too; the verifier must see it all the same."""
    case = moving_a_gateway()
    require_sound(plan_upgrade(case.request))
    monkeypatch.setattr(visit, "phases", BROKEN[how]())
    with pytest.raises((Counterexample, RuleRefused)) as caught:
        require_sound(plan_upgrade(case.request))
    assert not isinstance(caught.value, RuleRefused) or caught.value.rule == "PLAN-N1-01"


def test_a_version_swapped_in_the_steps_is_caught_although_the_id_fits() -> None:
    """NEGATIVE CONTROL: somebody who edits a plan and computes its id again."""
    plan = plan_upgrade(moving_a_gateway().request)

    def swapped(step: Step) -> Step:
        if isinstance(step.effect, Evict):
            return replace(step, effect=replace(step.effect, version="1.0.0"))
        return step

    waves = tuple(
        replace(w, stages=tuple(replace(s, steps=tuple(map(swapped, s.steps))) for s in w.stages))
        for w in plan.waves
    )
    edited = replace(plan, waves=waves)
    with pytest.raises(Counterexample):
        require_sound(replace(edited, id=content_id(edited)))
