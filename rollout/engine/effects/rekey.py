"""Handing a mesh's trust over. Every change is guarded by what handshakes show at that moment, whatever a plan says:
no signer that somebody does not trust yet, no root removed that a live leaf still chains to (linkerd2#4287).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from pki.rotation.gates import (
    Objection,
    Objections,
    bundle_has,
    bundle_is,
    leaves_are,
    party_serves,
    party_trusts,
)
from pki.rotation.sighting import Party, Sighting
from rollout.engine.context import Run
from rollout.engine.outcome import Done, Word
from rollout.engine.ports import World
from rollout.engine.trust import Declared, MeshTrust
from rollout.errors import StepFailed, Unreachable
from rollout.model.gate import Finding, Verdict
from rollout.model.rekey import (
    AwaitLeaves,
    AwaitRenewed,
    AwaitTrust,
    HandOver,
    MintAuthority,
    RenewLate,
    RenewProxies,
    RestartControlPlane,
    Signer,
)

CENSUS = "PKI-CENSUS"
TRUST = "PKI-TRUST"
SHOWN = 8
MOMENT = 15.0
"""Seconds in which a pushed bundle usually has reached everybody."""
_HINTS = {
    TRUST: "see what that verifier trusts (`rackroll pki census`); put the anchor back or restart it, then "
    "`rackroll resume` (docs/pki.md)",
    CENSUS: "restart that pod, or see why it does not renew (`rackroll pki census`), then `rackroll resume`",
}
Findings = tuple[Finding, ...]


def trust_of(run: Run, mesh: str) -> MeshTrust:
    return trust_of_mesh(run.world, mesh)


def trust_of_mesh(world: World, mesh: str) -> MeshTrust:
    """Raises StepFailed for a mesh whose trust this site does not hand over."""
    found = world.trust.get(mesh)
    if found is None:
        hint = f"give the mesh a `pki` section in site.yaml, and a first generation: rackroll pki init --mesh {mesh}"
        raise StepFailed(f"nothing here can hand over {mesh}'s trust", where=mesh, hint=hint)
    return found


def mint(run: Run, effect: MintAuthority) -> Done:
    made = trust_of(run, effect.mesh).mint(effect.signer)
    return Done(Word.DONE if made else Word.ALREADY, str(effect.signer))


def hand_over(run: Run, effect: HandOver) -> Done | Findings:
    """One guard for each kind of change; a mesh that was told exactly this already is left alone."""
    trust = trust_of(run, effect.mesh)
    wanted = Declared(trust.anchors(effect.trusts), trust.authority(effect.signer))
    silent = _until_clear(run, TRUST, lambda: _answers(trust))
    if silent:
        return silent
    now = trust.declared()
    if now == wanted:
        return Done(Word.ALREADY)
    held = tuple(_forbids(trust, effect, now, wanted))
    if held:
        return held
    trust.hand_over(effect.trusts, effect.signer)
    return Done(Word.DONE)


def _answers(trust: MeshTrust) -> Objections:
    """A signer that has just died is waited for: its kubelet starts it again."""
    trust.declared()
    return ()


def _forbids(trust: MeshTrust, effect: HandOver, now: Declared, wanted: Declared) -> Iterator[Finding]:
    """A signer that cannot be read (its Secret is gone) counts as another one: it may have signed what lives."""
    assert wanted.signer is not None
    if wanted.signer.anchor not in wanted.published:
        text = "the plan lets it sign under an anchor that it takes out of the bundle"
        yield from _finding(TRUST, (Objection(str(effect.signer), text),))
        return
    if trust.way.both_at_once:
        return
    removed = set(now.published) - set(wanted.published)
    yield from _finding(TRUST, _unsaid(removed - set(trust.anchors(effect.untrusts))))
    switched = now.signer != wanted.signer
    if not (removed or switched):
        return
    seen = trust.sight()
    if not now.published and not seen.parties:
        return
    if switched:
        yield from _finding(TRUST, bundle_has(seen, _needed(trust, effect, now, wanted)))
    if removed:
        yield from _finding(CENSUS, leaves_are(seen.parties, wanted.signer))


def _unsaid(removed: Iterable[str]) -> Objections:
    text = "is in the bundle, and the plan does not say that it takes it out"
    return tuple(Objection(f"anchor {anchor[:12]}", text) for anchor in sorted(removed))


def _needed(trust: MeshTrust, effect: HandOver, now: Declared, wanted: Declared) -> frozenset[str]:
    """What everybody must trust before another one signs. On the way back to an older signer only that one's anchor:
    a verifier that lost the newer one is what going back is for."""
    assert wanted.signer is not None
    current = next((signer for signer in trust.signers() if trust.authority(signer) == now.signer), None)
    if current is not None and effect.signer < current:
        return frozenset({wanted.signer.anchor})
    return frozenset(wanted.published)


def restart_control_plane(run: Run, effect: RestartControlPlane) -> Done:
    """The stamp is of what was handed over: a second delivery restarts nothing."""
    trust = trust_of(run, effect.mesh)
    told = trust.declared()
    text = " ".join((*told.published, told.signer.issuer if told.signer else ""))
    made = trust.restart_control_plane(hashlib.sha256(text.encode()).hexdigest()[:16])
    hint = "kubectl -n <control plane> get pods: which one does not come back?"
    already = run.until(f"{effect.mesh}'s control plane", trust.control_plane_lacks, hint=hint)
    return Done(Word.DONE if made or not already else Word.ALREADY)


def renew(run: Run, effect: RenewProxies) -> Done | Findings:
    """What lags on the node and was there when this began is restarted."""
    trust = trust_of(run, effect.mesh)
    restarts = _Restarts(trust)

    def look() -> Objections:
        return restarts.go_on(_late(trust, _staying(trust, effect.node), effect.trusts, effect.signer))

    return _until_clear(run, CENSUS, look) or restarts.done()


def renew_late(run: Run, effect: RenewLate) -> Done | Findings:
    """Most proxies only need a moment; one at a time of those that needed more is restarted."""
    trust = trust_of(run, effect.mesh)
    restarts = _Restarts(trust, at_once=1)
    began = run.clock.now()

    def look() -> Objections:
        late = _late(trust, trust.sight().parties, effect.trusts, effect.signer)
        if run.clock.now() - began < MOMENT:
            return tuple(o for _, objections in late for o in objections)
        workloads = [(party, objections) for party, objections in late if not party.gateway]
        gateways = tuple(o for party, objections in late if party.gateway for o in objections)
        return (*gateways, *restarts.go_on(workloads))

    return _until_clear(run, TRUST, look) or restarts.done()


Late = list[tuple[Party, list[Objection]]]


def _late(trust: MeshTrust, parties: Iterable[Party], trusts: tuple[int, ...], signer: Signer | None) -> Late:
    found = ((party, _lags(trust, party, trusts, signer)) for party in parties)
    return [(party, objections) for party, objections in found if objections]


@dataclass(slots=True)
class _Restarts:
    """Each pod is restarted once, and only those that lagged at the first look: one that comes back and lags too
    would do so again."""

    trust: MeshTrust
    at_once: int = 1000
    asked: set[tuple[str, str]] = field(default_factory=set)
    accepted: set[tuple[str, str]] = field(default_factory=set)

    def go_on(self, late: Late) -> Objections:
        holders = {_holder(party) for party, _ in late}
        if not self.asked:
            self.asked |= holders
        room = self.at_once - len(holders & self.accepted)
        for party, objections in late:
            name, unseen = _holder(party), all(objection.unseen for objection in objections)
            mine = name in self.asked - self.accepted and not party.leaving and not unseen
            if room > 0 and mine and self.trust.renew(party):
                self.accepted.add(name)
                room -= 1
        return tuple(o for _, objections in late for o in objections)

    def done(self) -> Done:
        counts = (("pods.evicted", len(self.accepted)),)
        return Done(Word.DONE if self.accepted else Word.ALREADY, f"{len(self.accepted)} pods", counts)


def _holder(party: Party) -> tuple[str, str]:
    """Where that is the node's agent, one restart is for all whose keys it holds."""
    return (party.held_by, party.node) if party.held_by else (party.namespace, party.name)


