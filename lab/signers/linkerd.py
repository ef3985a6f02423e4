"""Linkerd's identity controller, and leaves over its Identity service as a Linkerd proxy asks.

No registry has the controller: RACKROLL_LINKERD_IDENTITY names a build of upstream's ``controller/cmd``. It reads its
anchors once, at its start, from a fixed path, so it runs in a mount namespace of its own (root is needed). Its port is
plaintext here; in a cluster the proxy beside it adds the TLS.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.control.flags import LOOPBACK
from lab.control.process import Running
from lab.signers import objects, rpc
from lab.signers.generation import Authority, Generation
from lab.signers.leaf import Certificates, Leaf, Workload, key_pem, new_key, pem, request
from lab.signers.signer import SignerRefused, free_ports, launch, wait_for
from lab.signers.volume import Volume
from rollout.adapters.kube.api import KubeApi

PROGRAM = "RACKROLL_LINKERD_IDENTITY"
NAMESPACE, SECRET, ROOTS = "linkerd", "linkerd-identity-issuer", "linkerd-identity-trust-roots"
AUDIENCE = "identity.l5d.io"
DOMAIN = "cluster.local"
LEAF_LIFE = timedelta(seconds=30)
_METHOD = "/io.linkerd.proxy.identity.Identity/Certify"
_BUNDLE = "ca-bundle.crt"

_INSIDE = """
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/linkerd/identity/trust-roots
mount --bind "$0" /run/linkerd/identity/trust-roots
exec "$@"
"""
"""A /run of its own, with the trust roots where the controller looks for them (/var/run is a link to it)."""


class LinkerdIdentity:
    """One identity controller beside the control plane that ``api`` and ``kubeconfig`` reach.

    ``first`` None: somebody has written its objects already, and owns their fields. ``life`` is that of its leaves.
    """

    def __init__(
        self,
        api: KubeApi,
        kubeconfig: Path,
        folder: Path,
        first: Generation | None = None,
        life: timedelta = LEAF_LIFE,
    ) -> None:
        self._api, self._kubeconfig, self._folder, self._life = api, kubeconfig, folder, life
        self._port, self._admin = free_ports(2)
        if first is not None:
            objects.make_namespace(api, NAMESPACE)
            self.publish([first.root])
            self.switch(first.issuer)
        self._roots = Volume(api, objects.config_path(NAMESPACE, ROOTS), folder / "trust-roots")
        self._issuer = Volume(api, objects.secret_path(NAMESPACE, SECRET), folder / "issuer")
        self._process: Running | None = None

    @property
    def log(self) -> Path:
        return self._folder / "linkerd-identity.log"

    def start(self) -> None:
        """Returns when it answers."""
        inside = ["unshare", "--mount", "sh", "-euc", _INSIDE, str(self._roots.folder)]
        self._process = launch("linkerd-identity", self._arguments(), self.log, {}, inside)
        wait_for("an open port", self._open, self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def restart(self) -> None:
        """How the controller gets to know of new anchors."""
        self.stop()
        self._roots.remount()
        self._issuer.remount()
        self.start()

    def close(self) -> None:
        self.stop()
        self._roots.stop()
        self._issuer.stop()

    def publish(self, anchors: Sequence[x509.Certificate]) -> None:
        objects.put_config(self._api, NAMESPACE, ROOTS, {_BUNDLE: pem(anchors)})

    def switch(self, issuer: Authority) -> None:
        certificate = pem([issuer.certificate])
        files = {"tls.crt": certificate, "tls.key": key_pem(issuer.key)}
        objects.put_secret(self._api, NAMESPACE, SECRET, files, "kubernetes.io/tls")

    def bundle(self) -> Certificates:
        """What the injector would put into the environment of a pod that is admitted now."""
        files = objects.read_files(self._api, objects.config_path(NAMESPACE, ROOTS))
        return tuple(x509.load_pem_x509_certificates(files[_BUNDLE]))

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        """The anchors of a Linkerd proxy are those of its start. A leaf that they do not lead to it does not take:
        it keeps the old one until that expires (linkerd2-proxy, identity store), which is :class:`SignerRefused` here.
        """
        roots = held.roots if held else self.bundle()
        leaf = self.certify(workload, objects.token(self._api, workload, AUDIENCE), roots)
        if not any(leaf.under(root) for root in roots):
            raise SignerRefused(
                f"the proxy of {workload.account} does not take its new leaf: no anchor of its start leads to it",
                where="Linkerd proxy",
                hint="restart it, so that it is given the new bundle",
            )
        return leaf

    def certify(self, workload: Workload, token: str, roots: Certificates) -> Leaf:
        """With this token, which must be the workload's own."""
        key, name = new_key(), identity(workload)
        csr = request(key, x509.DNSName(name)).public_bytes(Encoding.DER)
        message = rpc.field(1, name) + rpc.field(2, token) + rpc.field(3, csr)
        with rpc.plain(f"{LOOPBACK}:{self._port}") as channel:
            answer = rpc.call(
                channel, _METHOD, message, {}, where=f"Linkerd's identity controller, {self.log}"
            )
        chain = [x509.load_der_x509_certificate(der) for at in (1, 2) for der in rpc.texts(answer, at)]
        return Leaf(tuple(chain), roots, key)

    def wait_until(self, what: str, true: Callable[[], bool]) -> None:
        assert self._process is not None, "Linkerd's identity controller was not started"
        wait_for(what, true, self._process)

    def _open(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self._port), timeout=1).close()
        except OSError:
            return False
        return True

    def _arguments(self) -> list[str]:
        return [
            os.environ[PROGRAM],
            "identity",
            f"-addr={LOOPBACK}:{self._port}",
            f"-admin-addr={LOOPBACK}:{self._admin}",
            f"-kubeconfig={self._kubeconfig}",
            f"-controller-namespace={NAMESPACE}",
            f"-identity-trust-domain={DOMAIN}",
            f"-identity-issuance-lifetime={int(self._life.total_seconds())}s",
            "-identity-scheme=kubernetes.io/tls",
            f"-issuer={self._issuer.folder}",
        ]


def identity(workload: Workload) -> str:
    """The DNS name that is the workload's identity in a Linkerd mesh."""
    return f"{workload.account}.{workload.namespace}.serviceaccount.identity.{NAMESPACE}.{DOMAIN}"
