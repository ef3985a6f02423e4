"""Trust bundles: which anchors a mesh believes, in which order.

Order matters: Istio before 1.29.1 took a new bundle only where the old one was a contiguous part of it
(istio/istio#59909), so a bundle grows at its end. Reading is strict, because half a bundle is an outage that
shows only when the first peer of the other generation connects.
"""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import PkiError
from pki.fingerprint import fingerprint, named, printable

LARGEST = 1024 * 1024
"""Bytes; a ConfigMap cannot hold more, and a mesh's bundle is a few kilobytes."""

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATE = "CERTIFICATE"
_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises, sooner or later, for bytes that are no certificate or one of a kind it cannot judge."""


def read_pem(text: str | bytes, where: str) -> tuple[x509.Certificate, ...]:
    """Every certificate of ``text`` in order; ``where`` is the file or object that errors name.

    Raises PkiError for anything but certificates and white space: other text, other blocks (a private key above
    all), a block that does not decode, the same certificate twice, or nothing at all.
    """
    found: list[x509.Certificate] = []
    at, plain = 0, _text(text, where)
    for block in _BLOCK.finditer(plain):
        _only_space(plain, at, block.start(), where)
        _is_certificate(block, plain, where)
        found.append(_decoded(block[2], _line(plain, block.start()), where))
        at = block.end()
    _only_space(plain, at, len(plain), where)
    if not found:
        raise PkiError("holds no certificate", where=where, hint="put PEM certificates there")
    _each_once(found, where)
    return tuple(found)


def to_pem(certs: Iterable[x509.Certificate]) -> str:
    """The certificates one after the other, each ending in a newline; ``read_pem`` takes it back unchanged."""
    return "".join(cert.public_bytes(Encoding.PEM).decode("ascii") for cert in certs)


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """The anchors that a mesh trusts, oldest first. A value: each change gives another bundle."""

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, text: str | bytes, where: str) -> TrustBundle:
        """Raises PkiError as ``read_pem`` does."""
        return cls(read_pem(text, where))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(fingerprint(cert) for cert in self.certificates)

    @property
    def pem(self) -> str:
        return to_pem(self.certificates)

    def with_(self, cert: x509.Certificate) -> TrustBundle:
        """``cert`` at the end; the same bundle where it is in already, for a step may be carried out twice."""
        return self if cert in self.certificates else TrustBundle((*self.certificates, cert))

    def without(self, fp: str) -> TrustBundle:
        """The others in their order. Raises PkiError where it is not in, or is the last: nobody could connect."""
        rest = tuple(cert for cert in self.certificates if fingerprint(cert) != fp)
        if len(rest) == len(self.certificates):
            raise PkiError(f"the bundle has no certificate {fp[:16]}…", hint="compare with its fingerprints")
        if not rest:
            what = f"{fp[:16]}… is the bundle's only anchor: without it nothing would be trusted"
            raise PkiError(what, hint="add the new anchor first")
        return TrustBundle(rest)


def _text(text: str | bytes, where: str) -> str:
    if len(text) > LARGEST:
        hint = "is this the right file?"
        raise PkiError(f"is {len(text)} bytes; a bundle has at most {LARGEST}", where=where, hint=hint)
    try:
        return text.decode("ascii") if isinstance(text, bytes) else text.encode("ascii").decode("ascii")
    except UnicodeError:
        raise PkiError(
            "is not PEM: it holds bytes that are not ASCII", where=where, hint="convert it to PEM"
        ) from None


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _only_space(text: str, start: int, end: int, where: str) -> None:
    """Comments too are refused: a consumer that splits by its own rules may read them as part of a block."""
    between = text[start:end]
    junk = between.strip()
    if not junk:
        return
    line = _line(text, start + len(between) - len(between.lstrip()))
    if "-----BEGIN" in junk or "-----END" in junk:
        what = f"line {line}: a PEM block that does not end as it begins"
    else:
        what = f"line {line}: text outside of the certificates"
    raise PkiError(what, where=where, hint="leave nothing but whole CERTIFICATE blocks")


def _is_certificate(block: re.Match[str], text: str, where: str) -> None:
    label, line = block[1], _line(text, block.start())
    if "PRIVATE KEY" in label:
        raise PkiError(
            f"line {line}: a private key among certificates",
            where=where,
            hint="take it out; if others could read the file, treat the key as lost and rotate",
        )
    if label != _CERTIFICATE:
        raise PkiError(f"line {line}: a block '{label}'", where=where, hint="leave only CERTIFICATE blocks")


def _decoded(body: str, line: int, where: str) -> x509.Certificate:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
        with warnings.catch_warnings():  # what the library only warns of is refused below
            warnings.simplefilter("ignore")
            cert = x509.load_der_x509_certificate(der)
            _readable(cert)
    except _UNREADABLE as error:
        what = f"line {line}: not a certificate that can be read ({printable(str(error))})"
        raise PkiError(what, where=where, hint="copy it again from where it was issued") from None
    return cert


def _readable(cert: x509.Certificate) -> None:
    """Parts are parsed on first use; here, so that later readers can rely on them."""
    for part in (cert.extensions, cert.subject, cert.issuer, cert.not_valid_before_utc, cert.version):
        del part
    cert.public_key()
    if cert.serial_number <= 0:
        raise ValueError("its serial number is not positive, which RFC 5280 and Go refuse")


def _each_once(certs: list[x509.Certificate], where: str) -> None:
    seen: set[str] = set()
    for position, cert in enumerate(certs, start=1):
        name = fingerprint(cert)
        if name in seen:
            what = f"certificate {position}, {named(cert)}, is in there twice"
            raise PkiError(what, where=where, hint="keep it once, in its first place")
        seen.add(name)
