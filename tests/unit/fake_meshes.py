"""How each kind of mesh takes a new trust, in memory (facts: docs/pki.md). See :mod:`tests.unit.fake_trust`.

Linkerd reads its bundle once, through an injector whose copy lags; Istio pushes a bundle and renews leaves at once for
that, never for another signer; ambient's ztunnel holds the keys of its node; Consul does all by one call, cross-signed,
and prunes by itself.
"""

from __future__ import annotations

from dataclasses import replace

from pki.rotation.sighting import Copy, Fingerprint, Party
from rollout.engine.trust import Declared
from rollout.model.rekey import Signer
from tests.unit.fake_rack import START, Pod
from tests.unit.fake_trust import FOREVER, LAG, FakeTrust, Leaf, Proxy, anchor, named


class LinkerdLike(FakeTrust):
    """Bundles are read once: by the identity controller at its start, by a proxy from what the injector's copy says.

    A proxy that does not believe its own new leaf keeps the old one, in silence, until that runs out. The issuer too
    is read at the controller's start here: its watcher is known to die (linkerd2#15109).
    """

    injected: tuple[Fingerprint, ...] = (anchor(1),)
    injector_lag: float = LAG

    def hear(self) -> None:
        for at, told in self.changed:
            if self.rack.time >= at + self.injector_lag:
                self.injected = told.published
        if self.restarted_at is not None and self.rack.time >= self.restarted_at + START:
            self.restarted_at = None
            self._heard(self.told)

    def _heard(self, told: Declared) -> None:
        """An issuer that the anchors do not verify is refused, and nothing changes."""
        if told.signer is not None and told.signer.anchor in told.published:
            self.heard = told

    def _bundle(self) -> frozenset[Fingerprint]:
        return frozenset(self.injected)

    def _born(self) -> Proxy:
        bundle, leaf = self._bundle(), self._issued()
        return Proxy(bundle, leaf if leaf and leaf.by.anchor in bundle else None)

    def _age(self, name: str, proxy: Proxy) -> None:
        del name
        if proxy.leaf and self.rack.time >= proxy.leaf.made + self.renew_at * self.leaf_life:
            fresh = self._issued()
            if fresh and fresh.by.anchor in proxy.trusts:
                proxy.leaf = fresh


class IstioLike(FakeTrust):
    """istiod watches its mounted Secret, which follows after ``lag``, or has what is said now when it is restarted (but
    for an istiod that is ``deaf``). A changed bundle is pushed and renews every leaf at once; another signer pushes
    nothing. A set of roots that is neither part of the old one nor holds it is refused with a warning.
    """

    deaf: bool = False

    def hear(self) -> None:
        super().hear()
        if self.restarted_at is not None and self.rack.time >= self.restarted_at + START:
            self.restarted_at = None
            if not self.deaf:
                self.changed.clear()
                self._heard(self.told)

    def _heard(self, told: Declared) -> None:
        old, new = set(self.heard.published), set(told.published)
        if not (old <= new or new <= old) or told.signer is None or told.signer.anchor not in new:
            self.log.append("istiod refused the Secret")
            return
        self.heard = told
        if old != new and not self.way.restart_for_trust:
            self._pushed()

    def _pushed(self) -> None:
        for proxy in self.proxies.values():
            proxy.trusts, proxy.leaf = self._bundle(), self._issued()

    def copies(self) -> tuple[Copy, ...]:
        return (Copy("ConfigMap shop/istio-ca-root-cert", frozenset(self.heard.published)),)


class AmbientLike(IstioLike):
    """Nothing is pushed: ztunnel learns roots with its leaves. It holds the keys of every pod on its node but the
    gateways', which are Envoys with keys of their own.
    """

    def _agents(self) -> dict[str, str]:
        found = {}
        for agent in self.rack.agents.of(self.mesh, "ztunnel"):
            if agent.node and agent.serves(self.rack.time):
                found[agent.node] = agent.name
        return found

    def _holders(self) -> set[str]:
        gateways = {p.name for p in self.rack.pods.values() if p.mesh == self.mesh and p.gateway}
        return gateways | set(self._agents().values())

    def holder(self, pod: Pod) -> str:
        return pod.name if pod.gateway else self._agents().get(pod.node, "")

    def held_by(self, pod: Pod) -> str:
        return "" if pod.gateway else "ztunnel"

    def renew(self, party: Party) -> bool:
        if not party.held_by:
            return super().renew(party)
        for agent in self.rack.agents.of(self.mesh, "ztunnel"):
            if agent.node == party.node and agent.gone_at is None:
                self.log.append(f"delete {agent.name}")
                self.rack.agents.delete(agent.name)
        return True


class ConsulLike(FakeTrust):
    """One call adds the root, has the old one cross-sign it and signs with it. Proxies fetch bundle and leaf again,
    each in its own time; the old root is pruned after ``prune_after`` seconds, whatever anybody waits for.
    """

    prune_after: float = 20.0
    spread: float = 2.0
    bundle_at: float = 0.0
    leaf_at: float = 0.0

    def hand_over(self, trusts: tuple[int, ...], signer: Signer) -> bool:
        """What it already signs with changes nothing."""
        del trusts
        self.rack.check("kubernetes")
        wanted = self.authority(signer)
        if self.told.signer != wanted:
            self.log.append(f"told {signer}")
            rest = tuple(name for name in self.told.published if name != wanted.anchor)
            self.told = self.heard = Declared((*rest, wanted.anchor), wanted)
            self.bundle_at = self.leaf_at = self.rack.time
        return True

    def hear(self) -> None:
        if len(self.told.published) > 1 and self.rack.time >= self.leaf_at + self.prune_after:
            assert self.told.signer is not None
            self.told = self.heard = Declared((self.told.signer.anchor,), self.told.signer)
            self.bundle_at = self.rack.time

    def _issued(self) -> Leaf | None:
        found, olds = FakeTrust._issued(self), frozenset(self.told.published[:-1])
        return replace(found, also=olds, bridged=self.rack.time + 7 * FOREVER) if found else None

    def _age(self, name: str, proxy: Proxy) -> None:
        """The bundle is watched and comes first; the leaf follows, jittered."""
        jitter = self.spread * (int(named(name)[:4], 16) % 100) / 100
        now = self.rack.time
        if proxy.fetched != self.told and now >= self.bundle_at + jitter:
            proxy.trusts, proxy.fetched = self._bundle(), self.told
        other = proxy.leaf is not None and proxy.leaf.by != self.told.signer
        late = other and now >= self.leaf_at + self.spread + jitter
        if late or (proxy.leaf and now >= proxy.leaf.made + self.renew_at * self.leaf_life):
            proxy.leaf = self._issued()
