"""A mesh's trust in memory, on a rack in memory: what each proxy believes and serves, and whom that cuts off.

It is also the oracle. At every tick of the rack's clock every live pod shakes hands with every other, both ways,
against what each believes and serves at that moment; nothing here asks what the engine thinks of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pki.rotation.sighting import Authority, Copy, Fingerprint, LiveLeaf, Party, Sighting
from rollout.engine.trust import Declared
from rollout.errors import StepFailed
from rollout.model.rekey import Signer
from rollout.model.trust import TrustWay
from tests.unit.fake_rack import FakeRack, Pod

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FOREVER = 86_400.0
LAG = 0.3
"""Seconds between an object and who reads it: a watch, or a mounted file."""


def named(text: str) -> Fingerprint:
    return hashlib.sha256(text.encode()).hexdigest()


def anchor(generation: int) -> Fingerprint:
    return named(f"anchor {generation}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """``also`` are anchors that its chain leads to by a cross-signature, until ``bridged``; times are the rack's."""

    by: Authority
    made: float
    ends: float
    also: frozenset[Fingerprint] = frozenset()
    bridged: float = 0.0

    def leads_to(self, now: float) -> frozenset[Fingerprint]:
        if now >= self.ends:
            return frozenset()
        return frozenset({self.by.anchor}) | (self.also if now < self.bridged else frozenset())


@dataclass(slots=True)
class Proxy:
    """What one process holds. ``leaf`` None: it never got one that it believes itself."""

    trusts: frozenset[Fingerprint]
    leaf: Leaf | None
    fetched: Declared | None = None

    def accepts(self, other: Proxy, now: float) -> bool:
        return other.leaf is not None and bool(self.trusts & other.leaf.leads_to(now))


