"""A mesh from one authority to the next: trust both, switch the signer, drain the old leaves, untrust.

Each phase ends on what is observed (docs/pki.md). Where the mesh stands already is read off its certificates, so a
plan made after a crash starts where the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pki.rotation.phase import Phase
from rollout.model.plan import Plan, PlanKind, Stage, Wave
from rollout.model.recipe import RenewOnNode
from rollout.model.rekey import (
    AwaitLeaves,
    AwaitTrust,
    HandOver,
    MintAuthority,
    RenewLate,
    RestartControlPlane,
    Signer,
)
from rollout.model.role import SubjectRole
from rollout.model.step import ProbeVips, Step
from rollout.model.trust import TrustWay
from rollout.planner.leg import Task
from rollout.planner.nodes_stage import Frame, Walk
from rollout.planner.produce import Draft, Walked, finish, frame_of
from rollout.planner.refuse import refuse
from rollout.planner.request import Request
from rollout.planner.seal import wave
from rollout.planner.standing import standing

CLOCKS = ("CLOCK-OFFSET", "PKI-CLOCK")
"""Asked of the whole site before anything is signed: a leaf from a wrong clock is not yet valid to somebody."""

BUDGETED = ("PDB-ALLOWS",)
_ORDER = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Course:
    """From one signer to another, and the phase that the mesh was seen in.

    ``late`` are the nodes that still lag in that phase, where its hand-over was seen to be done already; None where
    it was not. ``notes`` say what a census will not see.
    """

    mesh: str
    before: Signer
    after: Signer
    phase: Phase
    late: frozenset[str] | None = None
    notes: tuple[str, ...] = ()

    @property
    def both(self) -> tuple[int, ...]:
        """Ascending, as bundles grow at their end; also on the way back."""
        return tuple(sorted({self.before.generation, self.after.generation}))

    @property
    def root(self) -> bool:
        return self.before.generation != self.after.generation

    def visits(self, phase: Phase, node: str) -> bool:
        """Every node in a phase that is to come, for what is evicted from one may start on any other, also on one
        that has no proxy now. In a phase that was begun only what lagged then still lags."""
        return self.late is None or phase is not self.phase or node in self.late

    def has_yet(self, phase: Phase) -> bool:
        return _ORDER.index(self.phase) <= _ORDER.index(phase)


def plan_rotate(request: Request, course: Course) -> Plan:
    """Raises PlanRefused for a mesh without a way, for a limit to some racks, and for what the site cannot bear."""
    way = way_of(request.roles[course.mesh])
    if request.options.limit or request.options.start_at:
        fix = "leave --limit and --start-at out; waves and pacing set how fast it goes"
        raise refuse("PLAN-TRUST-03", "a rotation cannot be limited to some nodes", fix=fix)
    site = request.site
    if way.both_at_once and not course.root:
        text = f"{course.mesh}'s root signs its leaves itself: there is no issuer below it to replace"
        raise refuse("PLAN-TRUST-04", text, fix="leave --issuer-only out: a new generation is its way")
    draft = Draft(PlanKind.ROTATE, (), site.policy.waves, site.pacing, (*way.notes, *course.notes))
    frame = frame_of(request, draft)
    turn = _Turn(course, way, frame, request)
    waves = tuple(each for phase in (turn.trust, turn.switch, turn.untrust) for each in phase())
    return finish(request, draft, frame, Walked(waves, turn.naive))


def way_of(role: SubjectRole) -> TrustWay:
    """Raises PlanRefused where the role has none."""
    way = role.trust()
    if way is None:
        fix = "choose a mesh whose role can hand over trust: istio, linkerd or consul"
        raise refuse("PLAN-TRUST-01", f"{role.kind} has no roots that rackroll rotates", fix=fix)
    return way


@dataclass(slots=True)
class _Turn:
    """``naive`` counts next-hop-set changes, over all walks."""

    course: Course
    way: TrustWay
    frame: Frame
    request: Request
    naive: int = 0

    def trust(self) -> Iterator[Wave]:
        """Up to the switch every plan says all of it again, also what was done: then it needs no memory to be
        verified, and what is so already is left alone."""
        course = self.course
        if not course.has_yet(Phase.SWITCH):
            return
        step = Step(f"{course.mesh}/mint", MintAuthority(course.mesh, course.after), CLOCKS)
        yield from self._control("mint", (step,))
        if self.way.both_at_once:
            return
        if course.root:
            yield from self._told("trust", course.both, course.before)
            if self.way.restart_for_trust and course.has_yet(Phase.TRUST):
                yield from self._walk(Phase.TRUST, course.both, None)
        yield from self._control("trust, seen", (self._await_trust("trust", course.both),))

    def switch(self) -> Iterator[Wave]:
        course = self.course
        if course.has_yet(Phase.SWITCH):
            yield from self._told("switch", course.both, course.after)
        elif course.has_yet(Phase.DRAIN):
            yield from self._control("drain", self._read("drain", course.both, course.after))
        if not course.has_yet(Phase.UNTRUST):
            return
        if self.way.restart_for_leaf and course.has_yet(Phase.DRAIN):
            yield from self._walk(Phase.DRAIN, course.both, course.after)
        step = Step(f"{course.mesh}/drain/census", AwaitLeaves(course.mesh, course.after))
        yield from self._control("drain, seen", (step,))

    def untrust(self) -> Iterator[Wave]:
        course, new = self.course, (self.course.after.generation,)
        if course.phase is Phase.DONE:
            return
        if course.root and not self.way.prunes:
            yield from self._told("untrust", new, course.after, (course.before.generation,))
            if self.way.restart_for_trust:
                yield from self._walk(Phase.UNTRUST, new, course.after)
            else:
                late = RenewLate(course.mesh, new, course.after)
                yield from self._control(
                    "untrust, late", (Step(f"{course.mesh}/untrust/late", late, BUDGETED),)
                )
        name = "untrust" if course.root else "end"
        yield from self._control(f"{name}, seen", (self._await_trust(name, new),))

    def _told(
        self, phase: str, trusts: tuple[int, ...], signer: Signer, untrusts: tuple[int, ...] = ()
    ) -> Iterator[Wave]:
        """Handed over, read by the control plane, and seen from outside to have broken nothing."""
        mesh, frame = self.course.mesh, self.frame
        told = HandOver(mesh, trusts, signer, untrusts)
        steps = [Step(f"{mesh}/{phase}/hand-over", told, CLOCKS)]
        steps += self._read(phase, trusts, signer)
        if frame.site.gateways:
            steps.append(Step(f"{mesh}/{phase}/probe", ProbeVips(frame.pacing.soak_samples)))
        yield from self._control(phase, tuple(steps))

    def _read(self, phase: str, trusts: tuple[int, ...], signer: Signer) -> tuple[Step, ...]:
        """A run may have ended between a hand-over and this: what is restarted for it already is left alone."""
        effect = RestartControlPlane(self.course.mesh, trusts, signer)
        step = Step(f"{self.course.mesh}/{phase}/control-plane", effect, self.frame.gates.charts)
        return (step,) if self.way.control_plane else ()

    def _control(self, phase: str, steps: tuple[Step, ...]) -> tuple[Wave, ...]:
        return wave(f"{self.course.mesh} {phase}", self.frame.racks, Stage(phase, steps))

    def _await_trust(self, phase: str, trusts: tuple[int, ...]) -> Step:
        mesh = self.course.mesh
        return Step(f"{mesh}/{phase}/verifiers", AwaitTrust(mesh, trusts))

    def _walk(self, phase: Phase, trusts: tuple[int, ...], signer: Signer | None) -> Iterator[Wave]:
        """Every wave begins with a look at every verifier: a root that somebody took away holds the next rack."""
        mesh, name = self.course.mesh, phase.lower()
        task = Task(mesh, "", RenewOnNode(trusts, signer))
        order = tuple(node for node in self.frame.order if self.course.visits(phase, node))
        prefix = f"{mesh}/{name}"
        now = standing(self.request.observed)
        walk = Walk(self.frame, now, dict.fromkeys(order, (task,)), prefix, f"{name}: ")
        self.naive += walk.naive_changes()
        for number, each in enumerate(walk.waves(), 1):
            watch = Step(f"{prefix}/verifiers-{number}", AwaitTrust(mesh, trusts))
            first = (Stage("verifiers", (watch,)),) if phase is Phase.DRAIN else ()
            yield replace(each, stages=(*first, *each.stages))
