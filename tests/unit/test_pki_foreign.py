"""Mesh, public and corporate CAs are three families: none is ever in another's place."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from pki.bundle import to_pem
from pki.errors import PkiError
from pki.foreign import ForeignStore, corporate_store, public_store
from pki.verify.reason import Reason
from tests.unit.odd_certificates import ISSUER, ROOT, Made

MESH = ROOT.root()
COMPANY = ROOT.but(name="Company Root CA").root()


def folder(tmp_path: Path, *made: Made) -> Path:
    for number, each in enumerate(made):
        (tmp_path / f"ca-{number}.crt").write_text(to_pem([each.cert]))
    return tmp_path


def words(store: ForeignStore, *anchors: Made, issuers: tuple[Made, ...] = ()) -> list[str]:
    found = store.refusals([each.cert for each in anchors], [each.cert for each in issuers])
    return [refusal.reason.value for refusal in found]


def test_a_root_of_the_meshs_own_is_nobodys(tmp_path: Path) -> None:
    assert words(corporate_store(folder(tmp_path, COMPANY)), MESH) == []


def test_a_corporate_ca_as_mesh_root_is_refused(tmp_path: Path) -> None:
    assert words(corporate_store(folder(tmp_path, COMPANY)), MESH, COMPANY) == ["corporate-ca"]


def test_the_same_ca_under_another_certificate_is_the_same_ca(tmp_path: Path) -> None:
    renewed = ROOT.but(name="Renewed", own=COMPANY.key).root()
    assert words(corporate_store(folder(tmp_path, COMPANY)), renewed) == ["corporate-ca"]


def test_what_a_corporate_ca_signed_is_no_mesh_root_either(tmp_path: Path) -> None:
    below = ROOT.but(name="Mesh below the company").under(COMPANY)
    assert words(corporate_store(folder(tmp_path, COMPANY)), below) == ["corporate-ca"]


def test_a_stranger_with_the_companys_name_is_not_the_company(tmp_path: Path) -> None:
    """A name proves nothing: only the key and the signature do."""
    stranger = ROOT.but(name="Company Root CA").root()
    assert words(corporate_store(folder(tmp_path, COMPANY)), stranger) == []


def test_the_reverse_a_mesh_root_among_the_corporate_cas_is_refused(tmp_path: Path) -> None:
    assert words(corporate_store(folder(tmp_path, COMPANY, MESH)), MESH) == ["corporate-ca"]


def test_the_reverse_a_mesh_issuer_among_the_corporate_cas_is_refused(tmp_path: Path) -> None:
    issuer = ISSUER.under(MESH)
    store = corporate_store(folder(tmp_path, COMPANY, issuer))
    assert words(store, MESH, issuers=(issuer,)) == ["mesh-ca"]
    assert words(store, MESH) == ["mesh-ca"], "found by its signature, though nobody named it"


def test_a_public_ca_as_mesh_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("# Some CA\n" + to_pem([COMPANY.cert]))
    store = public_store([tmp_path / "absent", tmp_path / "bundle"])
    assert store is not None
    assert words(store, COMPANY) == ["public-ca"]
    assert words(store, MESH) == []


def test_every_public_ca_of_this_machine_is_refused_as_mesh_root() -> None:
    store = public_store()
    if store is None:
        pytest.skip("this machine has no CA bundle: package ca-certificates")
    for cert in store.certificates:
        assert [refusal.reason for refusal in store.refusals([cert])][:1] == [Reason.PUBLIC_CA]
    assert words(store, MESH) == []


def test_a_machine_without_public_cas_has_no_such_store(tmp_path: Path) -> None:
    assert public_store([tmp_path / "absent"]) is None


def test_an_unreadable_public_ca_does_not_hide_the_others(tmp_path: Path) -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (tmp_path / "bundle").write_text(broken + to_pem([COMPANY.cert]))
    store = public_store([tmp_path / "bundle"])
    assert store is not None
    assert [cert.subject for cert in store.certificates] == [COMPANY.cert.subject]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read: No such file"),
        ("", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "a certificate that cannot be read",
        ),
    ],
)
def test_a_corporate_folder_that_cannot_be_compared_with_is_an_error(
    content: str | None, what: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "corporate").mkdir()
        (tmp_path / "corporate/ca.pem").write_text(content)
    with pytest.raises(PkiError, match=what) as caught:
        corporate_store(tmp_path / "corporate")
    assert caught.value.hint


def test_other_files_of_a_corporate_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert isinstance(corporate_store(folder(tmp_path, COMPANY)).certificates[0], x509.Certificate)
