"""A rotation of each kind of mesh in memory: the site, how its mesh behaves, and the run from its plan to its end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from rollout.engine.course import course_of
from rollout.engine.journal import Journal, MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome
from rollout.engine.ports import Signed, World
from rollout.engine.run import apply
from rollout.model.pki import MeshPki
from rollout.model.plan import Plan
from rollout.model.rekey import HandOver
from rollout.model.site import Site
from rollout.model.step import Step
from rollout.planner.codec import content_id
from rollout.planner.digest import observed_digest
from rollout.planner.request import asked
from rollout.planner.rotate import Course, plan_rotate
from rollout.rules.n1 import floor
from tests.unit import subject_sites as sites
from tests.unit.fake_meshes import AmbientLike, ConsulLike, IstioLike, LinkerdLike
from tests.unit.fake_rack import FakeRack
from tests.unit.fake_trust import FakeTrust
from tests.unit.fake_world import TEMPO, world


class TwoPeople:
    """Alice and Bob have signed whatever is asked about."""

    def signed(self, plan_id: str) -> tuple[Signed, ...]:
        del plan_id
        return (Signed("alice", "SHA256:a"), Signed("bob", "SHA256:b"))


def _keyed(site: Site, mesh: str) -> Site:
    """The site names a key store for the mesh, so its values are ours: Istio then pushes its bundle."""
    pki = MeshPki(owner="platform", folder=Path("/site/pki"), passphrase_file=None)
    meshes = (replace(each, pki=pki) if each.name == mesh else each for each in site.meshes)
    return replace(site, meshes=tuple(meshes))


@dataclass(frozen=True)
class Scene:
    name: str
    mesh: str
    site: Callable[[], Site]
    kind: type[FakeTrust]

    def build(self, site: Site | None = None) -> Stage:
        rack = FakeRack(site or self.site())
        rack.install_all()
        way = rack.roles[self.mesh].trust()
        assert way is not None
        return Stage(rack, self.kind(rack, self.mesh, way))


SCENES = {
    scene.name: scene
    for scene in (
        Scene("linkerd", "linkerd", sites.linkerd, LinkerdLike),
        Scene("istio", "istio", lambda: _keyed(sites.istio(), "istio"), IstioLike),
        Scene("istio-unpushed", "istio", sites.istio, IstioLike),
        Scene("istio-ambient", "istio", sites.ambient, AmbientLike),
        Scene("consul", "consul", sites.consul, ConsulLike),
    )
}


EVERY = sorted(SCENES)
WITH_ISSUERS = [name for name in EVERY if name != "consul"]


@dataclass(frozen=True)
class Stage:
    """A rack, its mesh's trust, and what a session does with them."""

    rack: FakeRack
    trust: FakeTrust

    @property
    def world(self) -> World:
        return replace(world(self.rack), trust={self.trust.mesh: self.trust}, signers=TwoPeople())

    def course(self, *, issuer_only: bool = False, back: bool = False) -> Course:
        return course_of(self.world, self.trust.mesh, issuer_only=issuer_only, back=back)

    def plan(self, *, issuer_only: bool = False, back: bool = False) -> Plan:
        live = self.world
        request = asked(live.site, observe(live), live.roles)
        return plan_rotate(request, self.course(issuer_only=issuer_only, back=back))

    def apply(self, plan: Plan, journal: Journal | None = None) -> RunOutcome:
        return apply(self.world, plan, journal or MemoryJournal(), clock=self.rack, tempo=TEMPO)

    def fresh(self, plan: Plan) -> Plan:
        """As if it had been made now: the rest of a plan whose beginning moved pods."""
        live = self.world
        return sealed(replace(plan, observed_digest=observed_digest(live.site, observe(live))))

    def unbroken(self) -> None:
        """The oracle's word: no handshake failed, no gateway too many was missing, nothing is left marked."""
        assert self.trust.shaken > 0
        assert not self.trust.failed
        assert self.rack.lowest is not None
        assert self.rack.lowest >= floor(len(self.rack.site.gateway_nodes))
        assert (self.rack.lost, self.rack.marked()) == (0, [])


def small(scene: Scene) -> Site:
    """Two racks with one gateway node each on one feed, for what is run hundreds of times."""
    site = scene.site()
    racks = tuple(
        replace(rack, failure_domain="feed-1", nodes=(rack.nodes[0], rack.nodes[-1])) for rack in site.racks
    )
    return replace(site, racks=racks)


def sealed(plan: Plan) -> Plan:
    """An edited plan with a fitting id."""
    return replace(plan, id=content_id(plan))


def handovers(plan: Plan) -> list[HandOver]:
    return [s.effect for _, _, _, s in plan.numbered() if isinstance(s.effect, HandOver)]


def kept(plan: Plan, keys: Collection[str]) -> Plan:
    """Only these steps of it."""
    waves = []
    for wave in plan.waves:
        stages = [replace(s, steps=tuple(x for x in s.steps if x.key in keys)) for s in wave.stages]
        filled = tuple(stage for stage in stages if stage.steps)
        if filled:
            waves.append(replace(wave, stages=filled))
    return sealed(replace(plan, waves=tuple(waves)))


def before(plan: Plan, effect: type, number: int = 1) -> tuple[Plan, Plan]:
    """The plan up to its n-th step of that effect, and the plan from there on."""
    steps = [s for _, _, _, s in plan.numbered()]
    cut = [i for i, s in enumerate(steps) if isinstance(s.effect, effect)][number - 1]
    return kept(plan, {s.key for s in steps[:cut]}), kept(plan, {s.key for s in steps[cut:]})


def single(plan: Plan, step: Step) -> Plan:
    """One step of the editor's own in the place of everything."""
    wave = plan.waves[0]
    return sealed(replace(plan, waves=(replace(wave, stages=(replace(wave.stages[0], steps=(step,)),)),)))
