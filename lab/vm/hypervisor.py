"""A libvirtd of the lab's own, without systemd: started here, reached by entering its namespaces, ended by its id."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from lab.command import run
from lab.host.enter import bounding_set
from lab.host.launch import last_words
from lab.netns import FOLDER
from lab.process import ProcessRef, reference
from lab.topology import OOB, OOB_BRIDGE, LabHost
from lab.vm.machines import Machines
from rollout.errors import RackrollError

SCRIPT = Path(__file__).with_name("hypervisor.sh")
NETWORK = "oob"
URI = "qemu:///system"
_READY_WITHIN = timedelta(seconds=90)

_VIRTIOFSD_WANTS = "mknod"
"""It ends at once where it cannot keep it; the machines' own device nodes are their kernels' affair."""

_LIBVIRTD = """unix_sock_group = "root"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "2:stderr"
"""
_QEMU = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
vnc_auto_unix_socket = 1
"""
"""No user of its own is needed, nothing is chowned, and no cgroup of the machine is touched."""


def start(folder: Path, namespace: str) -> ProcessRef:
    """libvirtd in ``namespace``, answering; ``folder`` keeps its settings, disks and log. Raises RackrollError."""
    (folder / "etc").mkdir(parents=True)
    (folder / "log").mkdir()
    (folder / "etc" / "libvirtd.conf").write_text(_LIBVIRTD)
    (folder / "etc" / "qemu.conf").write_text(_QEMU)
    enter = ["nsenter", f"--net={FOLDER / namespace}", "unshare", "--mount", "--propagation=private"]
    fewer = [
        "setpriv",
        f"--bounding-set={bounding_set(but=_VIRTIOFSD_WANTS)}",
        "/bin/sh",
        str(SCRIPT),
        str(folder),
    ]
    with (folder / "log" / "libvirtd.log").open("ab") as log:
        process = subprocess.Popen(
            [*enter, *fewer],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    _await_answer(process, folder)
    return reference(process.pid)


def inside(hypervisor: ProcessRef, argv: Sequence[str]) -> list[str]:
    """The argv that runs ``argv`` where libvirtd lives: its network, and its view of /run, /var and /etc/libvirt."""
    if not hypervisor.alive:
        raise RackrollError(
            "the lab's libvirtd is gone", where="lab", hint="run `rackroll lab up --vm` again"
        )
    return ["nsenter", f"--target={hypervisor.pid}", "--net", "--mount", "--", *argv]


def virsh(hypervisor: ProcessRef, *words: str) -> str:
    return run(inside(hypervisor, ["virsh", "--quiet", "--connect", URI, *words]), timeout=60)


def define_networks(
    hypervisor: ProcessRef, machines: Machines, hosts: Sequence[LabHost], folder: Path
) -> None:
    """Out of band with a reserved address for each machine, and the bridges that ToR uplinks go into."""
    texts = {NETWORK: oob_network(machines, hosts)} | {name: _bridge(name) for name in machines.bridges}
    for name, text in texts.items():
        file = folder / "etc" / f"{name}.xml"
        file.write_text(text)
        virsh(hypervisor, "net-define", str(file))
        virsh(hypervisor, "net-start", name)


def oob_network(machines: Machines, hosts: Sequence[LabHost]) -> str:
    """``open``: libvirt writes no firewall rule. There is no way out: the namespace has no other interface.

    The range is for nobody, but its size is how many leases libvirt's dnsmasq gives at all, reserved ones included.
    """
    addresses = {host.name: host.oob_address for host in hosts}
    reserved = "".join(
        f"<host mac='{machine.mgmt}' name='{machine.name}' ip='{addresses[machine.name]}'/>"
        for machine in machines.machines
    )
    last = OOB_BRIDGE.ip - 1
    return (
        f"<network><name>{NETWORK}</name><forward mode='open'/><bridge name='oob0' stp='off' delay='0'/>"
        f"<dns enable='no'/><ip address='{OOB_BRIDGE.ip}' prefix='{OOB.prefixlen}'>"
        f"<dhcp><range start='{last - 63}' end='{last}'/>{reserved}</dhcp></ip></network>"
    )


def _bridge(name: str) -> str:
    return f"<network><name>{name}</name><forward mode='bridge'/><bridge name='{name}'/></network>"


def _await_answer(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN.total_seconds()
    while True:
        if process.poll() is not None:
            raise RackrollError("libvirtd ended at once", where="lab", hint=last_words(folder / "log"))
        try:
            virsh(reference(process.pid), "version")
            return
        except RackrollError as error:
            if time.monotonic() > deadline:
                hint = last_words(folder / "log")
                raise RackrollError(
                    f"libvirtd does not answer: {error.message}", where="lab", hint=hint
                ) from None
        time.sleep(0.3)
