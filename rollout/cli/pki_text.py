"""PKI for people and for programs: certificates, verdicts, what is due. There is no field for a key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509

from pki.alerts.due import Due, State, Watched, state_of, watched
from pki.fingerprint import fingerprint
from pki.home import PkiHome
from rollout.adapters.pki import pki_of
from rollout.cli.pki_check import Verdict
from rollout.model.mesh import Mesh

_MARKS = {State.OK: "✓", State.WARNING: "!", State.TOO_MANY_ROOTS: "!"}

Homes = Sequence[tuple[Mesh, PkiHome]]


def home_document(mesh: Mesh, home: PkiHome, now: datetime) -> dict[str, Any]:
    own = pki_of(mesh)
    return {
        "mesh": mesh.name,
        "kind": mesh.kind.value,
        "trustDomain": mesh.trust_domain,
        "owner": own.owner,
        "folder": str(own.folder),
        "rootKeys": "token" if own.token else "file",
        "generations": [
            {
                "number": each.number,
                "anchor": _certificate(each.anchor, now),
                "issuers": [
                    {"number": issuer.number, **_certificate(issuer.certificate, now)}
                    for issuer in each.issuers
                ],
            }
            for each in home.generations()
        ],
    }


def homes_table(homes: Homes, now: datetime) -> str:
    """One line per certificate that somebody answers for, under a line for its mesh."""
    lines: list[str] = []
    for mesh, home in homes:
        own = pki_of(mesh)
        keys = f"roots in token {own.token.token}" if own.token else "keys in files"
        lines.append(f"{mesh.name} ({mesh.kind.value}, {mesh.trust_domain}), owner {own.owner}, {keys}")
        found = tuple(watched("", mesh.name, own.owner, home.generations()))
        lines += [_line(one, now) for one in found] or ["  nothing yet: rackroll pki init"]
    return "\n".join(lines)


def _line(one: Watched, now: datetime) -> str:
    number = f"g{one.generation}" if one.issuer is None else f"g{one.generation}.{one.issuer}"
    state = state_of(one, now)
    left = f"{max(one.left(now), 0):.0%} left, ends {one.ends:%Y-%m-%d %H:%M}"
    return f"  {_mark(state)} {one.tier.value:6} {number:6} {one.fingerprint[:16]}  {left}"


def _certificate(cert: x509.Certificate, now: datetime) -> dict[str, Any]:
    begins, ends = cert.not_valid_before_utc, cert.not_valid_after_utc
    return {
        "subject": cert.subject.rfc4514_string(),
        "fingerprint": fingerprint(cert),
        "notBefore": begins.isoformat(),
        "notAfter": ends.isoformat(),
        "left": round((ends - now) / (ends - begins), 4),
    }


def verdict_document(site: str, found: Iterable[Verdict]) -> dict[str, Any]:
    return {
        "site": site,
        "verdicts": [
            {
                "mesh": line.mesh,
                "about": line.about,
                "good": line.good,
                "refusals": [
                    {"reason": each.reason.value, "about": each.about, "what": each.what}
                    for each in line.refusals
                ],
                "openssl": (line.openssl or "accepts") if line.asked else None,
            }
            for line in found
        ],
    }


def verdicts_table(found: Sequence[Verdict]) -> str:
    lines: list[str] = []
    for line in found:
        both = " (ours and openssl)" if line.asked and line.good else ""
        lines.append(f"{'✓' if line.good else '✗'} {line.mesh}: {line.about}{both}")
        lines += [f"    {refusal}" for refusal in line.refusals]
        if line.asked and not line.good:
            lines.append(f"    openssl verify: {line.openssl or 'accepts it'}")
    bad = sum(not line.good for line in found)
    return "\n".join([*lines, f"{len(found) - bad} good, {bad} refused"])


def due_document(site: str, found: Iterable[Due]) -> dict[str, Any]:
    return {"site": site, "due": [_due(line) for line in found]}


def _due(line: Due) -> dict[str, Any]:
    one = line.watched
    return {
        "mesh": one.mesh,
        "owner": one.owner,
        "tier": one.tier.value,
        "generation": one.generation,
        "issuer": one.issuer,
        "fingerprint": one.fingerprint,
        "notAfter": one.ends.isoformat(),
        "left": round(line.left, 4),
        "state": line.state.value,
        "next": line.next,
    }


def due_table(found: Sequence[Due]) -> str:
    lines: list[str] = []
    for line in found:
        one = line.watched
        left = f"{max(line.left, 0):.0%} left, ends {one.ends:%Y-%m-%d}"
        lines.append(f"{_mark(line.state)} {line.state.value:14} {one.name:24} {left}, owner {one.owner}")
        lines += [f"    next: {line.next}"] if line.next else []
    due = sum(line.state is not State.OK for line in found)
    return "\n".join([*lines, f"{due} of {len(found)} due"])


def _mark(state: State) -> str:
    return _MARKS.get(state, "✗")