def await_renewed(run: Run, effect: AwaitRenewed) -> Done | Findings:
    trust = trust_of(run, effect.mesh)

    def look() -> Objections:
        parties = _staying(trust, effect.node)
        return tuple(o for p in parties for o in _lags(trust, p, effect.trusts, effect.signer))

    return _until_clear(run, CENSUS, look) or Done(Word.DONE)


def _staying(trust: MeshTrust, node: str) -> list[Party]:
    """A node's visit does not wait for what is leaving; looks at the whole mesh do, before anything changes."""
    return [party for party in trust.sight(node).parties if not party.leaving]


def _lags(trust: MeshTrust, party: Party, trusts: tuple[int, ...], signer: Signer | None) -> list[Objection]:
    found = list(party_trusts(party, frozenset(trust.anchors(trusts))))
    if signer is not None:
        found += party_serves(party, trust.authority(signer))
    return found


def await_trust(run: Run, effect: AwaitTrust) -> Done | Findings:
    trust = trust_of(run, effect.mesh)
    return _seen_everywhere(run, trust, TRUST, lambda seen: bundle_is(seen, trust.anchors(effect.trusts)))


def await_leaves(run: Run, effect: AwaitLeaves) -> Done | Findings:
    trust = trust_of(run, effect.mesh)
    return _seen_everywhere(
        run, trust, CENSUS, lambda seen: leaves_are(seen.parties, trust.authority(effect.signer))
    )


def _seen_everywhere(
    run: Run, trust: MeshTrust, check: str, judge: Callable[[Sighting], Objections]
) -> Done | Findings:
    """Says of how many verifiers that was true when it was: none at all is no proof."""
    parties = 0

    def look() -> Objections:
        nonlocal parties
        seen = trust.sight()
        parties = len(seen.parties)
        return judge(seen)

    held = _until_clear(run, check, look)
    return held or Done(Word.DONE, f"{parties} proxies seen", (("leaves.seen", parties),))


def _until_clear(run: Run, check: str, look: Callable[[], Objections]) -> Findings:
    """Looks until nothing objects; what still does after ``pacing.step_timeout`` holds the run."""
    began = run.clock.now()
    limit = run.site.pacing.step_timeout / timedelta(seconds=1)
    while True:
        run.safe_point()
        try:
            found = look()
        except Unreachable as error:
            found = (Objection(error.where or "the cluster", error.message, unseen=True),)
        if not found or run.clock.now() - began >= limit:
            return _finding(check, found)
        run.pause(run.tempo.between(run.clock.now() - began))


def _finding(check: str, found: Objections) -> Findings:
    if not found:
        return ()
    unseen = all(objection.unseen for objection in found)
    verdict = Verdict.INCONCLUSIVE if unseen else Verdict.CLOSED
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    detail = "; ".join(str(objection) for objection in found[:SHOWN]) + more
    return (Finding(check, verdict, detail, _HINTS[check]),)