@dataclass(slots=True)
class FakeTrust:
    """Implements MeshTrust. ``failed`` counts failed handshakes by (client, server).

    ``told`` is what the mesh's objects say, ``heard`` what its signer goes by. ``silent`` pods answer nobody that
    looks, ``stuck`` ones are never let go by their budget. ``leaf_life`` in seconds; renewal is at ``renew_at`` of it.
    """

    rack: FakeRack
    mesh: str
    way: TrustWay
    told: Declared = field(init=False)
    heard: Declared = field(init=False)
    store: list[Signer] = field(default_factory=lambda: [Signer(1, 1)])
    proxies: dict[str, Proxy] = field(default_factory=dict)
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    shaken: int = 0
    silent: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    lost: bool = False
    leaf_life: float = FOREVER
    renew_at: float = 0.5
    lag: float = LAG
    changed: list[tuple[float, Declared]] = field(default_factory=list)
    stamp: str = ""
    restarted_at: float | None = None
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.authority(Signer(1, 1))
        self.told = self.heard = Declared((first.anchor,), first)
        for name in self._holders():
            self.proxies[name] = self._born()
        self.rack.each_tick = self.tick

    # What the engine asks.

    def signers(self) -> tuple[Signer, ...]:
        return tuple(sorted(self.store))

    def authority(self, signer: Signer) -> Authority:
        if signer not in self.store:
            raise StepFailed(f"there is no {signer}", where=self.mesh)
        return Authority(anchor(signer.generation), named(str(signer)))

    def anchors(self, generations: tuple[int, ...]) -> tuple[Fingerprint, ...]:
        return tuple(anchor(number) for number in generations)

    def mint(self, signer: Signer) -> bool:
        if signer in self.store:
            return False
        self.store.append(signer)
        return True

    def declared(self) -> Declared:
        return replace(self.told, signer=None) if self.lost else self.told

    def sight(self, node: str | None = None) -> Sighting:
        self.rack.check("kubernetes")
        told = self.declared()
        parties = tuple(self._party(pod) for pod in self._pods() if node in (None, pod.node))
        copies = () if node else self.copies()
        return Sighting(told.published, told.signer, copies, parties, frozenset(self.anchors(self._known())))

    def hand_over(self, trusts: tuple[int, ...], signer: Signer) -> bool:
        self.rack.check("kubernetes")
        self.log.append(f"told {trusts} {signer}")
        self.told = Declared(self.anchors(trusts), self.authority(signer))
        self.lost = False
        self.changed.append((self.rack.time, self.told))
        return True

    def restart_control_plane(self, stamp: str) -> bool:
        if self.stamp == stamp:
            return False
        self.stamp, self.restarted_at = stamp, self.rack.time
        self.log.append("control plane restarted")
        return True

    def control_plane_lacks(self) -> str | None:
        return "identity is not Ready" if self.restarted_at is not None else None

    def retire(self, generation: int) -> None:
        raise NotImplementedError(f"nothing here retires g{generation}")

    def renew(self, party: Party) -> bool:
        if party.name in self.stuck or self.rack.refuse_evictions:
            self.rack.refuse_evictions = max(0, self.rack.refuse_evictions - 1)
            return False
        self.rack.evict(party.name)
        return True

    # How it behaves.

    def tick(self) -> None:
        self.hear()
        holders = self._holders()
        for name in self.proxies.keys() - holders:
            del self.proxies[name]
        for name in sorted(holders - self.proxies.keys()):
            self.proxies[name] = self._born()
        for name, proxy in self.proxies.items():
            self._age(name, proxy)
        self._shake()

    def hear(self) -> None:
        """What the control plane goes by follows what it was told."""
        while self.changed and self.rack.time >= self.changed[0][0] + self.lag:
            self._heard(self.changed.pop(0)[1])

    def _heard(self, told: Declared) -> None:
        self.heard = told

    def _born(self) -> Proxy:
        return Proxy(self._bundle(), self._issued(), self.heard)

    def _bundle(self) -> frozenset[Fingerprint]:
        """What a process that starts now comes to believe."""
        return frozenset(self.heard.published)

    def _issued(self) -> Leaf | None:
        now = self.rack.time
        return Leaf(self.heard.signer, now, now + self.leaf_life) if self.heard.signer else None

    def _age(self, name: str, proxy: Proxy) -> None:
        """Renewal before the end: with the leaf comes the bundle, unless a mesh says otherwise."""
        del name
        if proxy.leaf and self.rack.time >= proxy.leaf.made + self.renew_at * self.leaf_life:
            proxy.leaf, proxy.trusts = self._issued(), self._bundle()

    def copies(self) -> tuple[Copy, ...]:
        return ()

    # What is alive.

    def _known(self) -> tuple[int, ...]:
        return tuple(sorted({signer.generation for signer in self.store}))

    def _pods(self) -> Iterator[Pod]:
        return (p for p in self.rack.pods.values() if p.mesh == self.mesh)

    def _holders(self) -> set[str]:
        """Processes that hold a key: from their start to their end, terminating ones too."""
        return {pod.name for pod in self.rack.pods.values() if pod.mesh == self.mesh}

    def holder(self, pod: Pod) -> str:
        return pod.name

    def held_by(self, pod: Pod) -> str:
        del pod
        return ""

    def _party(self, pod: Pod) -> Party:
        proxy = self.proxies.get(self.holder(pod))
        where = (pod.name, pod.namespace, pod.node, self.rack.site.node(pod.node).rack)
        party = Party(*where, held_by=self.held_by(pod), leaving=pod.gone_at is not None)
        if pod.name in self.silent or proxy is None or not pod.serves(self.rack.time):
            return replace(party, silent="does not answer: timed out")
        return replace(party, leaf=_shown(proxy.leaf), trusts=proxy.trusts)

    def live(self) -> list[tuple[str, Proxy]]:
        now = self.rack.time
        pods = [p for p in self.rack.pods.values() if p.mesh == self.mesh and p.serves(now)]
        found = ((pod.name, self.proxies.get(self.holder(pod))) for pod in pods)
        return [(name, proxy) for name, proxy in found if proxy is not None]

    def _shake(self) -> None:
        now, live = self.rack.time, self.live()
        self.shaken += len(live) * (len(live) - 1)
        kinds = {(p.trusts, p.leaf.leads_to(now) if p.leaf else frozenset()) for _, p in live}
        if all(trusts & leads for trusts, _ in kinds for _, leads in kinds):
            return
        for client, one in live:
            for server, other in live:
                if client != server and not (one.accepts(other, now) and other.accepts(one, now)):
                    self.failed[client, server] += 1

    def taken_from(self, pod: str, generation: int) -> None:
        """By hand, behind the engine's back."""
        proxy = self.proxies[self.holder(self.rack.pods[pod])]
        proxy.trusts -= {anchor(generation)}

    def new_only(self, generation: int) -> bool:
        """No live leaf of another root and no verifier that trusts one."""
        own = frozenset({anchor(generation)})
        told = frozenset(self.told.published) == own
        return told and all(p.trusts == own and p.leaf and p.leaf.by.anchor in own for _, p in self.live())


def _shown(leaf: Leaf | None) -> LiveLeaf | None:
    if leaf is None:
        return None
    ends = (EPOCH + timedelta(seconds=leaf.made), EPOCH + timedelta(seconds=leaf.ends))
    return LiveLeaf(named(f"{leaf.by.issuer} {leaf.made}"), leaf.by, "", *ends)
