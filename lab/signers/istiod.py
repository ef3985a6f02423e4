"""istiod with a plugged-in CA: the Secret `cacerts`, and leaves over IstioCertificateService as istio-agent asks.

Its rights are the cluster administrator's, so what upstream's chart grants it is not tried here. ISTIO_MULTIROOT_MESH
is what lets it take more than one root at all; a change of roots that is neither superset nor subset of the old ones it
refuses with no more than a warning in its log (pilot/pkg/bootstrap/istio_ca.go, handleEvent).
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.control.flags import LOOPBACK
from lab.control.process import Running
from lab.control.tools import find
from lab.signers import objects, rpc, volume
from lab.signers.generation import Authority, Generation
from lab.signers.leaf import Certificates, Leaf, Workload, key_pem, new_key, pem, request
from lab.signers.signer import free_ports, launch, wait_for
from lab.signers.volume import Volume
from rollout.adapters.kube.api import KubeApi, Refused

NAMESPACE, SECRET, ROOTS = "istio-system", "cacerts", "istio-ca-root-cert"
AUDIENCE = "istio-ca"
DOMAIN = "cluster.local"
LEAF_LIFE = timedelta(seconds=20)
"""Short, so that a rotation is soon through; renewed at half of it, which leaves a busy machine ten seconds."""

_METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"
_NAME = "istiod.istio-system.svc"


class Istiod:
    """One istiod beside the control plane that ``api`` and ``kubeconfig`` reach. It serves on loopback only.

    ``first`` None: somebody has written its Secret already, and owns its fields. ``synced`` is how often its kubelet
    looks, in seconds.
    """

    def __init__(
        self,
        api: KubeApi,
        kubeconfig: Path,
        folder: Path,
        first: Generation | None = None,
        synced: float = volume.EVERY,
    ) -> None:
        self._api, self._kubeconfig, self._folder = api, kubeconfig, folder
        names = ("http", "https", "grpc", "secure", "monitoring")
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        if first is not None:
            objects.make_namespace(api, NAMESPACE)
            self.write([first.root], first.issuer)
        self._volume = Volume(api, objects.secret_path(NAMESPACE, SECRET), folder / "cacerts", synced)
        self._process: Running | None = None
        self._turn = threading.Lock()

    @property
    def log(self) -> Path:
        return self._folder / "istiod.log"

    def start(self) -> None:
        """Returns when it is ready and has given the first workloads' namespaces their roots. Not twice at once."""
        with self._turn:
            if self._process is None:
                self._begin()

    def _begin(self) -> None:
        self._process = launch(
            "pilot-discovery", self._arguments(), self.log, environment(self._volume.folder)
        )
        wait_for("its readiness", self._ready, self._process)
        wait_for("a bundle for new proxies", lambda: bool(self.bundle()), self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def kill(self) -> None:
        """At once, with its leases unreleased."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def restart(self) -> None:
        self.stop()
        self._volume.remount()
        self.start()

    def close(self) -> None:
        self.stop()
        self._volume.stop()

    def write(self, anchors: Sequence[x509.Certificate], issuer: Authority) -> None:
        """The whole Secret at once."""
        files = {"root-cert.pem": pem(anchors), **_signing(issuer)}
        objects.put_secret(self._api, NAMESPACE, SECRET, files)

    def publish(self, anchors: Sequence[x509.Certificate]) -> None:
        self._change({"root-cert.pem": pem(anchors)})

    def switch(self, issuer: Authority) -> None:
        self._change(_signing(issuer))

    def bundle(self) -> Certificates:
        """The ConfigMap that istiod lays into every namespace; a proxy mounts it to know istiod."""
        try:
            files = objects.read_files(self._api, objects.config_path("default", ROOTS))
        except Refused:
            return ()
        return tuple(x509.load_pem_x509_certificates(files["root-cert.pem"]))

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        """The roots of an Istio proxy are those that came with its last leaf, whatever it held before."""
        del held
        return self.certify(workload, objects.token(self._api, workload, AUDIENCE))

    def certify(self, workload: Workload, token: str, life: timedelta = LEAF_LIFE) -> Leaf:
        """With this token. The identity in the leaf is the token's, not what the CSR asks for."""
        key = new_key()
        name = x509.UniformResourceIdentifier(
            f"spiffe://{DOMAIN}/ns/{workload.namespace}/sa/{workload.account}"
        )
        csr = request(key, name).public_bytes(Encoding.PEM)
        message = rpc.field(1, csr) + rpc.number_field(3, int(life.total_seconds()))
        metadata = {"authorization": f"Bearer {token}", "clusterid": "Kubernetes"}
        with rpc.secured(f"{LOOPBACK}:{self._ports['secure']}", pem(self.bundle()), _NAME) as channel:
            answer = rpc.call(channel, _METHOD, message, metadata, where=f"istiod, {self.log}")
        *chain, roots = [x509.load_pem_x509_certificates(part) for part in rpc.texts(answer, 1)]
        return Leaf(tuple(one for part in chain for one in part), tuple(roots), key)

    def wait_until(self, what: str, true: Callable[[], bool]) -> None:
        """As :func:`lab.signers.signer.wait_for`, of this istiod."""
        assert self._process is not None, "istiod was not started"
        wait_for(what, true, self._process)

    def _change(self, files: Mapping[str, str]) -> None:
        """Of the Secret as it stands in the cluster, whoever wrote it last."""
        now = objects.read_files(self._api, objects.secret_path(NAMESPACE, SECRET))
        kept = {name: content.decode() for name, content in now.items()}
        objects.put_secret(self._api, NAMESPACE, SECRET, {**kept, **files})

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self._ports["http"], timeout=2)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _arguments(self) -> list[str]:
        """Nothing listens but on loopback; ctrlz takes a port of its own choice there."""
        at = {name: f"{LOOPBACK}:{port}" for name, port in self._ports.items()}
        return [
            str(find("istiod-1.31", "pilot-discovery")),
            "discovery",
            f"--kubeconfig={self._kubeconfig}",
            f"--namespace={NAMESPACE}",
            f"--domain={DOMAIN}",
            f"--httpAddr={at['http']}",
            f"--httpsAddr={at['https']}",
            f"--grpcAddr={at['grpc']}",
            f"--secureGRPCAddr={at['secure']}",
            f"--monitoringAddr={at['monitoring']}",
            "--ctrlz_address=localhost",
            "--ctrlz_port=0",
            "--log_output_level=default:info",
        ]


def _signing(issuer: Authority) -> dict[str, str]:
    own = pem([issuer.certificate])
    return {"ca-cert.pem": own, "cert-chain.pem": own, "ca-key.pem": key_pem(issuer.key)}


def environment(cacerts: Path) -> dict[str, str]:
    """As upstream's chart sets it, but for the folder and the life of leaves that ask for none."""
    return {
        "POD_NAME": "istiod-lab",
        "POD_NAMESPACE": NAMESPACE,
        "REVISION": "default",
        "CLUSTER_ID": "Kubernetes",
        "PILOT_CERT_PROVIDER": "istiod",
        "ISTIO_MULTIROOT_MESH": "true",
        "ROOT_CA_DIR": str(cacerts),
        "DEFAULT_WORKLOAD_CERT_TTL": "1m",
    }
