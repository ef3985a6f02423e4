"""``--limit`` and ``--start-at``: which nodes may be touched, in words that an Ansible user knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

from rollout.model.site import Node, Site
from rollout.planner.refuse import RuleRefused, refuse

_GROUPS = ("all", "gateways", "workers")


def chosen(site: Site, limit: str) -> frozenset[str]:
    """Names of the nodes that ``rack:r1,!r1n2`` and the like leave; every node where it says nothing.

    Terms add up in any order; ``!`` takes away and ``&`` keeps only what is in that term too. Raises PlanRefused
    for a name that the site lacks, with the nearest one, and for a limit that leaves nobody.
    """
    terms = [term.strip() for term in limit.split(",") if term.strip()]
    everyone = frozenset(node.name for node in site.nodes)
    adds = [_named(site, term) for term in terms if term[0] not in "!&"]
    found = frozenset().union(*adds) if adds else everyone
    for term in terms:
        if term[0] == "&":
            found &= _named(site, term[1:])
        elif term[0] == "!":
            found -= _named(site, term[1:])
    if not found:
        raise refuse("PLAN-LIMIT-01", f"--limit {limit} leaves no node", fix="take a term away, or widen one")
    return found


def before(site: Site, order: Collection[Node], start_at: str) -> frozenset[str]:
    """The nodes that come before ``start_at`` (a node or ``rack:NAME``) in the order of a walk."""
    wanted = _named(site, start_at)
    skipped: list[str] = []
    for node in order:
        if node.name in wanted:
            return frozenset(skipped)
        skipped.append(node.name)
    raise AssertionError("an order holds every node of the site")


def _named(site: Site, term: str) -> frozenset[str]:
    kind, colon, pattern = term.partition(":")
    if not colon:
        return _nodes(site, term)
    kinds = {
        "rack": {rack.name: tuple(n.name for n in rack.nodes) for rack in site.racks},
        "domain": _domains(site),
        "group": _groups(site),
    }
    if kind not in kinds:
        raise _unknown(
            f"--limit knows no {kind}:", kind, kinds, f"use one of {', '.join(f'{k}:' for k in kinds)}"
        )
    return _matching(kinds[kind], pattern.strip(), f"{kind} ")


def _nodes(site: Site, term: str) -> frozenset[str]:
    if term in _GROUPS:
        return frozenset(_groups(site)[term])
    return _matching({node.name: (node.name,) for node in site.nodes}, term, "node ")


def _groups(site: Site) -> dict[str, tuple[str, ...]]:
    return {
        "all": tuple(n.name for n in site.nodes),
        "gateways": tuple(n.name for n in site.nodes if n.gateway),
        "workers": tuple(n.name for n in site.nodes if not n.gateway),
    }


def _domains(site: Site) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for rack in site.racks:
        found[rack.failure_domain] = (*found.get(rack.failure_domain, ()), *(n.name for n in rack.nodes))
    return found


def _matching(known: Mapping[str, tuple[str, ...]], pattern: str, what: str) -> frozenset[str]:
    hits = [name for name in known if fnmatchcase(name, pattern)]
    if not hits:
        some = ", ".join(list(known)[:8]) + (", ..." if len(known) > 8 else "")
        raise _unknown(f"the site has no {what}{pattern!r}", pattern, known, f"it has {some or 'none'}")
    return frozenset(node for name in hits for node in known[name])


def _unknown(text: str, word: str, known: Collection[str], otherwise: str) -> RuleRefused:
    near = get_close_matches(word, list(known), n=1)
    return refuse("PLAN-LIMIT-01", text, fix=f"did you mean {near[0]}?" if near else otherwise)
