"""The cluster's own certificates: one authority, and what each program shows and signs with.

Requirements: https://kubernetes.io/docs/setup/best-practices/certificates/. Everything stays in the plane's folder
(mode 0700) and lives as long as it; nothing here has to do with a mesh's trust anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.kube.credentials import write_atomically

_LIFE = timedelta(days=365)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
CLIENTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "admin": ("rackroll-lab-admin", ("system:masters",)),
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
    "kubelet-client": ("kube-apiserver-kubelet-client", ("system:masters",)),
    "etcd-client": ("kube-apiserver-etcd-client", ()),
}
"""File name to the user and groups that RBAC sees; the control plane's are names that Kubernetes binds itself."""


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths of a certificate and its key."""

    certificate: Path
    key: Path


class Certificates:
    """Everything in one folder, made at the first call and kept, so that a restart keeps old kubeconfigs good."""

    def __init__(self, folder: Path, addresses: Sequence[str]) -> None:
        """``addresses`` are those that the API server is reached at, apart from loopback."""
        self._folder = folder
        if not (folder / "done").exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._make(sorted({"127.0.0.1", *addresses}))
            (folder / "done").touch()

    @property
    def authority(self) -> Pair:
        return self.pair("ca")

    @property
    def server(self) -> Pair:
        return self.pair("server")

    @property
    def accounts(self) -> Path:
        """The key that signs service account tokens; its public half is taken from the same file."""
        return self._folder / "accounts.key"

    def pair(self, name: str) -> Pair:
        return Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")

    def issue(self, name: str, user: str, groups: Sequence[str] = ()) -> Pair:
        """Another client of the API, known as ``user``; overwrites one of the same file name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, user))
        made = _signed(self._authority(), x509.Name(subject), key, ExtendedKeyUsageOID.CLIENT_AUTH)
        return self._write(name, made, key)

    def serving(self, name: str, names: Sequence[str], addresses: Sequence[str]) -> Pair:
        """A server of the cluster, such as a kubelet or a webhook."""
        return self._server(self._authority(), name, names, addresses)

    def _make(self, addresses: Sequence[str]) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = Authority(_self_signed(key), key)
        self._write("ca", authority.certificate, key)
        self._server(authority, "server", SERVER_NAMES, [*addresses, "10.96.0.1"])
        for name, (user, groups) in CLIENTS.items():
            self.issue(name, user, groups)
        _write_key(self.accounts, ec.generate_private_key(ec.SECP256R1()))

    def _authority(self) -> Authority:
        files = self.authority
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Authority(x509.load_pem_x509_certificate(files.certificate.read_bytes()), key)

    def _server(
        self, authority: Authority, name: str, names: Sequence[str], addresses: Sequence[str]
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else name)])
        also: list[x509.GeneralName] = [x509.DNSName(item) for item in names]
        also += [x509.IPAddress(ip_address(item)) for item in addresses]
        purpose = ExtendedKeyUsageOID.SERVER_AUTH
        return self._write(name, _signed(authority, subject, key, purpose, also), key)

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
        pair = self.pair(name)
        _write_key(pair.key, key)
        write_atomically(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM).decode())
        return pair


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = (
        serialization.PrivateFormat.TraditionalOpenSSL
    )  # the form that kube-apiserver takes for accounts too
    plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    write_atomically(path, plain.decode(), mode=0o600)


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rackroll lab cluster")])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _signed(
    authority: Authority,
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    purpose: x509.ObjectIdentifier,
    also: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    builder = _builder(subject, authority.certificate.subject, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if also:
        builder = builder.add_extension(x509.SubjectAlternativeName(also), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
