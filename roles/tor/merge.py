"""Our lines into a running config, replacing only lines that are ours; everything else stays as it was.

Ours are: lists, maps and profiles whose name begins with ``RACKROLL``; every ``neighbor`` line of an address that
is one of our nodes or carries our description; and ``maximum-paths`` of the families we manage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from roles.tor.intent import DESCRIPTION, NAME, Family, OwnedConfig
from roles.tor.running import Entry, parse, render
from rollout.errors import StepFailed

_OWNED_TOP = re.compile(rf"^(ip|ipv6) prefix-list {NAME}|^route-map {NAME}")
_MARKED = re.compile(rf"^neighbor (\S+) description {DESCRIPTION} ")
_MULTIPATH = re.compile(r"^maximum-paths \d+$")
_NEIGHBOR = re.compile(r"^(?:no )?neighbor (\S+)")


def merged(running: str, owned: OwnedConfig) -> str:
    """The whole configuration the switch should have. Raises ``StepFailed`` where the ToR is not what the site says."""
    entries = parse(running)
    _require_bgp(entries, owned.asn)
    kept = _without_ours(entries, owned)
    with_bgp = tuple(_with_bgp(entry, owned) for entry in kept)
    return render((*_with_bfd(with_bgp, owned), *_policies(owned)))


def foreign(running: str, owned: OwnedConfig) -> frozenset[str]:
    """Every line that is not ours, with its context: must be the same before and after an apply."""
    entries = parse(running)
    return frozenset(_paths(_without_ours(entries, owned), ""))


def _paths(entries: tuple[Entry, ...], context: str) -> Iterator[str]:
    for entry in entries:
        if entry.body:
            yield from _paths(entry.body, f"{context}{entry.line} / ")
        elif entry.line != "bfd" and not entry.line.startswith("address-family "):
            # Those two contexts appear and vanish with what is in them: empty, they say nothing.
            yield f"{context}{entry.line}"


def _require_bgp(entries: tuple[Entry, ...], asn: int) -> None:
    found = [entry.line for entry in entries if entry.line.startswith("router bgp ")]
    if f"router bgp {asn}" not in found:
        has = found[0].removeprefix("router ") if found else "no BGP at all"
        raise StepFailed(
            f"the site says AS {asn}, the switch runs {has}",
            hint="fix `asn` in the site file, or configure the switch's own BGP (its uplink) first",
        )


def _our_addresses(entries: tuple[Entry, ...], owned: OwnedConfig) -> frozenset[str]:
    """Today's nodes, plus neighbors marked as ours whose node has left the site file."""
    lines = (line.line for entry in entries for line in entry.body)
    marked = (match.group(1) for match in map(_MARKED.match, lines) if match)
    return owned.addresses | frozenset(marked)


def _without_ours(entries: tuple[Entry, ...], owned: OwnedConfig) -> tuple[Entry, ...]:
    addresses = _our_addresses(entries, owned)
    families = frozenset(f"address-family {family.name}" for family in owned.families)
    kept = (entry for entry in entries if not _OWNED_TOP.match(entry.line))
    cleaned = (_cleaned(entry, addresses, families) for entry in kept)
    return tuple(entry for entry in cleaned if entry.line != "bfd" or entry.body)


def _cleaned(entry: Entry, addresses: frozenset[str], families: frozenset[str]) -> Entry:
    if entry.line == "bfd":
        return _filtered(entry, lambda child: not child.line.startswith(f"profile {NAME}"))
    if not entry.line.startswith("router bgp "):
        return entry
    bgp = _filtered(entry, lambda child: _neighbor_of(child) not in addresses)
    return replace(bgp, body=tuple(_cleaned_family(child, addresses, families) for child in bgp.body))


def _cleaned_family(entry: Entry, addresses: frozenset[str], families: frozenset[str]) -> Entry:
    """A family is ours to widen while we want it, or while neighbors of ours are still in it."""
    managed = entry.line in families or any(_neighbor_of(child) in addresses for child in entry.body)
    if not entry.line.startswith("address-family ") or not managed:
        return entry
    return _filtered(
        entry, lambda child: _neighbor_of(child) not in addresses and not _MULTIPATH.match(child.line)
    )


def _filtered(entry: Entry, keep: Callable[[Entry], bool]) -> Entry:
    return replace(entry, body=tuple(child for child in entry.body if keep(child)))


def _neighbor_of(entry: Entry) -> str | None:
    match = _NEIGHBOR.match(entry.line)
    return match.group(1) if match else None


def _with_bgp(entry: Entry, owned: OwnedConfig) -> Entry:
    if entry.line != f"router bgp {owned.asn}":
        return entry
    families = [child for child in entry.body if child.line.startswith("address-family ")]
    plain = [child for child in entry.body if not child.line.startswith("address-family ")]
    implicit_v4 = not any(child.line == "no bgp default ipv4-unicast" for child in plain)
    neighbors = [Entry(line.strip()) for line in owned.neighbors]
    return replace(entry, body=(*plain, *neighbors, *_with_families(families, owned, implicit_v4)))


def _with_families(found: list[Entry], owned: OwnedConfig, implicit_v4: bool) -> Iterator[Entry]:
    wanted = {f"address-family {family.name}": family for family in owned.families}
    for entry in found:
        family = wanted.pop(entry.line, None)
        body = (*entry.body, *_family_lines(family, implicit_v4)) if family else entry.body
        if body:
            yield replace(entry, body=body)
    for line, family in wanted.items():
        yield Entry(line, tuple(_family_lines(family, implicit_v4)), "exit-address-family")


def _family_lines(family: Family, implicit_v4: bool) -> Iterator[Entry]:
    """FRR does not print ``activate`` where it is the default: IPv4, unless the box switched that off."""
    if not (family.name.startswith("ipv4") and implicit_v4):
        yield from (Entry(f"neighbor {address} activate") for address in family.neighbors)
    yield from (Entry(line.strip()) for line in family.lines)


def _with_bfd(entries: tuple[Entry, ...], owned: OwnedConfig) -> tuple[Entry, ...]:
    if not owned.bfd_profile:
        return entries
    head, *lines, closer = owned.bfd_profile
    profile = Entry(head.strip(), tuple(Entry(line.strip()) for line in lines), closer.strip())
    if not any(entry.line == "bfd" for entry in entries):
        return (*entries, Entry("bfd", (profile,), "exit"))
    return tuple(
        replace(entry, body=(*entry.body, profile)) if entry.line == "bfd" else entry for entry in entries
    )


def _policies(owned: OwnedConfig) -> Iterator[Entry]:
    yield from (Entry(line) for line in owned.lists)
    for head, *body in owned.route_maps:
        yield Entry(head, tuple(Entry(line.strip()) for line in body), "exit")
