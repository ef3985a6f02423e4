"""One real cluster for tests: upstream's control plane, and KWOK's nodes."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.control.flags import API, LOOPBACK, PlaneSpec
from lab.control.plane import ControlPlane, running
from lab.control.process import Running
from lab.control.tools import find
from rollout.adapters.kube.api import KubeApi

STAGES = Path(__file__).with_name("stages.yaml")
LEASE_SECONDS = 40
NO_WEBHOOKS = "--disable-admission-plugins=MutatingAdmissionWebhook,ValidatingAdmissionWebhook"
PATIENT_LEASE_SECONDS = 300
PATIENT = ["--node-monitor-grace-period=20m"]
"""For kube-controller-manager: a busy machine renews a thousand leases late; no node shall be lost for that."""


@dataclass(frozen=True, slots=True)
class RealCluster:
    """Running. Nodes are added with :meth:`add_nodes`; KWOK makes them Ready."""

    plane: ControlPlane
    kwok: Running

    @property
    def kubeconfig(self) -> Path:
        return self.plane.kubeconfig

    def add_nodes(self, api: KubeApi, labels: Mapping[str, Mapping[str, str]]) -> None:
        """By name, with their labels. KWOK manages every node of this cluster."""
        for name, own in labels.items():
            api.request("POST", "/api/v1/nodes", body=_node(name, own))


@contextmanager
def real_cluster(
    folder: Path,
    minor: str = "1.35",
    lease_seconds: int = LEASE_SECONDS,
    *,
    webhooks: bool = False,
    **flags: list[str],
) -> Iterator[RealCluster]:
    """Raises ToolMissing where `make tools` was not run. ``flags``: as PlaneSpec's, with ``_`` for ``-``.

    ``webhooks``: admission webhooks are called. Without care that is a call to an address that KWOK invented and that
    may be somebody's: a test that wants them must see to it that their services have no endpoints.
    Leases are renewed after a quarter of ``lease_seconds``; with more than 200, :data:`PATIENT` is needed too.
    """
    named = {name.replace("_", "-"): list(words) for name, words in flags.items()}
    if not webhooks:
        named.setdefault(API, []).append(NO_WEBHOOKS)
    with running(PlaneSpec(folder, minor, flags=named)) as plane:
        kwok = _kwok(plane, lease_seconds)
        try:
            yield RealCluster(plane, kwok)
        finally:
            kwok.stop()


def _kwok(plane: ControlPlane, lease_seconds: int) -> Running:
    with socket.create_server((LOOPBACK, 0)) as held:
        port = held.getsockname()[1]
    serving = plane.certificates.serving("kwok", ["kwok"], [LOOPBACK])
    argv = [
        str(find("kwok", "kwok")),
        f"--kubeconfig={plane.kubeconfig}",
        f"--config={STAGES}",
        "--manage-all-nodes",
        f"--node-lease-duration-seconds={lease_seconds}",
        f"--node-ip={LOOPBACK}",
        f"--node-port={port}",
        f"--server-address={LOOPBACK}:{port}",
        f"--tls-cert-file={serving.certificate}",
        f"--tls-private-key-file={serving.key}",
        "--cidr=10.128.0.0/9",
    ]
    return Running("kwok", argv, plane.spec.folder / "logs" / "kwok.log")


def _node(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    standard = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {**standard, **labels}}}
