"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler, as upstream builds them, run on this machine.

It has no node of its own: KWOK (tests) or the lab's node agents bring them. etcd runs with ``--unsafe-no-fsync``:
a machine that loses power loses the cluster, a killed process does not.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import netns
from lab.control.certificates import Certificates, Pair
from lab.control.flags import API, CONTROLLERS, ETCD, LOOPBACK, SCHEDULER, PlaneSpec, Ports, arguments
from lab.control.process import Running
from lab.control.tools import find
from lab.kube.credentials import write_atomically
from rollout.errors import RackrollError

_READY_WITHIN = 90.0  # seconds; two cores that also build may take most of a minute


class ControlPlane:
    """One control plane. Programs end with the process that started them, also when that is killed."""

    def __init__(self, spec: PlaneSpec) -> None:
        self.spec = spec
        self.ports = spec.ports or _kept_ports(spec)
        self.certificates = Certificates(spec.folder / "pki", (spec.address,))
        self._running: dict[str, Running] = {}

    @property
    def kubeconfig(self) -> Path:
        """A cluster administrator's; written before :meth:`start` returns."""
        return self.spec.folder / "kubeconfig"

    @property
    def server(self) -> str:
        return f"https://{self.spec.address}:{self.ports.api}"

    def start(self) -> None:
        """Raises ToolMissing, or RackrollError with a program's last words; what was started is ended then."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        programs = {name: find(f"kube-{self.spec.minor}", name) for name in (API, CONTROLLERS, SCHEDULER)}
        programs[ETCD] = find("etcd", ETCD)
        for client in ("admin", "controller-manager", "scheduler"):
            name = "kubeconfig" if client == "admin" else f"{client}.kubeconfig"
            self.write_kubeconfig(self.spec.folder / name, self.certificates.pair(client))
        for name in (ETCD, API):
            self._launch(name, programs[name])
        self._await_api()
        for name in (CONTROLLERS, SCHEDULER):
            self._launch(name, programs[name])
        self._await_accounts()

    def stop(self) -> None:
        for name in (SCHEDULER, CONTROLLERS, API, ETCD):
            if name in self._running:
                self._running.pop(name).stop()

    def kill(self, name: str) -> None:
        """End one program at once, as a crash would."""
        self._running.pop(name).kill()

    def restart(self, name: str) -> None:
        """Start a program again, wherever it was left; returns when the API answers."""
        if name in self._running:
            self._running.pop(name).stop()
        family = "etcd" if name == ETCD else f"kube-{self.spec.minor}"
        self._launch(name, find(family, name))
        self._await_api()

    def require(self) -> None:
        """Raises RackrollError when a program has ended by itself."""
        for process in self._running.values():
            process.require()

    def ended(self) -> tuple[str, ...]:
        """Programs that have ended by themselves."""
        return tuple(name for name, process in self._running.items() if not process.alive)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def write_kubeconfig(self, path: Path, pair: Pair, server: str | None = None) -> Path:
        """For the client of this certificate; the key is in the file (mode 0600)."""
        write_atomically(path, _kubeconfig(self.certificates, pair, server or self.server), mode=0o600)
        return path

    def user(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig of a user of its own, without any right until RBAC gives it one."""
        pair = self.certificates.issue(f"user-{user}", user, groups)
        return self.write_kubeconfig(self.spec.folder / f"user-{user}.kubeconfig", pair)

    def _launch(self, name: str, program: Path) -> None:
        argv = [str(program), *arguments(name, self.spec, self.ports, self.certificates)]
        log = self.spec.folder / "logs" / f"{name}.log"
        self._running[name] = Running(name, argv, log, self.spec.namespace)

    def _await_api(self) -> None:
        self._await("/readyz")

    def _await_accounts(self) -> None:
        """Pods are refused until the controller manager has made the namespace's service account."""
        self._await("/api/v1/namespaces/default/serviceaccounts/default")

    def _await(self, path: str) -> None:
        deadline, last = time.monotonic() + _READY_WITHIN, "no answer"
        while time.monotonic() < deadline:
            self.require()
            code, last = self.ask(path)
            if code == 200:
                return
            time.sleep(0.1)
        raise RackrollError(
            f"the API server does not get ready: {last[:300]}", where=str(self.spec.folder / "logs")
        )

    def ask(self, path: str) -> tuple[int, str]:
        """GET as the administrator, from inside the plane's own namespace; code 0 where nothing answers."""
        pair = self.certificates.pair("admin")
        context = ssl.create_default_context(cafile=str(self.certificates.authority.certificate))
        context.load_cert_chain(pair.certificate, pair.key)
        connection = http.client.HTTPSConnection(self.spec.address, self.ports.api, context=context)
        try:
            plain = netns.connect(self.spec.namespace, (self.spec.address, self.ports.api), timeout=5)
            connection.sock = context.wrap_socket(plain, server_hostname=self.spec.address)
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()


@contextmanager
def running(spec: PlaneSpec) -> Iterator[ControlPlane]:
    plane = ControlPlane(spec)
    plane.start()
    try:
        yield plane
    finally:
        plane.stop()


def _kubeconfig(certificates: Certificates, pair: Pair, server: str) -> str:
    """JSON, which is YAML too."""

    def embedded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {
        "server": server,
        "certificate-authority-data": embedded(certificates.authority.certificate),
    }
    user = {
        "client-certificate-data": embedded(pair.certificate),
        "client-key-data": embedded(pair.key),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": "real", "user": user}],
            "contexts": [{"name": "real", "context": {"cluster": "real", "user": "real"}}],
            "current-context": "real",
        },
        indent=1,
    )


def _kept_ports(spec: PlaneSpec) -> Ports:
    """Free ones, kept with the folder so that a plane started again is found where it was."""
    memory = spec.folder / "ports.json"
    if memory.exists():
        return Ports(**json.loads(memory.read_text()))
    names = Ports.__dataclass_fields__
    with contextmanager(_free_ports)(len(names)) as numbers:
        ports = Ports(*numbers)
    write_atomically(memory, json.dumps({name: getattr(ports, name) for name in names}))
    return ports


def _free_ports(count: int) -> Iterator[list[int]]:
    """All bound at once, so that no number comes twice."""
    held = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    yield [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
