"""A home mints generations whole or not at all, and only issuers' keys ever come out of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pki.bundle import read_pem
from pki.errors import PkiError
from pki.fingerprint import fingerprint
from pki.profile import Identity
from pki.verify.chain import verify_chain
from tests.unit.pki_homes import DOMAINS, NOW, home, store

WEB = Identity("shop", "web")
HOUR = timedelta(hours=1)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_a_new_home_is_empty(tmp_path: Path) -> None:
    assert home(tmp_path).generations() == ()


@pytest.mark.parametrize("kind", DOMAINS)
def test_a_generation_is_one_anchor_and_its_first_issuer(kind: str, tmp_path: Path) -> None:
    own = home(tmp_path, kind)
    made = own.begin(NOW)
    assert own.generations() == (made,)
    assert (made.number, [each.number for each in made.issuers]) == (1, [1])
    chain = (made.issuers[0].certificate,)
    assert verify_chain(chain, (made.anchor,), own.profile, now=NOW) == ()


def test_no_two_generations_or_issuers_share_a_subject_or_a_key(tmp_path: Path) -> None:
    own = home(tmp_path)
    for _ in range(3):
        own.begin(NOW)
    own.reissue(3, NOW)
    certs = [g.anchor for g in own.generations()] + [
        each.certificate for g in own.generations() for each in g.issuers
    ]
    assert len(certs) == 7
    assert len({cert.subject for cert in certs}) == 7
    assert len({cert.public_key().public_numbers() for cert in certs}) == 7  # type: ignore[union-attr]


def test_ca_certificates_begin_an_hour_ago(tmp_path: Path) -> None:
    made = home(tmp_path).begin(NOW)
    for cert in (made.anchor, made.issuers[0].certificate):
        assert cert.not_valid_before_utc <= NOW - HOUR


def test_beginning_after_a_number_happens_once(tmp_path: Path) -> None:
    own = home(tmp_path)
    first = own.begin(NOW, after=0)
    assert own.begin(NOW, after=0) == first
    assert own.begin(NOW, after=1).number == 2
    with pytest.raises(PkiError, match="none comes after 5"):
        own.begin(NOW, after=5)


def test_reissuing_after_a_number_happens_once_and_keeps_the_older_issuers(tmp_path: Path) -> None:
    own = home(tmp_path)
    own.begin(NOW)
    second = own.reissue(1, NOW, after=1)
    assert own.reissue(1, NOW, after=1) == second
    assert [each.number for each in own.generation(1).issuers] == [1, 2]
    assert own.reissue(1, NOW).number == 3
    with pytest.raises(PkiError, match="none comes after 9"):
        own.reissue(1, NOW, after=9)


@pytest.mark.parametrize("kind", ["istio", "linkerd", "consul"])
def test_a_canary_is_believed_under_its_anchor_and_not_under_another(kind: str, tmp_path: Path) -> None:
    own = home(tmp_path, kind)
    first, second = own.begin(NOW), own.begin(NOW)
    chain, key = own.canary(1, WEB, NOW, HOUR)
    leaf, issuer = read_pem(chain, "canary")
    assert load_pem_private_key(key, None).public_key() == leaf.public_key()
    assert verify_chain((leaf, issuer), (first.anchor,), own.profile, now=NOW) == ()
    words = {r.reason.value for r in verify_chain((leaf, issuer), (second.anchor,), own.profile, now=NOW)}
    assert words == {"does-not-chain"}


def test_there_is_no_canary_where_upstream_names_no_identity(tmp_path: Path) -> None:
    own = home(tmp_path, "cilium")
    own.begin(NOW)
    with pytest.raises(PkiError, match="no leaf identity"):
        own.canary(1, WEB, NOW, HOUR)


def test_issuer_material_is_the_issuer_and_its_key(tmp_path: Path) -> None:
    own = home(tmp_path)
    made = own.begin(NOW)
    material = own.issuer_material(1, 1)
    assert read_pem(material.chain_pem, "x") == (made.issuers[0].certificate,)
    key = load_pem_private_key(material.key_pem, None)
    assert key.public_key() == made.issuers[0].certificate.public_key()


def test_no_repr_shows_a_key(tmp_path: Path) -> None:
    own = home(tmp_path)
    made = own.begin(NOW)
    material = own.issuer_material(1, 1)
    shown = f"{own!r} {made!r} {material!r} {own.anchor_keys!r}"
    assert material.key_pem.decode().splitlines()[1] not in shown
    assert "correct horse" not in shown
    assert "PRIVATE" not in shown


def test_nothing_on_disk_is_a_key_in_the_clear(tmp_path: Path) -> None:
    own = home(tmp_path)
    own.begin(NOW)
    secret = own.issuer_material(1, 1).key_pem.decode().splitlines()[1]
    kept = everything(tmp_path)
    keys = [content for name, content in kept.items() if name.endswith("/key")]
    assert len(keys) == 2
    assert all(content.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") for content in keys)
    assert not any(secret.encode() in content for content in kept.values())


def test_key_files_are_their_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        home(tmp_path).begin(NOW)
    finally:
        os.umask(old)
    for file in tmp_path.rglob("key"):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700


def test_openssl_opens_a_sealed_key_with_the_passphrase_only(tmp_path: Path) -> None:
    """A home can be read without rackroll: the files are what any tool expects."""
    home(tmp_path).begin(NOW)
    [file] = tmp_path.rglob("anchor/key")
    argv = ["openssl", "pkey", "-in", str(file), "-noout", "-passin", "env:WORD"]
    for word, code in (("correct horse battery staple", 0), ("wrong horse battery staple", 1)):
        done = subprocess.run(argv, env={**os.environ, "WORD": word}, capture_output=True, check=False)
        assert done.returncode == code


def test_a_root_key_comes_out_for_consul_only(tmp_path: Path) -> None:
    for kind in ("istio", "linkerd", "cilium"):
        own = home(tmp_path, kind)
        own.begin(NOW)
        with pytest.raises(PkiError, match="never leaves its store"):
            own.signing_root_material(1)
    own = home(tmp_path, "consul")
    made = own.begin(NOW)
    material = own.signing_root_material(1)
    assert read_pem(material.chain_pem, "x") == (made.anchor,)
    assert load_pem_private_key(material.key_pem, None).public_key() == made.anchor.public_key()


def test_a_consul_root_names_its_cluster(tmp_path: Path) -> None:
    anchor = home(tmp_path, "consul").begin(NOW).anchor
    san = anchor.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://1-2.consul"]


def test_a_cross_signed_root_is_believed_by_who_trusts_only_the_old_one(tmp_path: Path) -> None:
    own = home(tmp_path)
    old, new = own.begin(NOW), own.begin(NOW)
    crossed = own.cross_signed(2, 1, NOW, timedelta(days=7))
    leaf, issuer = read_pem(own.canary(2, WEB, NOW, HOUR)[0], "x")
    for chain, anchor in (((leaf, issuer, crossed), old.anchor), ((leaf, issuer), new.anchor)):
        assert verify_chain(chain, (anchor,), own.profile, now=NOW) == ()
    assert fingerprint(crossed) != fingerprint(new.anchor)


def test_retiring_destroys_keys_and_keeps_certificates_aside(tmp_path: Path) -> None:
    own = home(tmp_path)
    old = own.begin(NOW)
    own.begin(NOW)
    own.retire(1)
    own.retire(1)
    assert [each.number for each in own.generations()] == [2]
    kept = everything(tmp_path / "istio" / "retired")
    assert sorted(kept) == [
        "generation-1/anchor/certificate.pem",
        "generation-1/issuer-1/certificate.pem",
    ]
    assert read_pem(kept["generation-1/anchor/certificate.pem"], "x") == (old.anchor,)


def test_a_retired_number_is_never_given_again(tmp_path: Path) -> None:
    own = home(tmp_path)
    for _ in range(2):
        own.begin(NOW)
    own.retire(1)
    assert own.begin(NOW).number == 3


def test_the_newest_generation_cannot_be_retired(tmp_path: Path) -> None:
    own = home(tmp_path)
    own.begin(NOW)
    with pytest.raises(PkiError, match="is the newest"):
        own.retire(1)
    assert own.issuer_material(1, 1)


@pytest.mark.parametrize("ask", ["generation", "material", "retire", "reissue", "canary"])
def test_what_is_not_there_is_refused_with_what_is(ask: str, tmp_path: Path) -> None:
    own = home(tmp_path)
    own.begin(NOW)
    acts: dict[str, Callable[[], object]] = {
        "generation": lambda: own.generation(7),
        "material": lambda: own.issuer_material(1, 7),
        "retire": lambda: own.retire(7),
        "reissue": lambda: own.reissue(7, NOW),
        "canary": lambda: own.canary(7, WEB, NOW, HOUR),
    }
    with pytest.raises(PkiError, match=r"7.*\n  next: ") as caught:
        acts[ask]()
    assert caught.value.where == str(tmp_path / "istio")


def test_an_issuer_that_would_outlive_its_anchor_is_not_minted(tmp_path: Path) -> None:
    own = home(tmp_path)
    own.begin(NOW)
    late = NOW + own.profile.anchor_lifetime - timedelta(days=30)
    with pytest.raises(PkiError, match="after its anchor"):
        own.reissue(1, late)
    assert len(own.generation(1).issuers) == 1
    assert own.reissue(1, NOW).number == 2


def test_a_wrong_passphrase_mints_nothing(tmp_path: Path) -> None:
    home(tmp_path).begin(NOW)
    before = everything(tmp_path)
    other = home(tmp_path, keys=store(b"another one altogether"))
    acts: tuple[Callable[[], object], ...] = (
        lambda: other.begin(NOW),
        lambda: other.reissue(1, NOW),
        lambda: other.issuer_material(1, 1),
    )
    for act in acts:
        with pytest.raises(PkiError, match="the passphrase is wrong, or the file is damaged"):
            act()
    assert everything(tmp_path) == before


def test_a_swapped_key_is_refused(tmp_path: Path) -> None:
    own = home(tmp_path)
    for _ in range(2):
        own.begin(NOW)
    keys = [tmp_path / f"istio/generation-{n}/issuer-1/key" for n in (1, 2)]
    keys[0].write_bytes(keys[1].read_bytes())
    with pytest.raises(PkiError, match=r"key-mismatch: .*one was swapped"):
        own.issuer_material(1, 1)
