"""The way that every plan over nodes is made: build the waves, see that the site can bear them, prove, seal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollout.model.plan import Hop, NextHopChanges, Plan, PlanKind, Stage, Target, Wave
from rollout.model.policy import Waves
from rollout.model.site import Pacing, Site
from rollout.model.step import Advertise, Step, TakeSnapshot, Withdraw
from rollout.planner.assemble import Hopping
from rollout.planner.enough import require_enough
from rollout.planner.gates import gates_of
from rollout.planner.hops import Groups, names_of
from rollout.planner.layout import layout
from rollout.planner.nodes_stage import Frame
from rollout.planner.proof import prove
from rollout.planner.request import Request
from rollout.planner.seal import seal, wave
from rollout.planner.select import before, chosen
from rollout.planner.standing import standing
from rollout.rules.age import age_warning


@dataclass(frozen=True, slots=True)
class Draft:
    """What one kind of plan decides before its waves are built.

    ``hurt`` are gateway nodes that do not serve already, where the plan is what may mend them: they go first.
    """

    kind: PlanKind
    targets: tuple[Target, ...]
    waves: Waves
    pacing: Pacing
    warnings: tuple[str, ...] = ()
    hurt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Walked:
    """``naive``: how often a VIP's next-hops would change if no walk were shared. ``hops``: the path, where
    one walk is not enough."""

    waves: tuple[Wave, ...]
    naive: int
    hops: tuple[Hop, ...] = ()


def produce(request: Request, draft: Draft, groups: Groups) -> Plan:
    """Raises PlanRefused for the first thing that the site cannot bear, or the first state that breaks a rule."""
    frame = frame_of(request, draft)
    return finish(request, draft, frame, _walked(request, frame, groups))


def finish(request: Request, draft: Draft, frame: Frame, walked: Walked) -> Plan:
    """Snapshots around the waves, then everything that is asked of them as a whole."""
    waves = _between_snapshots(frame, walked.waves)
    warnings = (
        *_glass(request),
        *_age(request, draft),
        *require_enough(request, draft.kind, waves, draft.hurt),
        *draft.warnings,
        *_untouched(request, frame),
    )
    proof = prove(request.site, request.observed, request.roles, request.book, waves)
    changes = _changes(request.site, waves, walked.naive)
    return seal(draft.kind, request, draft.targets, waves, proof, warnings, walked.hops, changes)


def frame_of(request: Request, draft: Draft) -> Frame:
    site, options = request.site, request.options
    names = chosen(site, options.limit)
    if options.start_at:
        walk = (
            node
            for group in layout(site, frozenset(n.name for n in site.nodes), draft.waves)
            for node in group.nodes
        )
        names -= before(site, tuple(walk), options.start_at)
    order = tuple(node.name for node in site.nodes if node.name in names)
    return Frame(site, draft.waves, draft.pacing, gates_of(site), order, draft.hurt)


def _walked(request: Request, frame: Frame, groups: Groups) -> Walked:
    now, naive = standing(request.observed), 0
    waves: list[Wave] = []
    for legs, (name, mark) in zip(groups, names_of(groups), strict=True):
        built = Hopping(frame, legs, name, mark).build(now)
        waves += built.waves
        now, naive = built.standing, naive + built.naive
    hops = tuple(leg.hop for legs in groups for leg in legs)
    return Walked(tuple(waves), naive, hops if len(groups) > 1 else ())


def _between_snapshots(frame: Frame, waves: tuple[Wave, ...]) -> tuple[Wave, ...]:
    """What the fleet looked like before and after: the report compares the two. Nothing to do needs neither."""
    if not waves:
        return ()
    first = wave("before", frame.racks, Stage("snapshot", (Step("snapshot/before", TakeSnapshot("before")),)))
    last = wave("after", frame.racks, Stage("snapshot", (Step("snapshot/after", TakeSnapshot("after")),)))
    return (*first, *waves, *last)


def _changes(site: Site, waves: tuple[Wave, ...], naive: int) -> tuple[NextHopChanges, ...]:
    """A node that is withdrawn is next-hop of no VIP, so each of them changes as often."""
    effects = (step.effect for w in waves for stage in w.stages for step in stage.steps)
    planned = sum(isinstance(effect, Withdraw | Advertise) for effect in effects)
    return (
        tuple(NextHopChanges(str(g.vip), planned, naive) for g in site.gateways) if planned or naive else ()
    )


def _glass(request: Request) -> Iterator[str]:
    if request.options.break_glass:
        yield f"BREAK-GLASS: {request.options.break_glass}"


def _age(request: Request, draft: Draft) -> Iterator[str]:
    if request.today is None:
        return
    kinds = {
        request.roles[target.subject].kind for target in draft.targets if target.subject in request.roles
    }
    said = age_warning(request.book, kinds, request.today, request.site.policy.rules_max_age)
    if said:
        yield said


def _untouched(request: Request, frame: Frame) -> Iterator[str]:
    """A limit leaves the rest of the site as it is: said, because it is easily forgotten."""
    options, out = request.options, len(request.site.nodes) - len(frame.order)
    if out and (options.limit or options.start_at):
        asked = [f"--limit {options.limit}"] if options.limit else []
        asked += [f"--start-at {options.start_at}"] if options.start_at else []
        yield f"{' '.join(asked)}: {out} of {len(request.site.nodes)} nodes are not touched and stay as they are"
