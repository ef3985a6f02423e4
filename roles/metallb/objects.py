"""MetalLB's custom resources for one site, as plain values. Pure: the same site gives the same objects.

One BGPPeer per rack that has gateway nodes, selected by rack *and* gateway label: the ToR has exactly one
neighbor per gateway node, so a speaker elsewhere must not knock.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rollout.model.role import Json
from rollout.model.site import BfdTimers, Bgp, Node, Pool, Rack, Site

BFD_PROFILE = "fabric"
ADVERTISEMENT = "gateways"


def node_labels(site: Site, node: Node) -> Json:
    """What peers, advertisements and DaemonSets select by; applying it takes a stale gateway label back."""
    labels = {site.rack_label: node.rack}
    if node.gateway:
        labels[site.gateway_label] = "true"
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": labels}}


def pools(site: Site) -> tuple[Json, ...]:
    """Profile before the peers that name it, pools before the advertisement that names them."""
    racks = [rack for rack in site.racks if any(node.gateway for node in rack.nodes)]
    profile = [_bfd_profile(site, site.bgp.bfd)] if site.bgp.bfd else []
    addresses = [_address_pool(site, site.pool(name)) for name in site.metallb.pools]
    peers = [_peer(site, rack) for rack in racks]
    return (*profile, *addresses, *peers, _advertisement(site, racks))


def _object(site: Site, kind: str, version: str, name: str, spec: dict[str, Any]) -> Json:
    return {
        "apiVersion": f"metallb.io/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": site.metallb.namespace},
        "spec": spec,
    }


def _bfd_profile(site: Site, timers: BfdTimers) -> Json:
    interval = round(timers.interval / timedelta(milliseconds=1))
    spec = {
        "receiveInterval": interval,
        "transmitInterval": interval,
        "detectMultiplier": timers.multiplier,
    }
    return _object(site, "BFDProfile", "v1beta1", BFD_PROFILE, spec)


def _address_pool(site: Site, pool: Pool) -> Json:
    """Never assigned automatically: a stray Service must not take an address that a gateway is pinned to."""
    spec = {"addresses": [str(prefix) for prefix in pool.prefixes], "autoAssign": False}
    return _object(site, "IPAddressPool", "v1beta1", pool.name, spec)


def _peer(site: Site, rack: Rack) -> Json:
    spec = {
        "myASN": site.bgp.node_asn,
        "peerASN": rack.switch.asn,
        "peerAddress": str(rack.switch.fabric_address),
        **_timers(site.bgp),
        "nodeSelectors": [{"matchLabels": {site.rack_label: rack.name, site.gateway_label: "true"}}],
    }
    if site.bgp.bfd:
        spec["bfdProfile"] = BFD_PROFILE
    return _object(site, "BGPPeer", "v1beta2", rack.switch.name, spec)


def _timers(bgp: Bgp) -> dict[str, str]:
    """MetalLB wants both or neither; RFC 4271 suggests a third of the hold time between keepalives."""
    hold = round(bgp.hold_time.total_seconds())
    return {"holdTime": f"{hold}s", "keepaliveTime": f"{max(hold // 3, 1)}s"}


def _advertisement(site: Site, racks: list[Rack]) -> Json:
    spec = {
        "ipAddressPools": list(site.metallb.pools),
        "peers": [rack.switch.name for rack in racks],
        "nodeSelectors": [{"matchLabels": {site.gateway_label: "true"}}],
    }
    return _object(site, "BGPAdvertisement", "v1beta1", ADVERTISEMENT, spec)
