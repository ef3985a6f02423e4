"""How each program of a control plane is started: what it is told, and why where that is not upstream's default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.control.certificates import Certificates

LOOPBACK = "127.0.0.1"
API, CONTROLLERS, SCHEDULER, ETCD = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
)


@dataclass(frozen=True, slots=True)
class Ports:
    api: int
    etcd: int
    etcd_peer: int
    controllers: int
    scheduler: int


@dataclass(frozen=True, slots=True)
class PlaneSpec:
    """Where and what. ``folder`` keeps certificates, data, logs and kubeconfigs, also over a restart.

    ``address`` is where the API server listens; with a ``namespace`` all programs run in that network namespace.
    ``flags`` are added to a program's own, by program name.
    """

    folder: Path
    minor: str = "1.35"
    address: str = LOOPBACK
    namespace: str | None = None
    ports: Ports | None = None
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)


def arguments(name: str, spec: PlaneSpec, ports: Ports, certificates: Certificates) -> list[str]:
    """Of one of the four programs, with the spec's own flags last: the last one wins."""
    match name:
        case "etcd":
            own = _etcd(spec, ports, certificates)
        case "kube-apiserver":
            own = _api(spec, ports, certificates)
        case "kube-controller-manager":
            own = _controllers(spec, ports, certificates)
        case "kube-scheduler":
            own = _scheduler(spec, ports)
        case _:
            raise KeyError(name)
    return [*own, *spec.flags.get(name, ())]


def _etcd(spec: PlaneSpec, ports: Ports, certificates: Certificates) -> list[str]:
    client, peer = f"https://{LOOPBACK}:{ports.etcd}", f"https://{LOOPBACK}:{ports.etcd_peer}"
    server = certificates.server
    return [
        f"--data-dir={spec.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--cert-file={server.certificate}",
        f"--key-file={server.key}",
        f"--trusted-ca-file={certificates.authority.certificate}",
        "--client-cert-auth",
        f"--peer-cert-file={server.certificate}",
        f"--peer-key-file={server.key}",
        f"--peer-trusted-ca-file={certificates.authority.certificate}",
        "--peer-client-cert-auth",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api(spec: PlaneSpec, ports: Ports, certificates: Certificates) -> list[str]:
    """Webhooks are dialled at their pods' own addresses: the API server's host has no kube-proxy."""
    authority, server = certificates.authority.certificate, certificates.server
    kubelet, etcd = certificates.pair("kubelet-client"), certificates.pair("etcd-client")
    return [
        f"--etcd-servers=https://{LOOPBACK}:{ports.etcd}",
        f"--etcd-cafile={authority}",
        f"--etcd-certfile={etcd.certificate}",
        f"--etcd-keyfile={etcd.key}",
        f"--bind-address={spec.address}",
        f"--advertise-address={spec.address}",
        f"--secure-port={ports.api}",
        f"--tls-cert-file={server.certificate}",
        f"--tls-private-key-file={server.key}",
        f"--client-ca-file={authority}",
        f"--kubelet-client-certificate={kubelet.certificate}",
        f"--kubelet-client-key={kubelet.key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates.accounts}",
        f"--service-account-signing-key-file={certificates.accounts}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=Node,RBAC",
        "--enable-aggregator-routing=true",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def _controllers(spec: PlaneSpec, ports: Ports, certificates: Certificates) -> list[str]:
    authority = certificates.authority
    return [
        f"--kubeconfig={spec.folder / 'controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={certificates.accounts}",
        f"--root-ca-file={authority.certificate}",
        f"--cluster-signing-cert-file={authority.certificate}",
        f"--cluster-signing-key-file={authority.key}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={ports.controllers}",
    ]


def _scheduler(spec: PlaneSpec, ports: Ports) -> list[str]:
    return [
        f"--kubeconfig={spec.folder / 'scheduler.kubeconfig'}",
        "--leader-elect=false",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={ports.scheduler}",
    ]
