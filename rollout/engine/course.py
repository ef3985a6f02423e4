"""Where a mesh's rotation starts and where it goes, from its key store and from what the mesh shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pki.rotation.gates import bundle_is, party_serves, party_trusts
from pki.rotation.phase import Aim, Astray, Phase, phase_of
from pki.rotation.sighting import Authority, Sighting
from rollout.checks.registry import few
from rollout.engine.ports import World
from rollout.engine.trust import Declared, MeshTrust
from rollout.errors import Unreachable
from rollout.model.rekey import Signer
from rollout.planner.refuse import refuse
from rollout.planner.request import Handed
from rollout.planner.rotate import Course, way_of


def course_of(world: World, mesh: str, *, issuer_only: bool = False, back: bool = False) -> Course:
    """``back``: to the signer that an unfinished rotation came from.

    Raises PlanRefused where the mesh is in no state that a rotation passes, or its key store does not know it."""
    way_of(world.roles[mesh])
    trust = world.trust.get(mesh)
    if trust is None:
        fix = f"give {mesh} a `pki` section (docs/pki.md), then `rackroll pki init --mesh {mesh}`"
        raise refuse("PLAN-TRUST-01", f"the site names no key store for {mesh}", fix=fix)
    seen = _staying(trust.sight())
    before, after = _ends(trust, seen, mesh, issuer_only=issuer_only)
    if back:
        before, after = _backwards(trust, seen, mesh, before, after)
    phase = _phase(trust, seen, before, after)
    if phase in (Phase.MINT, Phase.TRUST, Phase.SWITCH):
        _require_start(trust, seen, before, after)
    late = _late(trust, seen, after, phase)
    return Course(mesh, before, after, phase, late, tuple(_unseen(mesh, seen)))


def _unseen(mesh: str, seen: Sighting) -> Iterator[str]:
    """A census of nobody holds whatever happens: whoever reads the plan must know."""
    bare = [f"{party.namespace}/{party.name}" for party in seen.uncertified]
    if bare:
        yield f"{mesh}: {len(bare)} proxies hold no certificate of it and are in no census: {few(bare)}"
    if not seen.parties:
        yield f"{mesh}: no proxy was seen that holds a certificate of it: every census here is of nobody"


def _staying(seen: Sighting) -> Sighting:
    """What is leaving is gone before the plan is half made; its steps look again and wait for what is not."""
    return replace(seen, parties=tuple(party for party in seen.parties if not party.leaving))


def _late(trust: MeshTrust, seen: Sighting, after: Signer, phase: Phase) -> frozenset[str] | None:
    """The nodes that lag, where what they lag behind was handed over already; None where it was not."""
    if phase is Phase.DRAIN:
        wanted = trust.authority(after)
        return frozenset(p.node for p in seen.parties if list(party_serves(p, wanted)))
    if phase not in (Phase.TRUST, Phase.UNTRUST):
        return None
    published, new = frozenset(seen.published), trust.authority(after).anchor
    told = published == {new} if phase is Phase.UNTRUST else new in published
    return frozenset(p.node for p in seen.parties if list(party_trusts(p, published))) if told else None


def _backwards(
    trust: MeshTrust, seen: Sighting, mesh: str, before: Signer, after: Signer
) -> tuple[Signer, Signer]:
    """Reversible until UNTRUST: both anchors must still be believed."""
    if after not in trust.signers():
        text = f"{mesh} is in no rotation: everything that was seen comes from {before}"
        fix = (
            "a finished rotation is undone by one to a new generation: `rackroll plan rotate` without --back"
        )
        raise refuse("PLAN-TRUST-02", text, fix=fix)
    if trust.authority(before).anchor not in seen.published:
        text = f"the anchor of {before} is out of the bundle: going back would be a rotation of its own"
        raise refuse("PLAN-TRUST-02", text, fix="plan a rotation to a new generation instead")
    return after, before


def _ends(trust: MeshTrust, seen: Sighting, mesh: str, *, issuer_only: bool) -> tuple[Signer, Signer]:
    """What was begun is finished first; then the goal is the newest signer ahead, minted or to be minted."""
    known = {trust.authority(signer): signer for signer in trust.signers()}
    now = known.get(seen.signer) if seen.signer else None
    if now is None:
        text = f"{mesh} signs with {_named(seen.signer)}, which its key store did not mint"
        fix = (
            f"hand the mesh its first generation with `rackroll plan bringup`, or restore {mesh}'s pki folder"
        )
        raise refuse("PLAN-TRUST-02", text, fix=fix)
    alike = [s for s in trust.signers() if (s.generation == now.generation) == issuer_only]
    older = [s for s in alike if s < now and _about(trust, seen, s, issuer_only=issuer_only)]
    if older:
        return max(older), now
    ahead = [s for s in alike if s > now]
    if ahead:
        return now, max(ahead, key=lambda s: (trust.authority(s).anchor in seen.published, s))
    return now, Signer(now.generation, now.issuer + 1) if issuer_only else Signer(now.generation + 1, 1)


def _about(trust: MeshTrust, seen: Sighting, signer: Signer, *, issuer_only: bool) -> bool:
    """A rotation that has switched already shows in leaves of another issuer, in a bundle with two roots, or in a
    verifier that has not followed yet where the bundle has one again."""
    authority = trust.authority(signer)
    served = any(party.leaf is not None and party.leaf.by == authority for party in seen.parties)
    return served or (not issuer_only and authority.anchor in _trusted_somewhere(seen))


def _trusted_somewhere(seen: Sighting) -> frozenset[str]:
    """Of whom nobody could ask, nothing is assumed here: the plan's own looks hold for that."""
    told = (copy.anchors for copy in seen.copies)
    asked = (party.trusts for party in seen.parties if party.trusts is not None)
    return frozenset(seen.published).union(*told, *asked)


