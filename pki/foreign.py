"""CAs that are not the mesh's: the public ones of this machine, and the company's own, each in a store apart.

A public or corporate CA as a mesh's root would let whoever it certifies speak as a workload; a mesh's root among the
corporate ones would let a workload's certificate pass for a web server's. Keys are compared, not certificates: the
same CA under another signature is the same CA.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.errors import PkiError
from pki.fingerprint import named
from pki.verify.parts import signed_by
from pki.verify.reason import Reason, Refusal, refused

PUBLIC_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),  # Debian, Ubuntu: package ca-certificates
    Path("/etc/pki/tls/certs/ca-bundle.crt"),  # Fedora, RHEL
)
ENDINGS = (".pem", ".crt", ".cer")
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ForeignStore:
    """``name`` is the file or folder; ``reason`` the word for a mesh root that is in it."""

    name: str
    reason: Reason
    certificates: tuple[x509.Certificate, ...]

    def refusals(
        self, anchors: Iterable[x509.Certificate], issuers: Iterable[x509.Certificate] = ()
    ) -> Iterator[Refusal]:
        """Both ways: ``anchors`` that are in the store or come from it, then what the mesh's CAs put into it."""
        roots = tuple(anchors)
        own = {_key(cert) for cert in roots}
        for cert in roots:
            yield from self._not_from_here(cert)
        below = {_key(cert) for cert in issuers}
        for theirs in self.certificates:
            if _key(theirs) in own:
                continue
            if _key(theirs) in below or any(signed_by(theirs, root) for root in roots):
                what = f"is this mesh's, and in {self.name}: take it out of there"
                yield refused(Reason.MESH_CA, theirs, what)

    def _not_from_here(self, anchor: x509.Certificate) -> Iterator[Refusal]:
        kind = "public" if self.reason is Reason.PUBLIC_CA else "corporate"
        for theirs in self.certificates:
            if _key(theirs) == _key(anchor):
                what = f"has the key of a {kind} CA ({named(theirs)} in {self.name})"
            elif anchor.issuer == theirs.subject and signed_by(anchor, theirs):
                what = f"is signed by a {kind} CA ({named(theirs)} in {self.name})"
            else:
                continue
            yield refused(self.reason, anchor, f"{what}: a mesh has a root of its own")
            return


def public_store(bundles: Iterable[Path] = PUBLIC_BUNDLES) -> ForeignStore | None:
    """The CAs that this machine trusts for the web; None where it has no such bundle. Unreadable ones are left out."""
    for bundle in bundles:
        try:
            content = bundle.read_bytes()
        except OSError:
            continue
        found = tuple(cert for cert in map(_loaded, _BLOCK.findall(content)) if cert is not None)
        return ForeignStore(str(bundle), Reason.PUBLIC_CA, found)
    return None


def corporate_store(folder: Path) -> ForeignStore:
    """Every certificate in the folder's .pem, .crt and .cer files. Raises PkiError: absent, empty, unreadable."""
    found: list[x509.Certificate] = []
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in ENDINGS)
        contents = [(path, path.read_bytes()) for path in files]
    except OSError as error:
        hint = "put the company's CA certificates there, or leave pki.corporate out of the site file"
        raise PkiError(f"cannot be read: {error.strerror}", where=str(folder), hint=hint) from None
    for path, content in contents:
        for block in _BLOCK.findall(content):
            cert = _loaded(block)
            if cert is None:
                hint = "replace it: a CA that cannot be read cannot be compared with"
                raise PkiError("holds a certificate that cannot be read", where=str(path), hint=hint)
            found.append(cert)
    if not found:
        hint = f"put the company's CA certificates there, as {', '.join(ENDINGS)} files in PEM"
        raise PkiError("holds no certificate", where=str(folder), hint=hint)
    return ForeignStore(str(folder), Reason.CORPORATE_CA, tuple(found))


def _loaded(block: bytes) -> x509.Certificate | None:
    try:
        with (
            warnings.catch_warnings()
        ):  # old public roots have odd serial numbers, which are not ours to judge
            warnings.simplefilter("ignore")
            cert = x509.load_pem_x509_certificate(block)
        _key(cert)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return cert


def _key(cert: x509.Certificate) -> bytes:
    return cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
