"""Where a mesh's rotation starts and where it goes, from its key store and from what the mesh shows."""

from __future__ import annotations

from collections import Counter

from pki.rotation.gates import bundle_is, party_serves, party_trusts
from pki.rotation.phase import Aim, Astray, Phase, phase_of
from pki.rotation.sighting import Authority, Sighting
from rollout.engine.ports import World
from rollout.engine.trust import Declared, MeshTrust
from rollout.errors import Unreachable
from rollout.model.rekey import Signer
from rollout.planner.refuse import refuse
from rollout.planner.request import Handed
from rollout.planner.rotate import Course


def course_of(world: World, mesh: str, *, issuer_only: bool = False, back: bool = False) -> Course:
    """``back``: to the signer that an unfinished rotation came from.

    Raises PlanRefused where the mesh is in no state that a rotation passes, or its key store does not know it."""
    trust = world.trust.get(mesh)
    if trust is None:
        fix = f"give {mesh} a `pki` section (docs/pki.md), then `rackroll pki init --mesh {mesh}`"
        raise refuse("PLAN-TRUST-01", f"the site names no key store for {mesh}", fix=fix)
    seen = trust.sight()
    before, after = _ends(trust, seen, mesh, issuer_only=issuer_only)
    if back:
        before, after = _backwards(trust, seen, before, after)
    phase = _phase(trust, seen, before, after)
    if phase in (Phase.MINT, Phase.TRUST, Phase.SWITCH):
        _require_start(trust, seen, before, after)
    nodes = frozenset(party.node for party in seen.parties)
    return Course(mesh, before, after, phase, nodes, _late(trust, seen, after, phase))


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


def _backwards(trust: MeshTrust, seen: Sighting, before: Signer, after: Signer) -> tuple[Signer, Signer]:
    """Reversible until UNTRUST: both anchors must still be believed."""
    if trust.authority(before).anchor not in seen.published:
        text = f"the anchor of {before} is out of the bundle: going back would be a rotation of its own"
        raise refuse("PLAN-TRUST-02", text, fix="plan a rotation to a new generation instead")
    return after, before


def _ends(trust: MeshTrust, seen: Sighting, mesh: str, *, issuer_only: bool) -> tuple[Signer, Signer]:
    """The newest signer is the goal if it is not what signs already, or if something older is still about."""
    known = {trust.authority(signer): signer for signer in trust.signers()}
    now = known.get(seen.signer) if seen.signer else None
    if now is None:
        text = f"{mesh} signs with {_named(seen.signer)}, which its key store did not mint"
        fix = (
            f"hand the mesh its first generation with `rackroll plan bringup`, or restore {mesh}'s pki folder"
        )
        raise refuse("PLAN-TRUST-02", text, fix=fix)
    newest = max(trust.signers())
    if now != newest and (newest.generation == now.generation) == issuer_only:
        return now, newest
    older = _older(trust, seen, now, issuer_only=issuer_only)
    if older is not None:
        return older, now
    if issuer_only:
        return now, Signer(now.generation, now.issuer + 1)
    return now, Signer(now.generation + 1, 1)


def _older(trust: MeshTrust, seen: Sighting, now: Signer, *, issuer_only: bool) -> Signer | None:
    """A rotation that has switched already shows in a bundle with two roots, or in leaves of another issuer."""
    served = Counter(
        party.leaf.by
        for party in seen.parties
        if party.leaf and party.leaf.by and party.leaf.by != seen.signer
    )
    names = {trust.authority(signer): signer for signer in trust.signers()}
    found = [names[by] for by in served if by in names]
    published = [s for s in trust.signers() if trust.authority(s).anchor in seen.published and s < now]
    both = [s for s in (*found, *published) if (s.generation == now.generation) == issuer_only]
    return max(both, default=None)


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
        fix = "see `rackroll pki census`; a rotation starts when every verifier trusts one and the same root"
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
