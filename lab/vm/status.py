"""What of the virtual-machine lab is real, and whether it runs: the same table as the embedded lab's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab import netns, services
from lab.host.programs import missing, running
from lab.process import PROC
from lab.state import LabState, find_state, oob_namespace
from lab.status import LabStatus, Part, Truth
from lab.vm.machines import read_machines
from lab.vm.state import VmState, read_vm_state


def status(site_folder: Path) -> LabStatus | None:
    """None where no lab of virtual machines is, or was begun. Looks at processes only."""
    folder = site_folder.resolve()
    vm, beside = read_vm_state(folder), find_state(folder)
    return None if vm is None or beside is None else LabStatus(beside.site, tuple(_parts(vm, beside)))


def _parts(vm: VmState, beside: LabState) -> Iterator[Part]:
    expected = len(read_machines().machines)
    found = netns.members([oob_namespace(beside.site)]).get(oob_namespace(beside.site), ())
    qemu = sum("qemu-system" in _name(process.pid) for process in found)
    how = "on the processor" if vm.native else "emulated: no timing here is hardware's"
    yield Part("nodes and ToRs", Truth.REAL, qemu, expected, f"virtual machines, {how}")
    detail = "of the lab's own, without systemd, in the lab's namespaces"
    yield Part("libvirtd", Truth.REAL, int(vm.hypervisor.alive), 1, detail)
    programs = running(beside.hosts)
    well = sum(not missing(host, programs) for host in beside.hosts)
    detail = "time server, spine, outside client: network namespaces on this machine's kernel"
    yield Part("hosts beside", Truth.REAL, well, len(beside.hosts), detail)
    found_services = services.running(beside.folder)
    forwarder = int(services.FORWARD in found_services)
    yield Part("ssh forwarder", Truth.REAL, forwarder, 1, "loopback to the out-of-band network")
    daemon = int(services.DAEMON in found_services)
    detail = "one process beside the machines; Helm is real"
    yield Part("Kubernetes API and controllers", Truth.SIMULATED, daemon, 1, detail)
    detail = "in each node's machine, driving its own Envoy, nftables and FRR; they say so at the API"
    yield Part("kubelets, kube-proxies, speakers", Truth.SIMULATED, daemon, None, detail)


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text()
    except OSError:
        return ""
