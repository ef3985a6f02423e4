"""A Consul server with Connect's built-in CA, and leaves from its agent's API.

The built-in CA signs leaves with the root itself, so a generation's issuer is not used. The old root cross-signs the
new one unless it is forced not to. Consul drops an old root by itself, hours after the last leaf below it (twice the
leaf's life, which is an hour at least): there is no call for it, so ``publish`` can only check.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab.control.flags import LOOPBACK
from lab.control.process import Running
from lab.control.tools import find
from lab.kube.credentials import write_atomically
from lab.signers.generation import Authority, Generation
from lab.signers.leaf import Certificates, Leaf, Workload, key_pem, pem
from lab.signers.signer import SignerRefused, free_ports, launch, wait_for
from rollout.errors import RackrollError

_PORTS = ("http", "server", "serf_lan", "serf_wan")
_WATCH = "1s"
_OFF = ("https", "grpc", "grpc_tls", "dns")


class ConsulServer:
    """One server of datacenter dc1, in memory of its folder. ACLs are on: an agent asks for leaves with a token."""

    def __init__(self, folder: Path, first: Generation) -> None:
        self._folder, self._first = folder, first
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._root_token = secrets.token_hex(16)
        self._tokens: dict[str, str] = {}
        self._seen: dict[str, int] = {}
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(10.0))
        self._process: Running | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def log(self) -> Path:
        return self._folder / "consul.log"

    def start(self) -> None:
        """Returns when it leads its cluster and its CA has a root."""
        settings = self._folder / "consul.json"
        write_atomically(settings, json.dumps(self._settings()), mode=0o600)
        argv = [str(find("consul", "consul")), "agent", f"-config-file={settings}"]
        self._process = launch("consul", argv, self.log, {"CONSUL_HTTP_TOKEN": ""})
        wait_for("an active root", self._ready, self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop()
        self._http.clear()

    def publish(self, anchors: Sequence[x509.Certificate]) -> None:
        """Consul lists a root when it is switched to and drops it by itself. Raises RackrollError for other wishes."""
        missing = [one for one in anchors if one not in self.bundle()]
        if missing:
            names = ", ".join(one.subject.rfc4514_string() for one in missing)
            raise RackrollError(
                f"Consul lists no root {names}",
                where=str(self.log),
                hint="switch to it: that is what lists it",
            )

    def switch(self, issuer: Authority, *, cross_signed: bool = True) -> None:
        """To this root. Consul does the hand-over itself; ``cross_signed`` false is its ForceWithoutCrossSigning."""
        body = {
            "Provider": "consul",
            "Config": {"RootCert": pem([issuer.certificate]), "PrivateKey": key_pem(issuer.key)},
            "ForceWithoutCrossSigning": not cross_signed,
        }
        self._ask("PUT", "/v1/connect/ca/configuration", self._root_token, body)

    def bundle(self) -> Certificates:
        found = self._ask("GET", "/v1/connect/ca/roots", self._root_token)["Roots"]
        return tuple(x509.load_pem_x509_certificate(root["RootCert"].encode()) for root in found)

    def ask(self, workload: Workload, held: Leaf | None = None) -> Leaf:
        """As a proxy watches its agent: asked for what is newer than ``held``, it decides when to renew.

        A plain question would have the agent renew at once whatever another root signed; a watch does not.
        """
        watch = f"?index={self._seen[workload.account]}&wait={_WATCH}" if held else ""
        return self.certify(workload, self._token(workload.account), watch)

    def certify(self, workload: Workload, token: str, watch: str = "") -> Leaf:
        answer = self._ask("GET", f"/v1/agent/connect/ca/leaf/{workload.account}{watch}", token)
        self._seen[workload.account] = answer["ModifyIndex"]
        key = serialization.load_pem_private_key(answer["PrivateKeyPEM"].encode(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        chain = x509.load_pem_x509_certificates(answer["CertPEM"].encode())
        return Leaf(tuple(chain), self.bundle(), key)

    @property
    def port(self) -> int:
        """Of its HTTP API, on loopback."""
        return self._ports["http"]

    @property
    def token(self) -> str:
        """The operator's. Never for a log."""
        return self._root_token

    @property
    def trust_domain(self) -> str:
        found = self._ask("GET", "/v1/connect/ca/roots", self._root_token)
        return str(found["TrustDomain"])

    def wait_until(self, what: str, true: Callable[[], bool]) -> None:
        assert self._process is not None, "Consul was not started"
        wait_for(what, true, self._process)

    def _token(self, service: str) -> str:
        """One that may act as this service and nothing else."""
        if service not in self._tokens:
            body = {"ServiceIdentities": [{"ServiceName": service}]}
            self._tokens[service] = self._ask("PUT", "/v1/acl/token", self._root_token, body)["SecretID"]
        return self._tokens[service]

    def _ready(self) -> bool:
        try:
            return bool(self.bundle())
        except SignerRefused:
            return False

    def _ask(self, method: str, path: str, token: str, body: object = None) -> Any:
        headers = {"X-Consul-Token": token, "Content-Type": "application/json"}
        url = f"http://{LOOPBACK}:{self._ports['http']}{path}"
        content = None if body is None else json.dumps(body)
        try:
            answer = self._http.request(method, url, body=content, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise SignerRefused(f"{path}: {error}", where=str(self.log), hint="is it running?") from None
        if answer.status != 200:
            said = answer.data.decode(errors="replace").strip()
            raise SignerRefused(
                f"{path}: HTTP {answer.status}: {said}", where=str(self.log), hint="read its log"
            )
        return json.loads(answer.data or "null")

    def _settings(self) -> dict[str, Any]:
        first = {
            "root_cert": pem([self._first.root]),
            "private_key": key_pem(self._first.anchor.key),
        }
        return {
            "server": True,
            "bootstrap_expect": 1,
            "datacenter": "dc1",
            "node_name": "lab",
            "data_dir": str(self._folder / "data"),
            "bind_addr": LOOPBACK,
            "client_addr": LOOPBACK,
            "ports": {**self._ports, **dict.fromkeys(_OFF, -1)},
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
            "leave_on_terminate": False,
            "connect": {"enabled": True, "ca_provider": "consul", "ca_config": first},
            "acl": {
                "enabled": True,
                "default_policy": "deny",
                "tokens": {"initial_management": self._root_token},
            },
        }