def _phase(trust: MeshTrust, seen: Sighting, before: Signer, after: Signer) -> Phase:
    minted = after in trust.signers()
    aim = Aim(trust.authority(before), trust.authority(after) if minted else None)
    try:
        return phase_of(aim, seen)
    except Astray as error:
        fix = "put it right by hand: docs/pki.md says how each mesh is told"
        raise refuse("PLAN-TRUST-02", str(error), fix=fix) from None


def _require_start(trust: MeshTrust, seen: Sighting, before: Signer, after: Signer) -> None:
    """PREFLIGHT: one generation, believed by everybody who was seen; with the new one beside it once that is out."""
    wanted = {trust.authority(before).anchor}
    if after in trust.signers() and trust.authority(after).anchor in seen.published:
        return
    objections = bundle_is(seen, wanted)
    if objections:
        text = "; ".join(str(each) for each in objections[:4])
        fix = (
            "see `rackroll pki census`, and `rackroll check PKI-CLOCK`: a node whose clock is behind refuses what is "
            "fresh; a rotation starts when every verifier trusts one and the same root"
        )
        raise refuse("PLAN-TRUST-02", text, fix=fix)
    stray = [p for p in seen.parties if p.leaf is not None and p.leaf.by != trust.authority(before)]
    if stray:
        text = f"{stray[0]} serves a leaf that the mesh's signer did not issue"
        raise refuse(
            "PLAN-TRUST-02", text, fix="restart that pod, or see whose leaf it is: `rackroll pki census`"
        )


def _named(signer: Authority | None) -> str:
    return f"issuer {signer.issuer[:12]}" if signer else "nobody that can be read"


def handed(world: World) -> dict[str, Handed]:
    """For a bringup: what each mesh was told already, else its newest signer; none without a generation.

    A mesh that signs with what its key store did not mint is left as it is: taking it over is a rotation.
    """
    found: dict[str, Handed] = {}
    for mesh, trust in world.trust.items():
        signers = {trust.authority(signer): signer for signer in trust.signers()}
        declared = _declared(trust)
        if not signers:
            continue
        if declared is None or declared.signer is None:
            newest = max(signers.values())
            found[mesh] = Handed((newest.generation,), newest, trust.way.both_at_once)
        elif declared.signer in signers:
            numbers = {authority.anchor: signer.generation for authority, signer in signers.items()}
            trusts = tuple(numbers[anchor] for anchor in declared.published if anchor in numbers)
            found[mesh] = Handed(trusts, signers[declared.signer], trust.way.both_at_once)
    return found


def _declared(trust: MeshTrust) -> Declared | None:
    """None where nobody can be asked yet: before the first bringup there is no server."""
    try:
        return trust.declared()
    except Unreachable:
        return None
