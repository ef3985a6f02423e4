"""What forbids the next move of a rotation, by what was seen: the exit gates of facts and drills, as pure functions.

An empty answer means go. ``unseen`` objections are silence, which is not health: they hold like the others, and are
told apart because what helps is different. Invariants: no root is removed while a live leaf chains to it
(linkerd2#4287), and none is signed with before every verifier has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pki.rotation.sighting import Authority, Fingerprint, LiveLeaf, Party, Sighting

MAX_SKEW = timedelta(seconds=10)
"""Beyond it a leaf is "not yet valid" to somebody: Linkerd backdates by 20 s, Consul by 60 s (docs/pki.md)."""


@dataclass(frozen=True, slots=True)
class Objection:
    """``who`` is a pod, a copy, a node; ``text`` what is wrong with it; ``unseen`` that nobody could look."""

    who: str
    text: str
    unseen: bool = False

    def __str__(self) -> str:
        return f"{self.who}: {self.text}"


Objections = tuple[Objection, ...]


def bundle_is(seen: Sighting, wanted: Collection[Fingerprint]) -> Objections:
    """Every verifier and every copy trusts exactly ``wanted``, of the anchors that we know."""
    return tuple(_bundles(seen, frozenset(wanted), exactly=True))


def bundle_has(seen: Sighting, wanted: Collection[Fingerprint]) -> Objections:
    """Every verifier and every copy trusts ``wanted``, whatever else it trusts."""
    return tuple(_bundles(seen, frozenset(wanted), exactly=False))


def _bundles(seen: Sighting, wanted: frozenset[Fingerprint], *, exactly: bool) -> Iterator[Objection]:
    yield from _differs("the published bundle", frozenset(seen.published), wanted, exactly=exactly)
    for copy in seen.copies:
        yield from _differs(copy.where, copy.anchors, wanted, exactly=exactly)
    for party in seen.parties:
        yield from party_trusts(party, wanted, exactly=exactly)


def party_trusts(
    party: Party, wanted: frozenset[Fingerprint], *, exactly: bool = True
) -> Iterator[Objection]:
    if party.trusts is None:
        yield Objection(str(party), party.silent or "nobody could ask what it trusts", unseen=True)
    else:
        yield from _differs(str(party), party.trusts, wanted, exactly=exactly)


def _differs(
    who: str, found: frozenset[Fingerprint], wanted: frozenset[Fingerprint], *, exactly: bool
) -> Iterator[Objection]:
    missing, odd = sorted(wanted - found), sorted(found - wanted) if exactly else []
    if missing:
        yield Objection(who, f"does not trust {_short(missing)}")
    if odd:
        yield Objection(who, f"still trusts {_short(odd)}")


def leaves_are(parties: Iterable[Party], wanted: Authority) -> Objections:
    """Every live leaf was issued by ``wanted``. What cannot be seen may be an old one."""
    return tuple(objection for party in parties for objection in party_serves(party, wanted))


def party_serves(party: Party, wanted: Authority) -> Iterator[Objection]:
    if party.leaf is None:
        yield Objection(str(party), party.silent or "nobody could see its leaf", unseen=True)
    elif party.leaf.by is None:
        yield Objection(str(party), "serves a leaf that chains to no anchor of ours")
    elif party.leaf.by != wanted:
        yield Objection(str(party), f"serves a leaf from {_authority(party.leaf.by)}")


def valid(leaf: LiveLeaf, now: datetime) -> bool:
    return leaf.not_before <= now <= leaf.not_after


def _authority(found: Authority) -> str:
    return f"issuer {found.issuer[:12]} under anchor {found.anchor[:12]}"


def _short(anchors: Iterable[Fingerprint]) -> str:
    return ", ".join(anchor[:12] for anchor in anchors)
