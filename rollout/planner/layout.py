"""Which nodes move together and in which order: canary node, canary rack, growing waves (docs/decisions/waves.md)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rollout.model.policy import Waves
from rollout.model.site import Node, Rack, Site

_NAMED = 4


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of one wave, gateways first within each rack; its racks share one failure domain."""

    name: str
    racks: tuple[str, ...]
    nodes: tuple[Node, ...]


def layout(
    site: Site, moving: Collection[str], waves: Waves, hurt: frozenset[str] = frozenset()
) -> tuple[Group, ...]:
    """Deterministic: the site file's order decides, so that an operator chooses the canary by writing it first.

    ``hurt`` nodes do not serve as it is: they come first, or nobody else could be taken out.
    """
    first = tuple(
        Group(f"node {node.name}, which does not serve", (node.rack,), (node,))
        for node in site.nodes
        if node.name in hurt and node.name in moving
    )
    return (*first, *_waves(site, frozenset(moving) - hurt, waves))


def _waves(site: Site, moving: frozenset[str], waves: Waves) -> tuple[Group, ...]:
    left = [rack for rack in site.racks if any(node.name in moving for node in rack.nodes)]
    if not left:
        return ()
    groups: list[Group] = []
    done: frozenset[str] = frozenset()
    first = _canary(left, moving)
    if waves.canary_node:
        node = _moving(first, moving)[0]
        groups.append(Group(f"canary node {node.name}", (first.name,), (node,)))
        done = frozenset({node.name})
    if waves.canary_rack:
        rest = tuple(node for node in _moving(first, moving) if node.name not in done)
        groups += [Group(f"canary rack {first.name}", (first.name,), rest)] if rest else []
        left.remove(first)
    groups += _growing(site, left, moving - done, waves, after=first.failure_domain if groups else "")
    return tuple(groups)


def _canary(racks: list[Rack], moving: Collection[str]) -> Rack:
    """The first rack with a gateway to move: a canary that serves no client shows little."""
    with_gateway = (r for r in racks if any(n.gateway and n.name in moving for n in r.nodes))
    return next(with_gateway, racks[0])


def _moving(rack: Rack, moving: Collection[str]) -> tuple[Node, ...]:
    nodes = [node for node in rack.nodes if node.name in moving]
    return tuple(sorted(nodes, key=lambda node: not node.gateway))


def _growing(
    site: Site, racks: list[Rack], moving: Collection[str], waves: Waves, *, after: str
) -> Iterator[Group]:
    """Waves take turns over the failure domains, so that no feed is all new before another has begun."""
    turns = _by_domain(racks, after)
    most = max(1, int(waves.max_share * len(site.racks)))
    size = min(float(most), max(1.0, waves.growth))
    while turns:
        domain = turns.popleft()
        taken = [domain.popleft() for _ in range(min(int(size), len(domain)))]
        nodes = tuple(node for rack in taken for node in _moving(rack, moving))
        if nodes:
            yield Group(_name(taken), tuple(rack.name for rack in taken), nodes)
        if domain:
            turns.append(domain)
        size = min(float(most), size * max(1.0, waves.growth))


def _by_domain(racks: list[Rack], after: str) -> deque[deque[Rack]]:
    """One queue for each failure domain, in the site's order; the canary's own domain waits until last."""
    queues: dict[str, deque[Rack]] = {}
    for rack in racks:
        queues.setdefault(rack.failure_domain, deque()).append(rack)
    names = sorted(queues, key=lambda name: name == after)
    return deque(queues[name] for name in names)


def _name(racks: list[Rack]) -> str:
    names = [rack.name for rack in racks]
    if len(names) == 1:
        return f"rack {names[0]}"
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return f"racks {shown}"
