"""What an anchor and an issuer must be, each rule with the verifier of a mesh that needs it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from pki.profile import Profile
from pki.verify.common import common
from pki.verify.parts import authority_key_id, extension, signed_by, subject_key_id
from pki.verify.reason import Reason, Refusal, refused


def anchor_refusals(cert: x509.Certificate, profile: Profile, now: datetime) -> Iterator[Refusal]:
    """An anchor's dates count, though webpki (Linkerd, ztunnel) ignores them: an expired one issues nothing more."""
    yield from common(cert, profile.anchor_keys, now)
    yield from _ca(cert)
    if cert.subject != cert.issuer or not signed_by(cert, cert):
        yield refused(Reason.NOT_SELF_SIGNED, cert, "is no root: OpenSSL and Go look for its own issuer")
    if _path_length(cert) == 0:
        yield refused(Reason.WRONG_PATHLEN, cert, "is a root with pathlen 0, so no issuer may stand below it")
    if profile.anchor_uri is not None and profile.anchor_uri not in _uris(cert):
        what = f"has no URI SAN {profile.anchor_uri}, which {profile.kind} asks of its root"
        yield refused(Reason.WRONG_IDENTITY, cert, what)


def issuer_refusals(cert: x509.Certificate, profile: Profile, now: datetime, below: int) -> Iterator[Refusal]:
    """``below``: how many CAs stand under it. The lowest one has to say pathlen 0, so that no leaf makes leaves."""
    keys = profile.issuer_keys if below == 0 else profile.anchor_keys
    yield from common(cert, keys, now)
    yield from _ca(cert)
    length = _path_length(cert)
    if below == 0 and length != 0:
        said = "no pathlen" if length is None else f"pathlen {length}"
        yield refused(Reason.WRONG_PATHLEN, cert, f"is an issuer with {said} instead of 0")
    elif length is not None and length < below:
        what = f"has pathlen {length}, but {below} CAs stand below it"
        yield refused(Reason.WRONG_PATHLEN, cert, what)
    if authority_key_id(cert) is None:
        what = "has no authority key identifier: OpenSSL cannot choose between two generations"
        yield refused(Reason.MISSING_AKI, cert, what)


def anchors_refusals(anchors: tuple[x509.Certificate, ...]) -> Iterator[Refusal]:
    """Generations that share a subject: OpenSSL picks the wrong one where SKI or AKI is missing anywhere."""
    seen: dict[x509.Name, x509.Certificate] = {}
    for cert in anchors:
        first = seen.setdefault(cert.subject, cert)
        if first != cert:
            what = (
                "has the same subject as another anchor of the bundle; each generation needs its own (OU=g2)"
            )
            yield refused(Reason.SAME_SUBJECT, cert, what)


def _ca(cert: x509.Certificate) -> Iterator[Refusal]:
    constraints = extension(cert, x509.BasicConstraints)
    if constraints is None or not constraints.value.ca:
        yield refused(Reason.NOT_A_CA, cert, "does not say CA:true")
    elif not constraints.critical:
        yield refused(Reason.NOT_A_CA, cert, "says CA:true, but not as critical (RFC 5280 §4.2.1.9)")
    usage = extension(cert, x509.KeyUsage)
    if usage is None or not usage.critical or not (usage.value.key_cert_sign and usage.value.crl_sign):
        yield refused(Reason.WRONG_KEY_USAGE, cert, "has no critical key usage of keyCertSign and cRLSign")
    if subject_key_id(cert) is None:
        yield refused(Reason.MISSING_SKI, cert, "has no subject key identifier for its children to name")
    if extension(cert, x509.ExtendedKeyUsage) is not None:
        yield refused(Reason.EKU_ON_CA, cert, "has an EKU, which Go takes as a limit on every leaf below")
    if extension(cert, x509.NameConstraints) is not None:
        yield refused(Reason.NAME_CONSTRAINTS, cert, "has name constraints, which webpki (ztunnel) refuses")


def _path_length(cert: x509.Certificate) -> int | None:
    constraints = extension(cert, x509.BasicConstraints)
    return constraints.value.path_length if constraints else None


def _uris(cert: x509.Certificate) -> list[str]:
    san = extension(cert, x509.SubjectAlternativeName)
    return san.value.get_values_for_type(x509.UniformResourceIdentifier) if san else []
