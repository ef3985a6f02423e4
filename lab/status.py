"""What of the lab is real, what is simulated, and whether it runs: said plainly, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lab import registry, services
from lab.host.programs import CONTROL_PLANE, EXPECTED, Programs, control_plane, running, stand_ins, started
from lab.host.sysctls import SIMULATED_AREAS, SIMULATED_KEYS
from lab.state import LabState, find_state


class Truth(StrEnum):
    REAL = "real"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Part:
    """``running`` of ``expected`` are there; ``expected`` None where the number depends on the cluster."""

    name: str
    truth: Truth
    running: int
    expected: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class LabStatus:
    """``up`` is False as soon as one part misses something; no parts at all means that there is no lab."""

    site: str | None
    parts: tuple[Part, ...]

    @property
    def up(self) -> bool:
        return bool(self.parts) and all(p.expected is None or p.running >= p.expected for p in self.parts)


def status(site_folder: Path) -> LabStatus:
    """Looks at processes only; asks nothing of them. Raises RackrollError when the state file is broken."""
    folder = site_folder.resolve()
    state = find_state(folder)
    if state is None:
        return _unfinished(registry.claims_of(folder))
    return LabStatus(state.site, tuple(_parts(state, running(state.hosts))))


def _unfinished(claims: Sequence[registry.Claim]) -> LabStatus:
    """No state file: no lab at all, or an ``up`` that was interrupted early."""
    detail = "an interrupted `lab up`: run it again, or `lab down`"
    parts = tuple(Part("hosts", Truth.REAL, 0, len(claim.namespaces) - 1, detail) for claim in claims)
    return LabStatus(claims[0].site if claims else None, parts)


def _parts(state: LabState, programs: Programs) -> Iterator[Part]:
    yield from _host_parts(state, programs)
    yield from _fabric_parts(state, programs)
    yield from _cluster_parts(state, programs)


def _host_parts(state: LabState, programs: Programs) -> Iterator[Part]:
    alive = sum(host.init.alive for host in state.hosts)
    detail = "network-namespace hosts with their own root and processes; they share one kernel and one clock"
    yield Part("hosts", Truth.REAL, alive, len(state.hosts), detail)
    yield _counted(state, programs, "sshd", "OpenSSH, strict host keys")
    detail = "with -x: measures its offset and never steers the machine's clock"
    yield _counted(state, programs, "chronyd", detail)
    keys = [*(key for key in SIMULATED_KEYS if key.startswith("net.")), *(f"{a}.*" for a in SIMULATED_AREAS)]
    detail = f"bind-mounted files in place of {', '.join(keys)} and some kernel.*"
    yield Part("machine-wide sysctls", Truth.SIMULATED, alive, len(state.hosts), detail)
    detail = "the other net.* keys, in each host's own network namespace"
    yield Part("network sysctls", Truth.REAL, alive, len(state.hosts), detail)


def _fabric_parts(state: LabState, programs: Programs) -> Iterator[Part]:
    yield _service(
        state, services.FORWARD, "ssh forwarder", Truth.REAL, "loopback to the out-of-band network"
    )
    yield _counted(state, programs, "bgpd", "FRR on ToRs, spine and nodes", "FRR BGP")
    yield _counted(state, programs, "bfdd", "FRR, in software", "FRR BFD")
    detail = "Linux resilient next-hop groups repeat FRR's VIP routes, in place of a switch ASIC"
    yield _service(state, services.RESILIENT, "resilient hashing", Truth.SIMULATED, detail)


def _cluster_parts(state: LabState, programs: Programs) -> Iterator[Part]:
    daemon = services.daemon(real=state.real)
    if not services.installed(daemon):
        return
    yield from _real_parts(state) if state.real else _simulated_parts(state)
    detail = "Service to pod by nftables in the node's namespace; rules follow the API"
    yield _service(state, daemon, "kube-proxy", Truth.SIMULATED, detail)
    envoys = sum(programs[host.name]["envoy"] for host in state.hosts)
    yield Part("Envoy of gateway and sidecar pods", Truth.REAL, envoys, None, "Envoy of the mesh's version")
    yield _service(state, daemon, "all other pods", Truth.SIMULATED, "reported Ready, nothing runs")


def _simulated_parts(state: LabState) -> Iterator[Part]:
    yield _service(
        state, services.DAEMON, "Kubernetes API and controllers", Truth.SIMULATED, "one process; Helm is real"
    )
    detail = "MetalLB's announcing rules in the lab daemon, through the node's real FRR"
    yield _service(state, services.DAEMON, "MetalLB speaker", Truth.SIMULATED, detail)
    detail = "for trust as istiod, Linkerd's identity and Consul's servers and proxies; their TLS 1.3 is real"
    yield Part("mesh signers and pairs of a drill", Truth.SIMULATED, stand_ins(state.folder), None, detail)


def _real_parts(state: LabState) -> Iterator[Part]:
    """The control plane runs in the out-of-band namespace, MetalLB in the nodes'."""
    plane = control_plane(state.site)
    detail = "upstream's etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
    yield Part("Kubernetes API and controllers", Truth.REAL, plane, len(CONTROL_PLANE), detail)
    detail = "pods' lives, probes, tokens and volumes in the lab daemon; no container images"
    yield _service(state, services.REAL_DAEMON, "kubelets", Truth.SIMULATED, detail)
    running = started(state.folder)
    for program in ("controller", "speaker"):
        count = running[program]
        yield Part(
            f"MetalLB {program}", Truth.REAL, count, None, "upstream's program, once its chart is installed"
        )
    detail = "rules of the simulated API behind a real webhook; istiod itself does not run"
    yield _service(state, services.REAL_DAEMON, "istiod's injection webhook", Truth.SIMULATED, detail)


def _counted(state: LabState, programs: Programs, program: str, detail: str, name: str = "") -> Part:
    hosts = [host for host in state.hosts if program in EXPECTED[host.role]]
    running = sum(programs[host.name][program] > 0 for host in hosts)
    return Part(name or program, Truth.REAL, running, len(hosts), detail)


def _service(state: LabState, module: str, name: str, truth: Truth, detail: str) -> Part:
    service = state.service(module)
    return Part(name, truth, int(service is not None and service.process.alive), 1, detail)
