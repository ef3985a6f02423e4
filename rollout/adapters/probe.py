"""What the world outside sees of a VIP. Where the probe stands is the site's choice: a host, or this machine."""

from __future__ import annotations

import base64
import json
import shlex
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import paramiko
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rollout.adapters import probe_script
from rollout.adapters.ssh import session, strict_client
from rollout.errors import StepFailed, Unreachable
from rollout.model.mesh import Gateway
from rollout.model.observed import ProbeResult
from rollout.model.site import ProbePoint, Site, SshAccess
from rollout.model.snapshot import Serving, ServingCertificate

SAMPLE_TIMEOUT = 2.0
"""Seconds for one connection, request and answer: longer is as bad as lost."""

BUDGET = 10.0
"""Seconds after which no further sample is started."""

_GRACE = 10.0  # seconds for the far Python to start and to print

Asked = Mapping[str, Any]
Answer = Mapping[str, Any]


class Vantage(Protocol):
    """A place from which connections are opened."""

    def run(self, asked: Asked) -> Answer: ...


class OutsideProbe:
    """Implements :class:`rollout.engine.ports.Probe`."""

    def __init__(self, site: Site, vantage: Vantage | None = None) -> None:
        self._point = site.probe
        self._vantage = vantage or _vantage(site.probe)

    def fetch(self, gateway: Gateway, samples: int) -> ProbeResult:
        """Raises :class:`Unreachable` if the vantage point does not answer: that says nothing about the VIP."""
        if samples < 1:
            return ProbeResult(gateway.vip, tried=0, ok=0)
        answer = self._vantage.run(self._asked(gateway, samples))
        return ProbeResult(gateway.vip, answer["tried"], answer["ok"], _detail(answer["failures"]))

    def serving(self, gateway: Gateway) -> Serving:
        """Implements :class:`rollout.engine.ports.Certificates`, by the name that the site's clients ask for."""
        asked = {
            "want": "leaf",
            "host": str(gateway.vip),
            "port": gateway.port,
            "name": self._point.host_header,
            "timeout": SAMPLE_TIMEOUT,
        }
        answer = self._vantage.run(asked)
        if not answer.get("der"):
            return Serving(
                gateway.name, None, f"{gateway.vip}:{gateway.port} {answer.get('why', 'said nothing')}"
            )
        try:
            leaf = x509.load_der_x509_certificate(base64.b64decode(answer["der"]))
        except ValueError as error:
            return Serving(gateway.name, None, f"its certificate cannot be read: {error}")
        return Serving(gateway.name, _certificate(leaf))

    def _asked(self, gateway: Gateway, samples: int) -> Asked:
        return {
            "host": str(gateway.vip),
            "port": gateway.port,
            "path": self._point.path,
            "host_header": self._point.host_header,
            "samples": samples,
            "timeout": SAMPLE_TIMEOUT,
            "budget": BUDGET,
        }


def _certificate(leaf: x509.Certificate) -> ServingCertificate:
    names = leaf.subject.rfc4514_string(), leaf.issuer.rfc4514_string()
    return ServingCertificate(*names, leaf.not_valid_after_utc, leaf.fingerprint(hashes.SHA256()).hex())


class Here:
    """The machine that rackroll runs on."""

    def run(self, asked: Asked) -> Answer:
        return probe_script.answer(dict(asked))


class OverSsh:
    """A host outside the racks, over one SSH connection that stays; one command per fetch.

    The host needs ``python3`` and nothing else. Its key must be known beforehand.
    """

    def __init__(self, name: str, access: SshAccess) -> None:
        self._name = name
        self._access = access
        self._guard = threading.Lock()
        self._client: paramiko.SSHClient | None = None

    def run(self, asked: Asked) -> Answer:
        """A connection that broke since the last fetch is made anew, once."""
        try:
            return self._ask(asked)
        except (paramiko.SSHException, EOFError, OSError):
            self.close()
        try:
            return self._ask(asked)
        except (paramiko.SSHException, EOFError, OSError) as error:
            self.close()
            raise self._unreachable(error) from None

    def close(self) -> None:
        with self._guard:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _ask(self, asked: Asked) -> Answer:
        channel = session(self._connected(), self._access)
        try:
            channel.settimeout(BUDGET + SAMPLE_TIMEOUT + _GRACE)
            channel.exec_command(_COMMAND)
            channel.sendall(json.dumps(dict(asked)).encode())
            channel.shutdown_write()
            output = channel.makefile("rb").read()
            errors = channel.makefile_stderr("rb").read()
            return self._answer(channel.recv_exit_status(), output, errors)
        finally:
            channel.close()

    def _answer(self, code: int, output: bytes, errors: bytes) -> Answer:
        try:
            answer = json.loads(output) if code == 0 else None
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            return answer
        words = (errors or output).decode(errors="replace").strip().splitlines()
        raise StepFailed(
            f"the probe ended with code {code}: {words[-1] if words else 'it said nothing'}",
            where=f"probe {self._name}",
            hint="the outside host needs python3 (3.8 or newer) on its PATH",
        )

    def _connected(self) -> paramiko.SSHClient:
        with self._guard:
            transport = self._client.get_transport() if self._client else None
            if self._client is None or transport is None or not transport.is_active():
                self._client = strict_client(self._access)
            return self._client

    def _unreachable(self, error: Exception) -> Unreachable:
        where = f"probe {self._name} ({self._access.user}@{self._access.address}:{self._access.port})"
        hint = "check probe.ssh in site.yaml, the key file and known_hosts (its key must be there already)"
        return Unreachable(f"the outside probe cannot be reached: {error}", where=where, hint=hint)


def _vantage(point: ProbePoint) -> Vantage:
    return OverSsh(point.name, point.ssh) if point.ssh else Here()


def _detail(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {word}" for word, count in failures.items())


def _command() -> str:
    """The script's text is ours and constant; ``-I -S`` keep the far side's environment and packages out."""
    source = Path(probe_script.__file__).read_text(encoding="utf-8")
    return f"exec python3 -I -S -c {shlex.quote(source)}"


_COMMAND = _command()
