"""kube-proxy's part for load-balancer VIPs, as one nftables table per node.

Only new connections meet these rules: conntrack carries established ones, so a pod that leaves the
table keeps the flows it has. ClusterIPs are not translated; the lab's gateways use endpoints directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.node.facts import Endpoint, Service

TABLE = "rackroll_vips"
POD_DEVICE = "mgmt0"  # where the simulated CNI carries pods' traffic between nodes


@dataclass(frozen=True, slots=True)
class Target:
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class VipRule:
    """New TCP connections to ``vip:port`` go to one of ``targets``; with none they are dropped."""

    vip: str
    port: int
    targets: tuple[Target, ...]


def vip_rules(services: Iterable[Service], node: str) -> tuple[VipRule, ...]:
    rules: list[VipRule] = []
    for service in services:
        chosen = usable([e for e in service.endpoints if not service.local or e.node == node])
        for port in service.ports:
            targets = tuple(Target(e.address, n) for e in chosen if (n := e.port(port.name)) is not None)
            rules.extend(VipRule(vip, port.number, targets) for vip in service.vips)
    return tuple(sorted(rules, key=lambda r: (r.vip, r.port)))


def usable(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """Ready endpoints; if none is ready, those that still serve while they terminate (KEP-1669)."""
    ready = tuple(e for e in endpoints if e.ready)
    return ready or tuple(e for e in endpoints if e.serving and e.terminating)


def render(rules: Sequence[VipRule]) -> str:
    """One atomic ``nft -f`` script.

    An untranslated packet to a VIP is dropped, never forwarded back to the ToR. What goes on to another
    node's pod (policy Cluster) is masqueraded, so that the answer comes back through here.
    """
    vips = sorted({rule.vip for rule in rules})
    translate = "".join(f"    {_translate(rule)}\n" for rule in rules if rule.targets)
    drop = f"    ip daddr {{ {', '.join(vips)} }} counter drop\n" if vips else ""
    return (
        f"table ip {TABLE} {{}}\n"
        f"delete table ip {TABLE}\n"
        f"table ip {TABLE} {{\n"
        "  chain translate {\n    type nat hook prerouting priority dstnat; policy accept;\n"
        f"{translate}  }}\n"
        "  chain stray {\n    type filter hook forward priority filter; policy accept;\n"
        f"{drop}  }}\n"
        "  chain leave {\n    type nat hook postrouting priority srcnat; policy accept;\n"
        f"    ct status dnat oifname {POD_DEVICE} masquerade\n  }}\n"
        "}\n"
    )


def _translate(rule: VipRule) -> str:
    match = f"ip daddr {rule.vip} tcp dport {rule.port}"
    if len(rule.targets) == 1:
        only = rule.targets[0]
        return f"{match} dnat to {only.address}:{only.port}"
    choices = ", ".join(f"{n} : {t.address} . {t.port}" for n, t in enumerate(rule.targets))
    return f"{match} dnat to numgen random mod {len(rule.targets)} map {{ {choices} }}"
