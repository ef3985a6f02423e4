"""N-1: while one gateway moves, the others must carry the traffic, and never all from one power feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rollout.site.problem import Problem
from rollout.site.rules.walk import gateway_nodes, gateways, racks
from rollout.site.schema import SiteFile


def leave_one_when_one_moves(file: SiteFile, _: Path) -> Iterator[Problem]:
    count = len(gateway_nodes(file))
    wanted = next(gateways(file), None)
    if wanted is None or count >= 2:
        return
    left = "nothing serves at all" if count == 0 else "while it moves, 1 - 1 = 0 would serve"
    what = f"needs gateway nodes, and the site has {count}: {left}"
    yield Problem(wanted[0], what, "at least 2 nodes with 'gateway: true', in 2 failure domains")


def span_failure_domains(file: SiteFile, _: Path) -> Iterator[Problem]:
    found = gateway_nodes(file)
    domains = {rack.failure_domain or rack.name for _, rack, _ in found}
    if len(found) < 2 or len(domains) != 1 or next(gateways(file), None) is None:
        return
    count, domain = len(found), domains.pop()
    what = (
        f"all {count} gateway nodes are in the failure domain '{domain}': losing it leaves {count} - {count} = 0, "
        f"and N-1 needs {count - 1}"
    )
    yield Problem((*found[0][0], "gateway"), what, "gateway nodes in at least 2 failure domains")


def fit_the_multipath(file: SiteFile, _: Path) -> Iterator[Problem]:
    """A ToR that keeps fewer next-hops than there are gateways hides the rest: N-1 could never be measured."""
    counts = Counter(rack.name for _, rack, _ in gateway_nodes(file))
    for path, rack in racks(file):
        count = counts[rack.name]
        if count > file.bgp.multipath:
            what = f"is {file.bgp.multipath}, but the rack {rack.name} has {count} gateway nodes"
            yield Problem(("bgp", "multipath"), what, f"at least {count}", other=(*path, "name"))


def fit_the_prefix_limit(file: SiteFile, _: Path) -> Iterator[Problem]:
    """Over the limit the ToR drops the whole session, and with it every VIP of that node."""
    vips = len({gateway.vip for _, gateway in gateways(file)})
    if vips > file.bgp.maximum_prefixes:
        what = f"is {file.bgp.maximum_prefixes}, but each gateway node announces {vips} VIPs"
        yield Problem(("bgp", "maximumPrefixes"), what, f"at least {vips}")
