"""``kubectl exec`` and ``kubectl logs`` into lab pods: only pilot-agent's request exists, mapped to Envoy's admin."""

from __future__ import annotations

from lab.kube.objects import Obj, name_of, uid_of
from lab.kube.runtimes import Runtime
from lab.node.kubelet import Kubelet
from lab.node.podspec import PROXY
from lab.state import log_folder

_USAGE = (
    b"lab: this container is simulated; only `pilot-agent request GET|POST <path>` in istio-proxy exists\n"
)

Outcome = tuple[int, bytes, bytes]


def runtime(kubelet: Kubelet) -> Runtime:
    async def execute(pod: Obj, container: str, argv: tuple[str, ...]) -> Outcome:
        request = read_request(container, argv)
        if request is None:
            return 127, b"", _USAGE
        envoy = kubelet.envoy_of(uid_of(pod))
        answer = await envoy.ask(*request) if envoy is not None else None
        if answer is None:
            return 1, b"", f"lab: the Envoy of {name_of(pod)} does not answer\n".encode()
        if answer.status >= 400 and request[1] != "/ready":
            return 1, b"", answer.body
        return 0, answer.body, b""

    async def logs(pod: Obj, container: str) -> bytes:
        written = kubelet.log_of(uid_of(pod), container)
        if written is not None and written.exists():
            return written.read_bytes()
        envoy = kubelet.envoy_of(uid_of(pod)) if container == PROXY else None
        if envoy is None:
            return b"lab: this container is simulated and writes nothing\n"
        path = log_folder(envoy.machine.folder) / "nodes" / f"{envoy.machine.name}-envoy-{name_of(pod)}.log"
        return path.read_bytes() if path.exists() else b""

    return Runtime(execute, logs)


def read_request(container: str, argv: tuple[str, ...]) -> tuple[str, str] | None:
    """Method and admin path of a ``pilot-agent request``; None for any other command."""
    if container != PROXY or len(argv) != 4 or argv[:2] != ("pilot-agent", "request"):
        return None
    return (argv[2].upper(), "/" + argv[3].lstrip("/")) if argv[2].upper() in ("GET", "POST") else None
