"""Whatever bytes a bundle holds, the answer is certificates or a PkiError, and a verdict: never a crash."""

from __future__ import annotations

import base64

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.bundle import TrustBundle, read_pem, to_pem
from pki.errors import PkiError
from pki.profile import profile
from pki.verify.chain import verify_chain
from tests.unit.odd_certificates import ISSUER, LEAF, NOW, ROOT

OWN = ROOT.root()
BELOW = ISSUER.under(OWN)
SOUND = tuple(each.cert.public_bytes(Encoding.DER) for each in (LEAF.under(BELOW), BELOW, OWN))
PROFILES = tuple(profile(kind, "cluster.local") for kind in ("istio", "linkerd", "cilium"))
often = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"


def read_or_refused(content: str | bytes) -> tuple[x509.Certificate, ...] | None:
    """None where it was refused; any other exception is the failure that these tests look for."""
    try:
        return read_pem(content, "x")
    except PkiError:
        return None


@often
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=4))
def test_a_certificate_with_any_bytes_changed_is_read_or_refused_and_then_judged(
    der: bytes, changes: list[tuple[int, int]]
) -> None:
    """A signature covers the bytes: what was changed and still reads must be refused by somebody in the chain."""
    spoiled = bytearray(der)
    for at, value in changes:
        spoiled[at % len(spoiled)] = value
    read = read_or_refused(pem(bytes(spoiled)))
    if read is None:
        return
    [cert] = read
    changed = bytes(spoiled) != der
    for each in PROFILES:
        found = verify_chain((cert, BELOW.cert), (OWN.cert,), each, now=NOW)
        assert found or not changed
        assert all(str(refusal).isprintable() for refusal in found)


@often
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text_is_read_or_refused(content: str | bytes) -> None:
    read_or_refused(content)


@often
@given(st.lists(st.sampled_from(SOUND), max_size=4), st.sampled_from(["", "\n", "\r\n", " \t"]))
def test_what_is_read_is_written_back_as_it_was(ders: list[bytes], between: str) -> None:
    text = between.join(pem(der) for der in ders)
    try:
        bundle = TrustBundle.read(text, "x")
    except PkiError:
        assert len(ders) == 0 or len(set(ders)) < len(ders)
        return
    assert [cert.public_bytes(Encoding.DER) for cert in bundle.certificates] == ders
    assert read_pem(to_pem(bundle.certificates), "x") == bundle.certificates
