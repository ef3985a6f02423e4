"""The cluster's own certificates: who may be who, for how long they are kept, and who may read them."""

from __future__ import annotations

import json
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab.control.certificates import CLIENTS, Certificates, Pair
from lab.control.flags import PlaneSpec
from lab.control.plane import ControlPlane


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "pki", ["10.255.0.254"])


def read(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def test_openssl_accepts_every_certificate_for_what_it_is_for(made: Certificates) -> None:
    for name in ("server", *CLIENTS):
        purpose = "sslserver" if name == "server" else "sslclient"
        words = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
        words += ["-CAfile", str(made.authority.certificate), str(made.pair(name).certificate)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_the_server_is_reached_at_its_address_and_on_loopback(made: Certificates) -> None:
    names = read(made.server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    assert {ip_address("10.255.0.254"), ip_address("127.0.0.1")} <= set(addresses)
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_a_user_is_who_the_subject_says_and_in_no_group_by_default(made: Certificates) -> None:
    subject = read(made.issue("user-runner", "runner")).subject
    assert [a.value for a in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["runner"]
    assert not subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)


def test_nobody_else_may_read_a_key(made: Certificates, tmp_path: Path) -> None:
    keys = list((tmp_path / "pki").glob("*.key"))
    assert made.accounts in keys
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_a_second_start_keeps_the_authority_and_so_old_kubeconfigs(tmp_path: Path) -> None:
    first = Certificates(tmp_path / "pki", ["10.255.0.254"]).authority.certificate.read_bytes()
    assert Certificates(tmp_path / "pki", ["10.255.0.254"]).authority.certificate.read_bytes() == first


def test_a_plane_started_again_is_found_at_its_old_port(tmp_path: Path) -> None:
    first, again = (ControlPlane(PlaneSpec(tmp_path)) for _ in range(2))
    assert first.server == again.server
    assert len({getattr(first.ports, name) for name in first.ports.__dataclass_fields__}) == 5


def test_a_kubeconfig_holds_a_key_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = ControlPlane(PlaneSpec(tmp_path)).user("runner")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")
