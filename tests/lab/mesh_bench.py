"""A lab of its own for each simulated mesh, driven with kubectl, and what a drill would see of it."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from lab.host.enter import command
from lab.lifecycle import down, up
from lab.mesh import drill
from lab.mesh.certificates import fingerprint
from lab.mesh.surroundings import Part
from lab.mesh.tally import Handshakes, tally
from lab.sitecopy import copy_site
from pki.mint import Authority
from rollout.model.site import Site
from rollout.site.load import load_site

ROOT = Path(__file__).resolve().parents[2]
APPS = ROOT / "lab" / "apps"
_CENSUS = """
import socket, ssl, sys
address, port = sys.argv[1], int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with context.wrap_socket(socket.create_connection((address, port), 3)) as secured:
    print(ssl.DER_cert_to_PEM_cert(secured.getpeercert(True)))
"""


@dataclass(frozen=True, slots=True)
class MeshBench:
    site: Site

    def kubectl(self, *words: str, given: str = "", check: bool = True) -> str:
        config = f"--kubeconfig={self.site.folder / '.lab' / 'kubeconfig'}"
        done = subprocess.run(
            ["kubectl", config, *words], input=given, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, f"{words}: {done.stderr}"
        return done.stdout

    def apply(self, *items: Mapping[str, Any]) -> None:
        self.apply_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def apply_text(self, text: str) -> None:
        self.kubectl("apply", "--validate=false", "-f", "-", given=text)

    def get(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def secret(self, namespace: str, name: str, files: Mapping[str, bytes]) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in files.items()}
        head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
        self.apply({**head, "data": data})

    def config(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        self.apply({**head, "data": data})

    def rolled_out(self, kind: str, namespace: str, name: str) -> None:
        self.kubectl("rollout", "status", f"{kind}/{name}", "-n", namespace, "--timeout=50s")

    def restart(self, kind: str, namespace: str, name: str) -> None:
        self.kubectl("rollout", "restart", f"{kind}/{name}", "-n", namespace)
        self.rolled_out(kind, namespace, name)

    def pairs(self) -> list[drill.Running]:
        """Those that take part: neither on their way in nor out."""
        found = drill.running(self.site.folder, self.site)
        return [one for one in found if one.part is Part.PAIR and one.dialled]

    def trusts(self) -> list[dict[str, Any]]:
        return [drill.trust(one) for one in self.pairs()]

    def all_trust(self, *roots: Authority) -> bool:
        wanted = sorted(fingerprint(root.certificate) for root in roots)
        return [one["roots"] for one in self.trusts()] == [wanted] * 4

    def all_signed_by(self, issuer: Authority) -> bool:
        return [one["chain"][0] for one in self.trusts()] == [fingerprint(issuer.certificate)] * 4

    def handshakes(self, since: float = 0.0, until: float = float("inf")) -> Handshakes:
        return tally(drill.records(self.site.folder, self.site), since=since, until=until)

    def watched(self, seconds: float) -> Handshakes:
        """What the pairs do in the next while."""
        began = time.time()
        time.sleep(seconds)
        return self.handshakes(since=began, until=began + seconds)

    def shown(self, address: str, port: int) -> x509.Certificate:
        """The leaf that a census from another node's network reads off the wire."""
        entering = command(self.site.folder, "r2n3", ["python3", "-c", _CENSUS, address, str(port)])
        done = subprocess.run(entering, capture_output=True, text=True, timeout=30, check=True)
        return x509.load_pem_x509_certificate(done.stdout.encode())


def until(claim: Callable[[], object], within: float = 30) -> None:
    """Fails when it does not come true."""
    deadline = time.monotonic() + within
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


@contextmanager
def running_lab(folder: Path, name: str) -> Iterator[MeshBench]:
    """The lab site under 127.87/16 with its nodes labelled, gone afterwards."""
    site = load_site(copy_site(ROOT / "inventory" / "lab", folder, name=name, loopback="127.87."))
    try:
        up(site, progress=lambda _: None)
        bench = MeshBench(site)
        until(lambda: len(bench.get("nodes")["items"]) == len(site.nodes))
        for node in site.nodes:
            bench.kubectl("label", "node", node.name, f"{site.rack_label}={node.rack}")
        yield bench
    finally:
        down(folder)


def serve_pairs(bench: MeshBench, mesh: str) -> None:
    """The pairs of one mesh, ready and dialling each other."""
    bench.apply_text((APPS / f"pairs-{mesh}.yaml").read_text())
    bench.rolled_out("deployment", "drill", "pair")
    until(lambda: len(bench.handshakes(since=time.time() - 1).error_window_ms.by_pair) == 12)
