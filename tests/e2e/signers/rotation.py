"""The product's own rotation over the played proxies of one real signer.

REAL: the signer, the Kubernetes API, the site's key store, the census and its handshakes, planner, engine and trust.
SIMULATED: the rest of the world (hosts, ToRs, charts, nodes), in memory; the site has no gateway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from lab.signers.fleet import Fleet, Proxy
from lab.signers.pairs import Pairs
from lab.signers.parties import HereVantage, Placed, PlayedProxies
from roles.istio.common import Istio
from roles.linkerd.role import LinkerdRole
from rollout.adapters.kube.api import KubeApi
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.census import Census
from rollout.adapters.trust.home import MeshKeys
from rollout.adapters.trust.objects import KubeTrust
from rollout.adapters.trust.proxies import Parties
from rollout.cli.world import roles_of
from rollout.engine.course import course_of
from rollout.engine.journal import Journal, MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome
from rollout.engine.ports import World
from rollout.engine.run import apply, resume
from rollout.engine.trust import MeshTrust
from rollout.model.event import Event as RunEvent
from rollout.model.event import StepFinished, StepStarted
from rollout.model.mesh import Mesh
from rollout.model.pki import MeshPki
from rollout.model.plan import Plan
from rollout.model.site import Site
from rollout.model.trust import Socket
from rollout.planner.digest import observed_digest
from rollout.planner.request import asked
from rollout.planner.rotate import plan_rotate, way_of
from tests.unit import sites
from tests.unit.fake_rack import FakeRack
from tests.unit.fake_world import TEMPO, world
from tests.unit.trust_scenes import TwoPeople, sealed

SHARE = 30
"""Handshakes that each pair makes after a run before it is judged."""


def site_of(mesh: Mesh) -> Site:
    """Two racks of two workers and this mesh alone; its key store is the site's own, so its values are ours too."""
    bare = sites.site((0, 0), workers=2, vips=0)
    pki = MeshPki(owner="platform", folder=Path("/site/pki"), passphrase_file=None)
    return replace(bare, meshes=(replace(mesh, gateways=(), pki=pki),))


@dataclass
class WallClock:
    """The rack in memory moves as the wall's clock does. ``hurry``: seconds by which every look at it is later."""

    rack: FakeRack
    hurry: float = 0.0
    skipped: float = 0.0

    def now(self) -> float:
        self.skipped += self.hurry
        return time.monotonic() + self.skipped

    def wait(self, stop: Event, seconds: float) -> bool:
        self.rack.wait(Event(), seconds)
        return stop.wait(seconds)


@dataclass
class Rotation:
    """One mesh with traffic, and the runs that are made on it."""

    site: Site
    trust: MeshTrust
    fleet: Fleet
    pairs: Pairs
    parties: PlayedProxies
    rack: FakeRack
    journal: Journal = field(default_factory=MemoryJournal)
    finished: list[str] = field(default_factory=list)

    @property
    def world(self) -> World:
        return replace(world(self.rack), trust={self.trust_name: self.trust}, signers=TwoPeople())

    @property
    def trust_name(self) -> str:
        return self.site.meshes[0].name

    def plan(self) -> Plan:
        live = self.world
        return plan_rotate(asked(live.site, observe(live), live.roles), course_of(live, self.trust_name))

    def fresh(self, plan: Plan) -> Plan:
        """As if it had been made now."""
        live = self.world
        return sealed(replace(plan, observed_digest=observed_digest(live.site, observe(live))))

    def apply(
        self,
        plan: Plan,
        observer: Callable[[RunEvent], None] | None = None,
        stop: Event | None = None,
        journal: Journal | None = None,
    ) -> RunOutcome:
        watch, kept = self._watch(observer), journal or self.journal
        return apply(self.world, plan, kept, watch, stop=stop, clock=self.clock, tempo=TEMPO)

    def resume(self, observer: Callable[[RunEvent], None] | None = None) -> RunOutcome:
        return resume(self.world, self.journal, self._watch(observer), clock=self.clock, tempo=TEMPO)

    def __post_init__(self) -> None:
        self.clock = WallClock(self.rack)

    def _watch(self, also: Callable[[RunEvent], None] | None) -> Callable[[RunEvent], None]:
        def watch(event: RunEvent) -> None:
            if isinstance(event, StepFinished):
                self.finished.append(event.step.key)
            if also is not None:
                also(event)

        return watch

    def hurry(self) -> None:
        """From here on every look at the clock is half a minute later: what is waited for does not come."""
        self.clock.hurry = 30.0

    def unbroken(self) -> None:
        """No handshake failed so far, and every pair made some in the state that it is in now."""
        self.pairs.more(SHARE)
        assert self.pairs.tally().failures == 0, str(self.pairs.tally())

    def sees_only(self, generation: int) -> None:
        """By the product's census: what is served, and what is believed by a handshake."""
        anchors = frozenset(self.trust.anchors((generation,)))
        seen = self.trust.sight()
        assert len(seen.parties) == len(self.fleet.proxies)
        assert {party.leaf.by.anchor for party in seen.parties if party.leaf and party.leaf.by} == anchors
        assert {party.trusts for party in seen.parties} == {anchors}
        assert {copy.anchors for copy in seen.copies} <= {anchors}
        assert frozenset(seen.published) == anchors


Trusted = Callable[[PlayedProxies], MeshTrust]


@contextmanager
def rotating(site: Site, members: Sequence[Proxy], trusted: Trusted) -> Iterator[Rotation]:
    """The proxies run, one on each node, and shake hands all the time; the tally is printed at the end."""
    rack = FakeRack(site)
    rack.install_all()
    way, racks = way_of(rack.roles[site.meshes[0].name]), {node.name: node.rack for node in site.nodes}
    with Fleet(members) as fleet, Pairs(members) as pairs:
        nodes = zip(members, racks, strict=False)
        placed = tuple(Placed(one, node, pairs.ports[one.workload.account]) for one, node in nodes)
        parties = PlayedProxies(
            placed, Census(HereVantage(), racks, way.socket, lambda member: member.account)
        )
        yield Rotation(site, trusted(parties), fleet, pairs, parties, rack)
    print(pairs.tally())


NOBODY = PlayedProxies((), Census(HereVantage(), {}, Socket(0), lambda member: member.account))


def kube_trust(site: Site, keys: MeshKeys, api: KubeApi, parties: Parties = NOBODY) -> KubeTrust:
    """As the product wires it, but for who takes part: without ``parties`` it is only handed over to."""
    roles = roles_of(site)
    role = roles[site.meshes[0].name]
    assert isinstance(role, Istio | LinkerdRole)
    cluster = KubeCluster(site, roles, api)
    return KubeTrust(role.name, way_of(role), role.object_trust(), keys, lambda: api, cluster, parties)


def stopping_after(key: str, stop: Event) -> Callable[[RunEvent], None]:
    """Sets ``stop`` once this step was done: between it and the next."""

    def watch(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step.key == key:
            stop.set()

    return watch


def when_started(key: str, act: Callable[[], None]) -> Callable[[RunEvent], None]:
    def watch(event: RunEvent) -> None:
        if isinstance(event, StepStarted) and event.step.key == key:
            act()

    return watch
