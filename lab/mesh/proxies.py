"""How each mesh's proxies come by their leaf and their roots. SIMULATED: the three ways differ, and so do their traps.

- Istio: roots come with the answer to a CSR, at half the leaf's life; with PROXY_CONFIG_XDS_AGENT istiod also pushes
  them, and the leaf is then asked for anew at once.
- Linkerd: anchors come once, by environment. A leaf that does not lead to them is not installed.
- Consul: roots and leaves both follow the servers; after a change of root leaves are fetched again with jitter.
"""

from __future__ import annotations

import hashlib
import logging
import random
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from lab.mesh import consul, istio, linkerd
from lab.mesh.certificates import Certificate, Refused, bundle, key_to_pem, named, to_pem
from lab.mesh.handshake import Target
from lab.mesh.surroundings import Pod, Settings, Surroundings, read_control
from lab.mesh.trust import Credentials, Trust
from lab.mesh.web import Secured, Unanswered, ask

_log = logging.getLogger(__name__)
_RETRY = 1.0
LEAF = "LAB_LEAF_SECONDS"
"""Environment: a leaf's lifetime in seconds. Istio's proxies ask for it; Linkerd's controller and Consul set it."""

LEAF_SECONDS = 600.0
ISTIOD_PORT, LINKERD_PORT, CONSUL_PORT = 15012, 8080, 8500
ISTIO_ROOT = Path("/var/run/secrets/istio/root-cert.pem")


class Proxy(ABC):
    """Keeps ``trust`` as one mesh's proxies do, from :meth:`start` on. ``port`` is where its peers dial it."""

    port: int
    alpn: tuple[str, ...] = ()

    def __init__(self, settings: Settings, trust: Trust) -> None:
        self._settings = settings
        self._trust = trust
        self._wake = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._renew, name="renew", daemon=True).start()

    def target(self, own: Pod, peer: Pod) -> Target:
        return Target(own.address, peer.address, self.port, self.server_name(peer), self.identity(peer))

    @abstractmethod
    def identity(self, pod: Pod) -> str: ...

    @abstractmethod
    def server_name(self, pod: Pod) -> str: ...

    @abstractmethod
    def _issue(self, around: Surroundings) -> float:
        """Get a new leaf; returns the seconds until the next. Raises Unanswered or Refused: the old one stays."""

    @property
    def _frozen(self) -> bool:
        return read_control(self._settings.folder).frozen

    def _renew(self) -> None:
        while True:
            around, delay = self._settings.surroundings(), _RETRY
            if around is not None and not self._frozen:
                try:
                    delay = self._issue(around)
                except (Unanswered, Refused) as error:
                    _log.warning("no new leaf: %s", error)
            self._wake.wait(delay)
            self._wake.clear()

    def _in_background(self, name: str, look: Callable[[Surroundings], None]) -> None:
        """``look`` for ever; what goes wrong is tried again."""

        def loop() -> None:
            while True:
                around = self._settings.surroundings()
                try:
                    if around is None or self._frozen:
                        raise Unanswered("not now")
                    look(around)
                except (Unanswered, Refused) as error:
                    _log.debug("%s: %s", name, error)
                    time.sleep(_RETRY / 2)

        threading.Thread(target=loop, name=name, daemon=True).start()


def _signer(around: Surroundings, port: int) -> tuple[str, int]:
    if not around.signers:
        raise Unanswered("no signer of the mesh is ready")
    return random.choice(around.signers), port  # noqa: S311


def signing_request(name: x509.GeneralName, common_name: str = "") -> tuple[str, str]:
    """A new P-256 key and its CSR, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = named(common_name)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=not list(subject))
    return key_to_pem(key), builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def verifying(anchors_pem: str) -> ssl.SSLContext:
    """For calls to a signer: its certificate and its DNS name are checked, we show none. Raises Refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=anchors_pem)
    except ssl.SSLError as error:
        raise Refused(f"no roots to know the signer by: {error}") from error
    return context


