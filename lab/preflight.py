"""Refusals before anything is made: not Linux, not root, programs or namespaces missing, addresses taken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lab import netns
from lab.forward import Route, listen
from rollout.errors import RackrollError

PROGRAMS = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "/usr/sbin/sshd": "openssh-server",
    "/usr/sbin/chronyd": "chrony",
    "/usr/lib/frr/bgpd": "frr",
    "/usr/lib/frr/frr-reload.py": "frr-pythontools",
    "vtysh": "frr",
    "nft": "nftables",
    "sysctl": "procps",
}
"""Program to its Debian package."""

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def check_machine() -> None:
    """Raises RackrollError when this machine cannot hold a lab."""
    if sys.platform != "linux":
        hint = "use a Linux machine or virtual machine, or the simulated cluster alone"
        raise RackrollError(f"the lab needs Linux, this is {sys.platform}", where="lab", hint=hint)
    if os.geteuid() != 0:
        raise RackrollError("the lab makes network namespaces", where="lab", hint="run it as root (sudo)")
    _check_programs()
    _check_namespaces()


def _check_programs() -> None:
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[name] for name in missing}))
        hint = f"apt-get install --no-install-recommends {packages}"
        raise RackrollError(f"missing programs: {', '.join(missing)}", where="lab", hint=hint)


def _check_namespaces() -> None:
    argv = [
        "unshare",
        "--mount",
        "--net",
        "--uts",
        "--pid",
        "--ipc",
        "--fork",
        "mount",
        "-t",
        "tmpfs",
        "t",
        "/mnt",
    ]
    tried = subprocess.run(argv, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        hint = "in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN (docker: --privileged)"
        message = f"namespaces cannot be made here: {tried.stderr.strip()[-300:]}"
        raise RackrollError(message, where="lab", hint=hint)


def check_free(names: Iterable[str], routes: Iterable[Route]) -> None:
    """Raises RackrollError when somebody else has our namespaces' names or our loopback addresses."""
    taken = netns.existing(names)
    if taken:
        hint = f"no lab owns it: `ip netns del {taken[0]}`, or rename the site"
        raise RackrollError(f"namespace {taken[0]} exists already", where="lab", hint=hint)
    for route in routes:
        _check_address(route)


def _check_address(route: Route) -> None:
    try:
        listen(route).close()
    except OSError as error:
        hint = (
            "see who listens with `ss -ltnp`; if it is the machine's sshd, set another ssh port in site.yaml"
        )
        where = f"{route.listen}:{route.port}"
        raise RackrollError(f"cannot listen: {error.strerror}", where=where, hint=hint) from error


_COVERED = (Path("/tmp"), Path("/run"))  # noqa: S108
"""Where a lab host has an empty folder of its own."""


def folders_hidden(wanted: Iterable[Path]) -> tuple[str, ...]:
    """Those that a host would not see: on another file system than ``/``, or below a folder of its own."""
    return tuple(str(path) for path in wanted if path.is_dir() and _is_hidden(path))


def _is_hidden(path: Path) -> bool:
    covered = any(path.resolve().is_relative_to(folder) for folder in _COVERED)
    return covered or path.stat().st_dev != Path("/").stat().st_dev
