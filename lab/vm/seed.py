"""What makes a box this machine: one tar, unpacked over its root at its first boot.

The same files that a namespace host of the lab starts from, plus what only a kernel of one's own needs: names for its
interfaces, their addresses, and a chronyd that may really set the clock.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import pace
from lab.host import sysctls
from lab.state import Role
from lab.topology import RACK_PREFIX_LENGTH, LabHost, Topology
from lab.vm.machines import Machine

_NOT_HERE = ("etc/default/chrony",)
"""A namespace host's chronyd has -x, because the clock is the machine's; here it is its own."""

_QUIET = "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"
_NOT_AWAITED = "[Link]\nRequiredForOnline=no\n"


@dataclass(frozen=True, slots=True)
class Shown:
    """A folder of the lab host that a machine mounts at ``inside`` with ``options``, over virtiofs."""

    folder: Path
    inside: Path
    options: str

    @property
    def tag(self) -> str:
        """As vagrant-libvirt names it: the MD5 of the folder's path, one digit short."""
        return hashlib.md5(str(self.folder).encode(), usedforsecurity=False).hexdigest()[:31]


@dataclass(frozen=True, slots=True)
class Seed:
    topology: Topology
    host: LabHost
    machine: Machine
    shown: tuple[Shown, ...] = ()
    slowness: float = 1.0


def write_seed(path: Path, boot: Path, seed: Seed) -> None:
    """``boot``: the folder of host files that :mod:`lab.host.boot` laid out. Readable by root only: it holds a key."""
    texts = {
        str(file.relative_to(boot)): file.read_text() for file in sorted(boot.rglob("*")) if file.is_file()
    }
    for name in _NOT_HERE:
        texts.pop(name, None)
    path.touch(mode=0o600)
    with tarfile.open(path, "w") as tar:
        for name, text in (texts | dict(_own(seed))).items():
            tar.addfile(_entry(name, text), io.BytesIO(text.encode()))


def _entry(name: str, text: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    entry.mode = 0o600 if name.endswith("_key") else 0o644
    return entry


def _own(seed: Seed) -> Iterator[tuple[str, str]]:
    topology, host, machine = seed.topology, seed.host, seed.machine
    if seed.shown:
        lines = (f"{one.tag} {one.inside} {one.options}\n" for one in seed.shown)
        yield "etc/rackroll/shares", "".join(lines)
        yield "etc/rackroll/agent.env", f"{pace.NAME}={seed.slowness:g}\n"
    yield from _links(machine)
    yield from _networks(topology, host, machine)
    lines = (f"{key} = {value}\n" for key, value in sysctls.real(host.role).items())
    yield "etc/sysctl.d/10-lab.conf", "".join(lines)
    yield "etc/frr/daemons", _daemons(host.role)
    if host.role is Role.TOR:
        server = topology.with_role(Role.TIME)[0].oob_address
        yield "etc/chrony/chrony.conf", f"server {server} iburst\nmakestep 1 -1\nrtcsync\n"


def _links(machine: Machine) -> Iterator[tuple[str, str]]:
    names: Mapping[str, str] = {"mgmt0": machine.mgmt, **{port.name: port.mac for port in machine.ports}}
    for name, mac in names.items():
        yield f"etc/systemd/network/10-{name}.link", f"[Match]\nMACAddress={mac}\n[Link]\nName={name}\n"


def _networks(topology: Topology, host: LabHost, machine: Machine) -> Iterator[tuple[str, str]]:
    """Out of band by DHCP, with an address that is reserved: Vagrant finds a machine by its lease."""
    lease = "[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\nUseNTP=no\nUseRoutes=no\nUseHostname=no\n"
    yield _network("mgmt0", f"[Network]\nDHCP=ipv4\n{_QUIET}{lease}")
    address = f"Address={host.fabric_address}/{RACK_PREFIX_LENGTH}\n"
    if host.role is Role.NODE:
        yield _network("fab0", f"[Network]\n{address}Gateway={host.gateway}\n{_QUIET}{_NOT_AWAITED}")
        return
    yield (
        "etc/modules-load.d/lab.conf",
        "bridge\n",
    )  # networkd itself would not wait for a module that loads slowly
    bridge = "[NetDev]\nName=rack0\nKind=bridge\n[Bridge]\nSTP=no\nMulticastSnooping=no\n"
    yield "etc/systemd/network/10-rack0.netdev", bridge
    yield _network("rack0", f"[Network]\n{address}ConfigureWithoutCarrier=yes\n{_QUIET}{_NOT_AWAITED}")
    uplink = next(uplink for uplink in topology.uplinks if uplink.tor == host.name)
    yield _network("up0", f"[Network]\nAddress={uplink.tor_address}/31\n{_QUIET}{_NOT_AWAITED}")
    for port in machine.ports:
        if port.name.startswith("swp"):
            yield _network(port.name, f"[Network]\nBridge=rack0\n{_NOT_AWAITED}")


def _network(name: str, text: str) -> tuple[str, str]:
    return f"etc/systemd/network/20-{name}.network", f"[Match]\nName={name}\n{text}"


def _daemons(role: Role) -> str:
    """Debian's defaults where nothing is said; the profile is the one the lab's own FRR hosts run with."""
    profile = "traditional" if role is Role.NODE else "datacenter"
    return (
        "bgpd=yes\nbfdd=yes\nvtysh_enable=yes\n"
        f'frr_profile="{profile}"\n'
        'zebra_options="  -A 127.0.0.1 -s 90000000"\nbgpd_options="   -A 127.0.0.1"\n'
        'bfdd_options="   -A 127.0.0.1"\nwatchfrr_options="-t 300 -i 30 -T 300 -o 300"\n'
    )
