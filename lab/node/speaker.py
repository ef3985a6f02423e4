"""The speaker's loop on one node: simulated MetalLB logic over the node's real FRR (bgpd and bfdd).

It speaks only while the ``speaker`` pod of MetalLB's DaemonSet runs here; without it the node has no BGP,
as on a real node whose speaker is gone. FRR mode and frr-k8s mode look the same from outside and are one here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping

from lab.kube.collection import Event
from lab.kube.objects import Obj, is_terminating, lookup, name_of, uid_of
from lab.kube.resource import ENDPOINT_SLICES, NODES, PODS, SERVICES, Resource
from lab.kube.store import Store
from lab.node import bgpstatus
from lab.node.announcer import Announcement, Config, SpeakerRules, announces, read_config, speaker_rules
from lab.node.facts import Service, node_facts, services
from lab.node.frr import Speaking, commands, read_profile
from lab.node.machine import Machine
from lab.node.wake import Wake
from rollout.errors import RackrollError

_log = logging.getLogger(__name__)
_RESYNC = 5.0
_RETRY = 1.0

POOLS = Resource("metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool")
PEERS = Resource("metallb.io", "v1beta2", "bgppeers", "BGPPeer")
ADVERTISEMENTS = Resource("metallb.io", "v1beta1", "bgpadvertisements", "BGPAdvertisement")
PROFILES = Resource("metallb.io", "v1beta1", "bfdprofiles", "BFDProfile")

Decisions = Mapping[tuple[str, str], tuple[Announcement, ...]]


class Speaker:
    def __init__(self, store: Store, machine: Machine, namespace: str) -> None:
        self._store = store
        self._machine = machine
        self._namespace = namespace
        self._silent = Speaking(router_id=machine.fabric_address)
        self._said: Speaking | None = None
        self._init: object = None
        self._pod: str | None = None

    async def run(self) -> None:
        wake = Wake()
        wake.on(self._store, (SERVICES, ENDPOINT_SLICES, POOLS, PEERS, ADVERTISEMENTS, PROFILES))
        wake.on(self._store, (NODES,), self._is_this_node)
        wake.on(self._store, (PODS,), self._is_speaker)
        wake.set()
        within = _RESYNC
        while True:
            await wake.wait(within)
            within = _RESYNC
            if not self._machine.alive:
                self._said, within = None, _RETRY
                continue
            try:
                await self._sync()
            except (RackrollError, ValueError, KeyError) as error:
                _log.warning("speaker on %s: %s", self._machine.name, error)
                self._said, within = None, _RETRY

    def _is_this_node(self, event: Event) -> bool:
        return name_of(event.object) == self._machine.name

    def _is_speaker(self, event: Event) -> bool:
        return self._speaks(event.object)

    def _speaks(self, pod: Obj) -> bool:
        if lookup(pod, "spec", "nodeName") != self._machine.name:
            return False
        if pod["metadata"].get("namespace") != self._namespace:
            return False
        return any(c["name"] == "speaker" for c in pod["spec"]["containers"])

    async def _sync(self) -> None:
        pods = [
            p for p in self._store.list(PODS, self._namespace) if self._speaks(p) and not is_terminating(p)
        ]
        self._restart_with(uid_of(pods[0]) if pods else None)
        if not pods:
            await self._say(self._silent)
            bgpstatus.publish(self._store, self._namespace, self._machine.name, {})
            return
        container = next(c for c in pods[0]["spec"]["containers"] if c["name"] == "speaker")
        rules = speaker_rules(container.get("image", ""), container.get("args") or ())
        config = read_config(self._all(POOLS), self._all(PEERS), self._all(ADVERTISEMENTS))
        decisions = self._decide(config, rules)
        await self._say(self._speaking(config, decisions))
        if rules.publishes_status:
            bgpstatus.publish(self._store, self._namespace, self._machine.name, _heard(decisions))

    def _restart_with(self, pod: str | None) -> None:
        """FRR lives in the speaker's pod, so another pod is another FRR, also if it came before we looked again."""
        if pod != self._pod:
            self._said, self._pod = None, pod

    def _decide(self, config: Config, rules: SpeakerRules) -> Decisions:
        node = self._store.get(NODES, None, self._machine.name)
        if node is None:
            return {}
        facts = node_facts(node)
        balanced = [s for s in self._store.list(SERVICES) if lookup(s, "spec", "type") == "LoadBalancer"]
        known: Iterable[Service] = services(balanced, self._store.list(ENDPOINT_SLICES))
        return {(s.namespace, s.name): announces(facts, s, config, rules) for s in known}

    def _speaking(self, config: Config, decisions: Decisions) -> Speaking:
        node = self._store.get(NODES, None, self._machine.name)
        peers = tuple(p for p in config.peers if node is not None and p.on(node_facts(node)))
        if not peers:
            return self._silent
        wanted = {p.bfd_profile for p in peers}
        heard = {a.vip: a.peers for found in decisions.values() for a in found if a.peers}
        return Speaking(
            router_id=self._machine.fabric_address,
            asn=peers[0].my_asn,
            peers=peers,
            profiles=tuple(p for p in map(read_profile, self._all(PROFILES)) if p.name in wanted),
            vips=heard,
        )

    def _all(self, resource: Resource) -> list[Obj]:
        """Objects of a MetalLB resource; none while its CRD is not installed."""
        if not any(r.key == resource.key for r in self._store.resources()):
            return []
        return self._store.list(resource, self._namespace)

    async def _say(self, wanted: Speaking) -> None:
        """Bring FRR from what it was told to ``wanted``: one vtysh call per change, none when nothing changed."""
        init = self._machine.host().init
        if self._said is None or init != self._init:
            await self._silence()
            self._said, self._init = self._silent, init
        lines = commands(self._said, wanted)
        if lines:
            await self._vtysh(lines)
            self._said = wanted

    async def _silence(self) -> None:
        """Start from nothing: an earlier daemon's sessions end here."""
        running = await self._machine.run("vtysh", "-c", "show running-config")
        found = re.search(r"^router bgp (\d+)", running, re.MULTILINE)
        if found:
            await self._vtysh((f"no router bgp {found.group(1)}",))
        await self._vtysh(("ip prefix-list nothing deny any",))

    async def _vtysh(self, lines: Iterable[str]) -> None:
        argv = [word for line in ("configure terminal", *lines) for word in ("-c", line)]
        said = await self._machine.run("vtysh", *argv)
        if "%" in said:
            raise RackrollError(f"FRR refused: {said.strip()}", where=f"lab node {self._machine.name}")


def _heard(decisions: Decisions) -> dict[tuple[str, str], frozenset[str]]:
    return {
        service: frozenset(peer for a in found for peer in a.peers)
        for service, found in decisions.items()
        if any(a.peers for a in found)
    }