def _unique(*sets: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    return tuple(dict.fromkeys(one for some in sets for one in some))


class IstioProxy(Proxy):
    """It keeps to one istiod, as upstream's stream does. A CSR goes to any of them upstream: one that lags answers with
    the old roots, and they stay believed until the next renewal. ``LAB_CSR_ANYWHERE=true`` brings that trap here.
    """

    port = 8443
    alpn = ("istio",)

    def __init__(self, settings: Settings, trust: Trust) -> None:
        super().__init__(settings, trust)
        self._domain = settings.environment.get("TRUST_DOMAIN") or "cluster.local"
        self._lifetime = settings.number(LEAF, LEAF_SECONDS)
        self._anywhere = settings.environment.get("LAB_CSR_ANYWHERE", "").lower() == "true"
        self._home = ""
        self._pushed: tuple[Certificate, ...] = ()
        self._answered: tuple[Certificate, ...] = ()

    def start(self) -> None:
        super().start()
        if self._settings.environment.get("PROXY_CONFIG_XDS_AGENT", "").lower() == "true":
            self._in_background("pcds", self._follow)

    def identity(self, pod: Pod) -> str:
        return istio.identity(self._domain, pod.namespace, pod.account)

    def server_name(self, pod: Pod) -> str:
        return f"outbound_.{self.port}_._.{pod.account}.{pod.namespace}.svc.cluster.local"

    def _issue(self, around: Surroundings) -> float:
        """The last element of the answer are the roots."""
        name = self.identity(around.own)
        key_pem, request = signing_request(x509.UniformResourceIdentifier(name))
        body = {"csr": request, "identity": name, "seconds": self._lifetime}
        istiod = self._signer(around, anywhere=self._anywhere)
        chain_pem: list[str] = self._asked(istiod, "POST", "/csr", body)["chain"]
        chain, self._answered = bundle("".join(chain_pem[:-1])), bundle(chain_pem[-1])
        self._trust.install(Credentials(chain, key_pem, _unique(self._pushed, self._answered)))
        left = (chain[0].not_valid_after_utc - datetime.now(UTC)).total_seconds()
        return max(left * random.uniform(0.49, 0.51), _RETRY)  # noqa: S311

    def _follow(self, around: Surroundings) -> None:
        """Wait for a bundle that is not the one we have; take it, and ask for a new leaf at once: no jitter."""
        have = hashlib.sha256(to_pem(self._pushed).encode()).hexdigest()
        told = self._asked(self._signer(around), "GET", f"/pcds?have={have}", None, timeout=30.0)
        if told is None:
            return
        self._pushed = bundle(told["roots"])
        self._trust.trusting(_unique(self._pushed, self._answered))
        self._wake.set()

    def _signer(self, around: Surroundings, *, anywhere: bool = False) -> tuple[str, int]:
        if anywhere:
            return _signer(around, ISTIOD_PORT)
        if self._home not in around.signers:
            self._home = _signer(around, ISTIOD_PORT)[0]
        return self._home, ISTIOD_PORT

    def _asked(
        self, istiod: tuple[str, int], method: str, path: str, body: object, *, timeout: float = 5.0
    ) -> Any:
        try:
            mounted = ISTIO_ROOT.read_text()
        except OSError as error:
            raise Unanswered(f"istio-ca-root-cert is not mounted: {error}") from error
        secured = Secured(verifying(mounted), istio.SERVICE)
        try:
            return ask(istiod, method, path, body, secured=secured, timeout=timeout)
        except Unanswered:
            self._home = ""
            raise


class LinkerdProxy(Proxy):
    port = 4143

    def __init__(self, settings: Settings, trust: Trust) -> None:
        super().__init__(settings, trust)
        self._domain = settings.environment.get("_l5d_trustdomain") or "cluster.local"
        self._anchors_pem = settings.environment.get("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "")
        self._anchors = bundle(self._anchors_pem)

    def identity(self, pod: Pod) -> str:
        return linkerd.identity(self._domain, pod.namespace, pod.account)

    def server_name(self, pod: Pod) -> str:
        return self.identity(pod)

    def _issue(self, around: Surroundings) -> float:
        name = self.identity(around.own)
        key_pem, request = signing_request(x509.DNSName(name), name)
        secured = Secured(verifying(self._anchors_pem), linkerd.identity(self._domain, *CONTROLLER))
        answer = ask(
            _signer(around, LINKERD_PORT),
            "POST",
            "/certify",
            {"csr": request, "identity": name},
            secured=secured,
        )
        chain, now = bundle("".join(answer["chain"])), datetime.now(UTC)
        fault = linkerd.leaf_fault(chain, self._anchors, name, now)
        if fault:
            raise Refused(f"my new leaf is not taken, the old one stays: {fault}")
        self._trust.install(Credentials(chain, key_pem, self._anchors))
        return linkerd.renewal(chain[0], now).total_seconds()


CONTROLLER = ("linkerd", "linkerd-identity")
"""Namespace and service account that the identity controller's own proxy is known by."""


class ConsulProxy(Proxy):
    port = 20000

    def __init__(self, settings: Settings, trust: Trust) -> None:
        super().__init__(settings, trust)
        self._roots: tuple[Certificate, ...] = ()
        self._domain, self._active = "", ""
        self._jitter = settings.number("LAB_CONSUL_JITTER", 0.5)
        self._poll = settings.number("LAB_CONSUL_POLL", 4.0)

    def start(self) -> None:
        super().start()
        self._in_background("roots", self._follow)

    def identity(self, pod: Pod) -> str:
        return consul.service_uri(self._domain, pod.account)

    def server_name(self, pod: Pod) -> str:
        return f"{pod.account}.default.dc1.internal.{self._domain}"

    def _issue(self, around: Surroundings) -> float:
        """The next one is asked for between 60 % and 90 % of this one's life, and three seconds before its end."""
        path = f"/v1/agent/connect/ca/leaf/{around.own.account}"
        if not self._roots:
            self._learn(around)
        answer = ask(_signer(around, CONSUL_PORT), "GET", path)
        chain = bundle(answer["CertPEM"])
        self._trust.install(Credentials(chain, answer["PrivateKeyPEM"], self._roots))
        left = (chain[0].not_valid_after_utc - datetime.now(UTC)).total_seconds()
        return max(min(left * random.uniform(0.6, 0.9), left - 3.0), _RETRY)  # noqa: S311

    def _follow(self, around: Surroundings) -> None:
        """Roots are believed at once; the leaf follows within the jitter, which is 30 s upstream.

        The next look is at a random time: proxies that waited for a server together would stay in step for ever.
        """
        before = self._active
        self._learn(around)
        if before and self._active != before:
            time.sleep(random.uniform(0.0, self._jitter))  # noqa: S311
            self._wake.set()
        time.sleep(random.uniform(0.0, self._poll))  # noqa: S311

    def _learn(self, around: Surroundings) -> None:
        told = ask(_signer(around, CONSUL_PORT), "GET", "/v1/connect/ca/roots")
        self._domain, self._active = told["TrustDomain"], told["ActiveRootID"]
        self._roots = bundle("".join(root["RootCert"] for root in told["Roots"]))
        self._trust.trusting(self._roots)


PROXIES: Mapping[str, type[Proxy]] = {"istio": IstioProxy, "linkerd": LinkerdProxy, "consul": ConsulProxy}
