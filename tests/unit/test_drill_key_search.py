"""The search for keys in what a drill leaves: it finds each spelling of a key, and it does not find what is none."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.lab.key_search import Secrets, encoded, spellings

KEY = ec.derive_private_key(0x5EC2E7_0123456789ABCDEF << 100 | 12345, ec.SECP256R1())
OTHER = ec.derive_private_key(77_777_777_777_777_777_777, ec.SECP256R1())
SECRETS = Secrets({"key": spellings(KEY)})


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
@pytest.mark.parametrize("before", range(6))
def test_a_key_is_found_in_base64_of_base64_wherever_it_begins(form: PrivateFormat, before: int) -> None:
    pem = KEY.private_bytes(Encoding.PEM, form, NoEncryption())
    body = b"x" * before + b"\n".join(pem.splitlines()[1:-1])
    assert list(SECRETS.named(body)) == ["key"]
    assert list(SECRETS.named(base64.b64encode(body))) == ["key"]
    der = KEY.private_bytes(Encoding.DER, form, NoEncryption())
    assert list(SECRETS.named(base64.encodebytes(b"x" * before + der))) == ["key"]


def test_a_key_block_is_found_whosever_it_is_also_in_base64() -> None:
    pem = OTHER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for data in (pem, base64.b64encode(pem), base64.b64encode(b"{" + pem)):
        assert list(SECRETS.named(data)) == ["a PEM key block"]
        assert list(SECRETS.named(data, sealed=True)) == []


def test_a_public_key_and_somebody_elses_are_not_ours() -> None:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = OTHER.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert list(SECRETS.named(public)) == []
    assert list(SECRETS.named(base64.b64encode(der))) == []


@pytest.mark.parametrize("before", range(3))
def test_what_is_looked_for_in_base64_is_what_the_secret_alone_decides(before: int) -> None:
    for around in (b"\0", b"\xff"):
        text = base64.b64encode(around * before + b"twelve bytes" + around * 3)
        assert any(needle in text for needle in encoded(b"twelve bytes"))
