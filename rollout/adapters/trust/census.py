"""The census: who serves which leaf and believes which anchor, from handshakes with the live sockets.

Each node is asked about its own pods, by a short program over ssh: nothing else reaches a pod's address on every
site. A canary is a leaf of a known generation, minted for this look and valid for minutes; a proxy that accepts it
trusts that generation's anchor. Nothing that a Secret or ConfigMap says is taken for what a process uses.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pki.fingerprint import fingerprint
from pki.rotation.sighting import Authority, Fingerprint, LiveLeaf, Party
from rollout.adapters.trust import census_script
from rollout.adapters.trust.members import Member
from rollout.adapters.trust.vantage import Vantage
from rollout.errors import Unreachable
from rollout.model.trust import Socket

TIMEOUT = 3.0
"""Seconds for each part of a handshake, or as long as a login may take on this site, whichever is longer."""

PATIENCE = 1.0
"""Seconds after a handshake in which an alert about our canary must have come: TLS 1.3 servers judge it last."""

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class KnownIssuer:
    """A certificate that may have signed leaves, and how it is named."""

    certificate: x509.Certificate
    authority: Authority


@dataclass(frozen=True, slots=True, repr=False)
class Canary:
    """``anchor`` is what a verifier must trust to accept it (empty: nobody trusts it). Its repr shows no key."""

    anchor: Fingerprint
    chain: str
    key: str

    def __repr__(self) -> str:
        return f"Canary({self.anchor[:12]})"


@dataclass(frozen=True, slots=True)
class Census:
    """``dns`` gives a pod's own name for SNI, where the mesh wants one."""

    vantage: Vantage
    racks: Mapping[str, str]
    socket: Socket
    dns: Callable[[Member], str]
    timeout: float = TIMEOUT

    def take(
        self,
        members: Sequence[Member],
        canaries: Sequence[Canary],
        stranger: Canary,
        issuers: Sequence[KnownIssuer],
    ) -> tuple[Party, ...]:
        """In the order of ``members``. A node that does not answer makes its pods unseen, not absent.

        ``stranger`` is of no generation: who does not refuse it verifies nobody, or too late to be seen."""
        by_node: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            by_node[member.node].append(member)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = pool.map(lambda item: self._node(item[0], item[1], canaries, stranger), by_node.items())
        answers = {(m.namespace, m.name): said for found in asked for m, said in found}
        return tuple(self._party(m, answers[m.namespace, m.name], issuers) for m in members)

    def _node(
        self, node: str, members: list[Member], canaries: Sequence[Canary], stranger: Canary
    ) -> list[tuple[Member, Mapping[str, Any]]]:
        """For each member its leaf, why there is none, and by anchor whether its canary was accepted."""
        question = {
            "targets": [self._target(member) for member in members],
            "canaries": [_told(canary) for canary in canaries],
            "stranger": _told(stranger),
            "timeout": self.timeout,
            "patience": PATIENCE,
        }
        each = self.timeout + max(PATIENCE, census_script.LONGEST)
        budget = 10 + each * (len(members) * (len(canaries) + 1) // AT_ONCE + 1)
        try:
            if node not in self.racks:
                raise Unreachable("the site has no such node", where=f"node {node}")
            said = self.vantage.run(node, census_script, question, budget)
        except Unreachable as error:
            return [(m, {"leaf": "", "why": f"{node}: {error.message}", "accepts": {}}) for m in members]
        return [(m, _together(canaries, answers)) for m, answers in zip(members, said, strict=True)]

    def _target(self, member: Member) -> Mapping[str, Any]:
        return {
            "name": member.name,
            "host": member.address,
            "port": member.port,
            "alpn": list(self.socket.alpn),
            "sni": self.dns(member) if "{identity}" in self.socket.sni else self.socket.sni,
        }

    def _party(self, member: Member, said: Mapping[str, Any], issuers: Sequence[KnownIssuer]) -> Party:
        accepts: Mapping[str, bool | None] = said["accepts"]
        unsure = not accepts or None in accepts.values()
        trusts = None if unsure else frozenset(name for name, yes in accepts.items() if yes)
        leaf = live_leaf(said["leaf"], issuers) if said["leaf"] else None
        silent = "" if leaf and trusts is not None else f"does not answer: {said['why'] or 'no word'}"
        return replace(party_of(member, self.racks), leaf=leaf, trusts=trusts, silent=silent)


def _told(canary: Canary) -> Mapping[str, str]:
    return {"name": canary.anchor, "chain": canary.chain, "key": canary.key}


def party_of(member: Member, racks: Mapping[str, str]) -> Party:
    """Where it is and what holds its key; what it serves and trusts is not known yet."""
    rack = racks.get(member.node, "")
    where = (member.name, member.namespace, member.node, rack)
    gateway = not member.port and not member.held_by
    return Party(*where, held_by=member.held_by, leaving=member.leaving, gateway=gateway)


STRANGE = "a stranger's certificate is not refused, so what is accepted says nothing"


def _together(canaries: Sequence[Canary], answers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The last answer is about the stranger. Acceptance is silence, and so is a server that hangs or asks nobody for a
    certificate: who does not refuse the stranger in the same time is believed in nothing that it accepts."""
    *told, stranger = answers
    accepts = {c.anchor: each["accepted"] for c, each in zip(canaries, told, strict=True)}
    why = next((each["why"] for each in told if each["accepted"] is None), "")
    if True in accepts.values() and stranger["accepted"] is not False:
        accepts = {name: None if yes else yes for name, yes in accepts.items()}
        why = stranger["why"] or STRANGE
    return {
        "leaf": next((each["leaf"] for each in answers if each["leaf"]), ""),
        "why": why,
        "accepts": accepts,
    }


def live_leaf(text: str, issuers: Iterable[KnownIssuer]) -> LiveLeaf | None:
    """``text``: base64 of DER. None for what is no certificate."""
    try:
        leaf = x509.load_der_x509_certificate(base64.b64decode(text))
    except ValueError:
        return None
    by = next((known.authority for known in issuers if _issued(leaf, known.certificate)), None)
    ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return LiveLeaf(fingerprint(leaf), by, identity_of(leaf), *ends)


def _issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    """By name and signature; dates are looked at elsewhere."""
    try:
        leaf.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def identity_of(leaf: x509.Certificate) -> str:
    """Its first URI, else its first DNS name; empty for a leaf without either."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    found = (
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *names.get_values_for_type(x509.DNSName),
    )
    return found[0] if found else ""
