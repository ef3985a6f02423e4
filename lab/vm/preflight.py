"""Refusals before anything is made: what the virtual-machine lab needs beyond the embedded lab."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import preflight
from rollout.errors import RackrollError

PROGRAMS = {
    "vagrant": "vagrant",
    "virsh": "libvirt-clients",
    "/usr/sbin/libvirtd": "libvirt-daemon",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "dnsmasq": "dnsmasq-base",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
}
"""Program to its Debian package."""

PACKAGES = ("vagrant-libvirt", "libvirt-daemon-driver-qemu", *PROGRAMS.values())
VIRTIOFSD = (Path("/usr/lib/qemu/virtiofsd"), Path("/usr/libexec/virtiofsd"))
"""Part of QEMU's package in Debian 12, one of its own (virtiofsd) after it; libvirt knows both places."""

ROOM = 7 * 1024**3
"""Bytes: six disks that grow to some 300 MB, the box, Vagrant's copy of it, the build, and the machines' code."""

DEVICE = Path("/dev/net/tun")
SETTINGS = Path("/etc/libvirt")
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def check_machine(folder: Path) -> None:
    """Raises RackrollError with the whole list of what is missing."""
    preflight.check_machine()
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    missing += [] if any(map(Path.exists, VIRTIOFSD)) else ["virtiofsd"]
    if missing:
        hint = f"scripts/os-packages {' '.join(PACKAGES)}"
        raise RackrollError(f"missing programs: {', '.join(missing)}", where="lab", hint=hint)
    if not SETTINGS.is_dir():
        message = f"there is no {SETTINGS} for the lab to put its own in front of"
        raise RackrollError(message, where="lab", hint="scripts/os-packages libvirt-clients")
    if not DEVICE.exists():
        hint = "load it (`modprobe tun`), or give the container /dev/net/tun"
        raise RackrollError(f"there is no {DEVICE}", where="lab", hint=hint)
    if os.environ.get("LAB_BOX"):
        hint = "unset it; for the bare machines alone run `vagrant up` in vagrant/ (see its README)"
        raise RackrollError("LAB_BOX is set, and this lab takes our own box only", where="lab", hint=hint)
    if folder.resolve().is_relative_to("/var"):
        hint = "put it elsewhere: the lab's libvirtd has a /var of its own on top of the machine's"
        raise RackrollError("the site's folder is below /var", where=str(folder), hint=hint)


def check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        hint = f"free some, or put the site elsewhere (-i); the lab wants {ROOM / 1024**3:.0f} GB"
        raise RackrollError(f"{free / 1024**3:.1f} GB are free", where=str(folder), hint=hint)


def native() -> bool:
    """Whether the machines will run on the processor itself; the Vagrantfile asks the same."""
    flags = Path("/proc/cpuinfo").read_text()
    return os.access("/dev/kvm", os.W_OK) and (" vmx " in flags or " svm " in flags)
