"""Who must have signed a plan, and who has. Signatures are over the plan's id, which is the hash of all it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rollout.engine.ports import Signed, Signers
from rollout.model.plan import Plan, PlanKind
from rollout.model.policy import Policy, Purpose, people_needed
from rollout.model.step import Evict, InstallChart, MoveServer, NaiveReplace, ReplaceAgents, Step
from rollout.planner.refuse import refuse
from rollout.planner.untrust import removes_root


@dataclass(frozen=True, slots=True)
class Approval:
    """``people`` are names by person: one who signs under two names, or with two keys, is one person still."""

    needed: int
    purposes: tuple[str, ...]
    people: tuple[tuple[str, ...], ...]
    rejected: tuple[str, ...]

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.people))


def require_approved(signers: Signers, policy: Policy, plan: Plan) -> None:
    """Raises RUN-APPROVAL-01 unless enough different people have signed this plan's id."""
    found = approval(signers, policy, plan)
    if not found.missing:
        return
    fix = "each signs with `rackroll approve PLAN --as NAME --key KEY -i SITE`; without --as it shows who has"
    raise refuse("RUN-APPROVAL-01", told(found), where=f"plan {plan.id[:12]}", fix=fix)


def approval(signers: Signers, policy: Policy, plan: Plan) -> Approval:
    """Asks who signed only if somebody must have."""
    wanted = dict(required(policy, plan))
    needed = max(wanted.values(), default=0)
    signed = signers.signed(plan.id) if needed else ()
    good = tuple(each for each in signed if not each.rejected)
    bad = tuple(f"{each.principal} does not count: {each.rejected}" for each in signed if each.rejected)
    return Approval(needed, tuple(wanted), persons(good), bad)


def required(policy: Policy, plan: Plan) -> Iterator[tuple[str, int]]:
    """(purpose, people). From the site, whatever the plan's own list says: whoever edits a plan gives it a new id,
    and must not be able to leave the signatures out. What the plan asks for beyond that (STRICT) counts too."""
    people: dict[str, int] = {}
    for purpose in _purposes(plan):
        least = 1 if purpose is Purpose.BREAK_GLASS else 0
        people[purpose.value] = max(least, people_needed(policy, purpose))
    for asked in plan.signatures:
        people[asked.purpose] = max(asked.people, people.get(asked.purpose, 0))
    yield from ((purpose, count) for purpose, count in people.items() if count)


def _purposes(plan: Plan) -> Iterator[Purpose]:
    """What a plan does counts, not what it calls itself: one that moves versions of what runs is an upgrade too."""
    if plan.kind not in (PlanKind.BRINGUP, PlanKind.ROTATE):
        yield Purpose(plan.kind.value)
    if plan.kind in (PlanKind.BRINGUP, PlanKind.MAINTAIN) and any(
        _replaces(plan, step) for step in _steps(plan)
    ):
        yield Purpose.UPGRADE
    if removes_root(plan.waves):
        yield Purpose.ROOT_REMOVAL
    if plan.options.break_glass:
        yield Purpose.BREAK_GLASS


def _steps(plan: Plan) -> Iterator[Step]:
    return (step for _, _, _, step in plan.numbered())


def _replaces(plan: Plan, step: Step) -> bool:
    if isinstance(step.effect, InstallChart):
        return plan.kind is PlanKind.MAINTAIN
    return isinstance(step.effect, Evict | ReplaceAgents | MoveServer | NaiveReplace)


def persons(signed: Iterable[Signed]) -> tuple[tuple[str, ...], ...]:
    """Signatures that share a name or a key are one person's, however they are chained."""
    groups: list[tuple[set[str], set[str]]] = []
    for each in signed:
        names, keys = {each.principal}, {each.key}
        same = [group for group in groups if group[0] & names or group[1] & keys]
        for group in same:
            groups.remove(group)
            names |= group[0]
            keys |= group[1]
        groups.append((names, keys))
    return tuple(sorted(tuple(sorted(names)) for names, _ in groups))


def told(found: Approval) -> str:
    """Who has signed, how many are missing, and whose signature does not count."""
    names = ", ".join(" alias ".join(person) for person in found.people) or "nobody"
    people = "1 person" if found.needed == 1 else f"{found.needed} people"
    parts = (
        f"{' and '.join(found.purposes)} must be signed by {people}; signed by {names}, {found.missing} missing",
        *found.rejected,
    )
    return "; ".join(parts)
