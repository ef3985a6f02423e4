"""The order in which a mesh's trust changes hands: nobody signs before everybody believes it, nothing that somebody
still serves is taken away, and the end is the new root alone, seen. Read off the steps; the engine looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rollout.verify.document import Step
from rollout.verify.finding import refute

SWITCH, REMOVAL, MINTED, ONE, END, FOLLOW, LOOK = (f"VERIFY-TRUST-0{number}" for number in range(1, 8))
CLOCKS = frozenset({"CLOCK-OFFSET", "PKI-CLOCK"})
ONE_CALL = frozenset({"consul"})
"""Adds the root and signs with it in one call, cross-signed; prunes the old one by itself."""
READ_ONCE = frozenset({"linkerd", "istio", "istio-ambient"})
"""Its control plane surely has read its trust only once it was started again. Written down a second time on purpose."""

Signer = tuple[int, int]
Trusts = tuple[int, ...]


@dataclass(slots=True)
class Mesh:
    """``told``, ``signer``: by the last hand-over; before the first (``spoken``) what the plan presumes.

    ``trusted``: awaited of every verifier since then and since the last restart; ``leaves``: the signer that every leaf
    was awaited to come from; ``looked_in``: the wave of the last look at every verifier.
    """

    kind: str
    minted: set[Signer] = field(default_factory=set)
    told: Trusts | None = None
    signer: Signer | None = None
    spoken: bool = False
    removing: bool = False
    trusted: Trusts | None = None
    leaves: Signer | None = None
    looked_in: int | None = None
    restart_owed: bool = False
    read: bool = False

    @property
    def one_call(self) -> bool:
        return self.kind in ONE_CALL


class Trust:
    """Raises Counterexample VERIFY-TRUST-01 to -07, or VERIFY-GATE-01 for a change that asks no clock."""

    def __init__(self, kind: str, start: dict[str, Any]) -> None:
        self.bringup = kind == "bringup"
        self.kinds: dict[str, str] = {each["name"]: each["kind"] for each in start["subjects"]}
        self.meshes: dict[str, Mesh] = {}
        self.renewed: dict[str, tuple[Any, ...]] = {}
        """Nodes whose proxies were restarted and not seen yet, with what they shall follow."""

    def step(self, step: Step) -> None:
        if step.do == "Uncordon" and step.node in self.renewed:
            refute(FOLLOW, f"{step.node} comes back before its proxies were seen to follow", step=step.key)
        known: dict[str, Callable[[Step, Mesh], None]] = {
            "MintAuthority": self._mint,
            "HandOver": self._hand_over,
            "RestartControlPlane": self._restart,
            "RenewProxies": self._renew,
            "RenewLate": self._renew_late,
            "AwaitRenewed": self._await_renewed,
            "AwaitTrust": self._await_trust,
            "AwaitLeaves": self._await_leaves,
        }
        take = known.get(step.do)
        if take is None:
            return
        name = str(step.effect["mesh"])
        mesh = self.meshes.setdefault(name, Mesh(self.kinds.get(name, name)))
        if mesh.restart_owed and step.do not in ("RestartControlPlane", "MintAuthority"):
            refute(FOLLOW, f"{name}'s control plane has not read what it was told", step=step.key)
        take(step, mesh)

    def end(self) -> None:
        for name, mesh in self.meshes.items():
            if mesh.restart_owed:
                refute(FOLLOW, f"{name}'s control plane has not read what it was told")
            if not (self.bringup and mesh.spoken):
                _ended(name, mesh)

    def _mint(self, step: Step, mesh: Mesh) -> None:
        _clocked(step)
        if mesh.told is not None:
            refute(MINTED, "it comes after the mesh's trust was taken in hand", step=step.key)
        mesh.minted.add(_signer(step))

    def _hand_over(self, step: Step, mesh: Mesh) -> None:
        trusts, signer, untrusts = _trusts(step), _signer(step), tuple(step.effect["untrusts"])
        if signer[0] not in trusts:
            refute(SWITCH, f"{_name(signer)} signs and its anchor is not in the bundle", step=step.key)
        if self.bringup:
            _first(step, mesh)
            mesh.told, mesh.signer, mesh.spoken = trusts, signer, True
            return
        _clocked(step)
        if mesh.spoken:
            _next(step, mesh, trusts, signer)
        elif untrusts:
            _removes(step, mesh, signer, untrusts)
        elif len(trusts) > 1:
            _begins(step, mesh, trusts, signer)
        else:
            _minted(step, signer in mesh.minted)
            _trusted(step, mesh, trusts)
        _says(step, mesh, trusts, untrusts)
        mesh.leaves = mesh.leaves if untrusts else None
        mesh.told, mesh.signer, mesh.trusted = trusts, signer, None
        mesh.spoken, mesh.removing, mesh.restart_owed = True, bool(untrusts), mesh.kind in READ_ONCE

    def _restart(self, step: Step, mesh: Mesh) -> None:
        if not mesh.spoken and not mesh.minted:
            mesh.told, mesh.signer, mesh.restart_owed = _trusts(step), _signer(step), True
        if not mesh.restart_owed or (_trusts(step), _signer(step)) != (mesh.told, mesh.signer):
            refute(FOLLOW, "its control plane is restarted for what it was not told", step=step.key)
        mesh.restart_owed, mesh.read = False, True

    def _renew(self, step: Step, mesh: Mesh) -> None:
        self._follows(step, mesh)
        if mesh.kind in READ_ONCE and not mesh.read:
            refute(FOLLOW, "nobody made sure that the control plane has read what it was told", step=step.key)
        leaf = step.effect["signer"] is not None
        if leaf and not mesh.removing and mesh.looked_in != step.wave:
            refute(LOOK, "its wave does not begin with a look at every verifier", step=step.key)
        mesh.trusted = None
        self.renewed[step.effect["node"]] = _wanted(step)

    def _renew_late(self, step: Step, mesh: Mesh) -> None:
        """Pods of any node, one after the other, once the bundle has nothing old in it any more."""
        self._follows(step, mesh)
        if not mesh.removing:
            refute(FOLLOW, "what lags is restarted everywhere before the bundle is alone", step=step.key)
        if "PDB-ALLOWS" not in step.gates:
            refute("VERIFY-GATE-01", "RenewLate is not gated on PDB-ALLOWS", step=step.key)
        mesh.trusted = None

    def _await_renewed(self, step: Step, mesh: Mesh) -> None:
        self._follows(step, mesh)
        if self.renewed.pop(step.effect["node"], None) != _wanted(step):
            refute(FOLLOW, "it waits for what the restart before it was not for", step=step.key)

    def _follows(self, step: Step, mesh: Mesh) -> None:
        """A leaf of any signer will do only while a bundle grows: nothing but the bundle has changed."""
        signer = _signer(step) if step.effect["signer"] is not None else None
        mesh.signer = mesh.signer or signer
        grows = (
            mesh.spoken
            and mesh.leaves is None
            and len(mesh.told or ()) > 1
            and mesh.signer not in mesh.minted
        )
        if _trusts(step) != mesh.told or signer != (None if grows else mesh.signer):
            refute(FOLLOW, "the node is to follow what the mesh was not told", step=step.key)

    def _await_trust(self, step: Step, mesh: Mesh) -> None:
        trusts = _trusts(step)
        pruned = mesh.one_call and mesh.signer is not None and trusts == (mesh.signer[0],) != mesh.told
        if pruned and mesh.leaves != mesh.signer:
            refute(REMOVAL, "the old root's end is waited for before its leaves'", step=step.key)
        mesh.told = mesh.told or trusts
        if trusts != mesh.told and not pruned:
            refute(
                FOLLOW, f"it waits for {_names(trusts)}, the mesh was told {_names(mesh.told)}", step=step.key
            )
        mesh.trusted, mesh.looked_in = trusts, step.wave

    def _await_leaves(self, step: Step, mesh: Mesh) -> None:
        _switched(step, mesh)
        mesh.signer = mesh.signer or _signer(step)
        if _signer(step) != mesh.signer:
            text = f"it waits for leaves of {_name(_signer(step))}, and {_name(mesh.signer)} signs"
            refute(FOLLOW, text, step=step.key)
        mesh.leaves = mesh.signer


def _first(step: Step, mesh: Mesh) -> None:
    """A bringup says once what the mesh shall trust, before anybody is there to be cut off: it takes nothing out."""
    if mesh.spoken or step.effect["untrusts"]:
        refute(ONE, "a bringup hands trust over once, and takes none away", step=step.key)


def _next(step: Step, mesh: Mesh, trusts: Trusts, signer: Signer) -> None:
    """A hand-over after another one of the same plan."""
    told = mesh.told or ()
    added, gone = set(trusts) - set(told), set(told) - set(trusts)
    if mesh.one_call or [signer != mesh.signer, bool(added), bool(gone)].count(True) != 1:
        refute(ONE, "it changes nothing, or more than one thing", step=step.key)
    if signer != mesh.signer:
        _minted(step, signer in mesh.minted)
        _trusted(step, mesh, trusts)
    if added:
        _minted(step, added <= {minted[0] for minted in mesh.minted})
    if gone:
        _left(step, mesh, signer)


def _begins(step: Step, mesh: Mesh, trusts: Trusts, signer: Signer) -> None:
    """The first of a plan makes the bundle longer and lets the same one sign, but in a mesh of one call."""
    _minted(step, any(minted[0] in trusts for minted in mesh.minted))
    if mesh.one_call:
        _minted(step, signer in mesh.minted)
    elif signer in mesh.minted:
        refute(SWITCH, f"{_name(signer)} signs before the mesh was told to trust it", step=step.key)


def _removes(step: Step, mesh: Mesh, signer: Signer, untrusts: Trusts) -> None:
    """The first of a plan that goes on where another one stopped."""
    if mesh.one_call:
        refute(ONE, f"{_names(untrusts)} is pruned by the mesh itself", step=step.key)
    _switched(step, mesh)
    _left(step, mesh, signer)


def _switched(step: Step, mesh: Mesh) -> None:
    """A plan that mints is one that switches; only one that goes on behind the switch does neither."""
    if mesh.minted and (not mesh.spoken or mesh.signer not in mesh.minted):
        refute(SWITCH, "it mints a signer and never lets it sign", step=step.key)


def _left(step: Step, mesh: Mesh, signer: Signer) -> None:
    if mesh.leaves != signer:
        text = f"a root is taken out before every leaf was awaited to come from {_name(signer)}"
        refute(REMOVAL, text, step=step.key)


def _trusted(step: Step, mesh: Mesh, trusts: Trusts) -> None:
    if mesh.trusted != trusts:
        text = f"the signer changes before every verifier was awaited to trust {_names(trusts)}"
        refute(SWITCH, text, step=step.key)


def _minted(step: Step, holds: bool) -> None:
    if not holds:
        refute(MINTED, "what it names was not made sure of before", step=step.key)


def _says(step: Step, mesh: Mesh, trusts: Trusts, untrusts: Trusts) -> None:
    """What a hand-over takes out is what it says: signatures go by that."""
    gone = set(untrusts) if mesh.told is None else set(mesh.told) - set(trusts)
    if set(untrusts) != gone or gone & set(trusts):
        text = f"it says that it takes out {_names(untrusts)} and takes out {_names(sorted(gone))}"
        refute(REMOVAL, text, step=step.key)


def _clocked(step: Step) -> None:
    missing = CLOCKS - step.gates
    if missing:
        refute("VERIFY-GATE-01", f"{step.do} is not gated on {', '.join(sorted(missing))}", step=step.key)


def _ended(name: str, mesh: Mesh) -> None:
    """New root alone, every leaf the signer's, every verifier seen to trust it and no other."""
    signer = mesh.signer
    if signer is None or mesh.leaves != signer:
        refute(END, f"{name} ends without a look at every leaf")
        return
    alone = (signer[0],)
    if not mesh.one_call and mesh.told != alone:
        refute(END, f"{name} ends trusting {_names(mesh.told or ())}, not {_names(alone)} alone")
    if mesh.trusted != alone:
        refute(END, f"{name} ends without a look at what every verifier trusts")


def _trusts(step: Step) -> Trusts:
    return tuple(step.effect["trusts"])


def _signer(step: Step) -> Signer:
    said = step.effect["signer"]
    return said["generation"], said["issuer"]


def _wanted(step: Step) -> tuple[Any, ...]:
    signer = _signer(step) if step.effect["signer"] is not None else None
    return step.effect["mesh"], _trusts(step), signer


def _name(signer: Signer) -> str:
    return f"g{signer[0]}/issuer-{signer[1]}"


def _names(trusts: Iterable[int]) -> str:
    return " and ".join(f"g{number}" for number in trusts) or "nothing"
