"""Where a rotation stands, read off certificates alone: nothing is remembered, so nothing can be remembered wrongly.

PREFLIGHT -> MINT -> TRUST -> SWITCH -> DRAIN -> UNTRUST -> DONE (docs/pki.md). Reversible until UNTRUST: before it,
going back is pointing the signer at the old issuer again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pki.rotation.sighting import Authority, Fingerprint, Sighting


class Phase(StrEnum):
    PREFLIGHT = "PREFLIGHT"
    MINT = "MINT"
    TRUST = "TRUST"
    SWITCH = "SWITCH"
    DRAIN = "DRAIN"
    UNTRUST = "UNTRUST"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class Aim:
    """From one authority to another. ``after`` None: the new one is not minted yet."""

    before: Authority
    after: Authority | None

    @property
    def anchors(self) -> tuple[Fingerprint, ...]:
        """Old first, as bundles are extended; one where only the issuer changes."""
        found = (self.before.anchor,) + ((self.after.anchor,) if self.after else ())
        return tuple(dict.fromkeys(found))

    @property
    def issuer_only(self) -> bool:
        return self.after is not None and self.after.anchor == self.before.anchor


class Astray(ValueError):
    """The mesh is in no state that a rotation passes through; the message says what is wrong and for whom."""


def phase_of(aim: Aim, seen: Sighting) -> Phase:
    """The phase whose work is not done yet.

    Raises :class:`Astray` where somebody else's hand shows: a signer that is neither of the two, or an anchor that is
    gone from the bundle while it signs.
    """
    _require_known_signer(aim, seen)
    if aim.after is None:
        return Phase.MINT
    if seen.signer == aim.before:
        return Phase.SWITCH if _trusted(aim, seen) else Phase.TRUST
    if any(party.leaf is None or party.leaf.by != aim.after for party in seen.parties):
        return Phase.DRAIN
    if aim.issuer_only or not lists_old(aim, seen):
        return Phase.DONE
    return Phase.UNTRUST


def lists_old(aim: Aim, seen: Sighting) -> bool:
    """Whether the old anchor is still published, copied or trusted anywhere that was seen."""
    old = aim.before.anchor
    return (
        old in seen.published
        or any(old in copy.anchors for copy in seen.copies)
        or any(party.trusts is None or old in party.trusts for party in seen.parties)
    )


def _trusted(aim: Aim, seen: Sighting) -> bool:
    wanted = set(aim.anchors)
    return (
        wanted <= set(seen.published)
        and all(wanted <= copy.anchors for copy in seen.copies)
        and all(party.trusts is not None and wanted <= party.trusts for party in seen.parties)
    )


def _require_known_signer(aim: Aim, seen: Sighting) -> None:
    if seen.signer is None:
        raise Astray("nobody can tell who signs for the mesh: its signer's certificate cannot be read")
    if seen.signer not in (aim.before, aim.after):
        raise Astray(f"the mesh's issuer {seen.signer.issuer[:12]} is neither the old one nor the new one")
    if seen.signer.anchor not in seen.published:
        text = "its anchor is not in the published bundle: every renewed leaf will be refused"
        raise Astray(f"the mesh signs under {seen.signer.anchor[:12]}, and {text}")
