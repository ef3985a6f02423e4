"""The files a lab host starts from: what is copied over its root, and what process 1 runs. Pure text.

Everything is written to the host's share folder by :func:`write`; ``init.sh`` copies ``boot/`` over the
host's root, so no file of the machine itself is ever changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.fabric import frr
from lab.host import sysctls
from lab.state import Role
from lab.topology import OOB, LabHost, Topology


@dataclass(frozen=True, slots=True)
class HostKeys:
    """OpenSSH texts: the host's own private key, and the one client key that may log in."""

    private: str
    authorized: str


def write(topology: Topology, host: LabHost, keys: HostKeys, share: Path) -> None:
    """Lay out the share folder of one host: ``boot/``, ``start.sh``, sysctl lists and the mount point."""
    for name, text in files(topology, host, keys).items():
        target = share / "boot" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o600 if name.endswith("_key") else 0o644)
    (share / "root").mkdir(exist_ok=True)
    (share / "start.sh").write_text(start_script(host))
    real = sysctls.real(host.role).items()
    (share / "sysctl.real").write_text(_lines(f"{sysctls.path(key)} {value}" for key, value in real))
    simulated = sysctls.SIMULATED_KEYS
    (share / "sysctl.simulated").write_text(_lines(f"{sysctls.path(key)} {key}" for key in simulated))


def files(topology: Topology, host: LabHost, keys: HostKeys) -> Mapping[str, str]:
    """Path below the host's root, and its text."""
    common = {
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": _hosts(topology),
        "etc/resolv.conf": "",
        "etc/ssh/sshd_config": _sshd_config(host),
        "etc/ssh/lab_host_ed25519_key": keys.private,
        "etc/ssh/lab_authorized_keys": keys.authorized,
        "root/.profile": "",
        "root/.bashrc": "",
    }
    return {**common, **_clock_files(host), **(_frr_files(topology, host) if _routes(host) else {})}


def start_script(host: LabHost) -> str:
    """What process 1 does: start the services at once, say so, then only reap (dash's ``wait`` does)."""
    services = ["/usr/sbin/sshd -E /run/lab/log/sshd.log"]
    services += ["/etc/init.d/chrony start"] if _has_clock(host) else []
    services += [_frr_start(host)] if _routes(host) else []
    lines = ["#!/bin/sh", "cd /", "exec > /run/lab/log/start.log 2>&1", "trap '' HUP INT TERM"]
    lines += [f"{service} &" for service in services]
    lines += ["wait", "touch /run/lab/started", "while :; do", "    sleep 86400 &", "    wait", "done"]
    return _lines(lines)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _routes(host: LabHost) -> bool:
    return host.role in frr.SPEAKERS


def _has_clock(host: LabHost) -> bool:
    return host.role in (Role.NODE, Role.TIME)


def _hosts(topology: Topology) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{host.fabric_address or host.oob_address} {host.name}" for host in topology.hosts]
    return _lines(lines)


def _sshd_config(host: LabHost) -> str:
    """sshd listens out of band only: a VIP on the fabric never meets it."""
    return _lines(
        (
            f"ListenAddress {host.oob_address}",
            "HostKey /etc/ssh/lab_host_ed25519_key",
            "AuthorizedKeysFile /etc/ssh/lab_authorized_keys",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "UseDNS no",
            "PrintMotd no",
            "X11Forwarding no",
            "MaxStartups 200",
            "MaxSessions 200",
            "PidFile /run/sshd.pid",
            "Subsystem sftp internal-sftp",
        )
    )


def _clock_files(host: LabHost) -> Mapping[str, str]:
    """``-x``: no host ever steers the machine's clock. A node's chrony.conf is Debian's without a source."""
    if not _has_clock(host):
        return {}
    serve = ("local stratum 3", f"allow {OOB}", "cmdport 0") if host.role is Role.TIME else ()
    bare = (
        "confdir /etc/chrony/conf.d",
        "sourcedir /etc/chrony/sources.d",
        "driftfile /var/lib/chrony/chrony.drift",
        "logdir /var/log/chrony",
        "maxupdateskew 100.0",
    )
    return {"etc/chrony/chrony.conf": _lines((*bare, *serve)), "etc/default/chrony": 'DAEMON_OPTS="-x"\n'}


def _frr_files(topology: Topology, host: LabHost) -> Mapping[str, str]:
    return {
        "etc/frr/frr.conf": frr.config(topology, host),
        "etc/frr/daemons": frr.daemons(),
        "etc/frr/vtysh.conf": "service integrated-vtysh-config\n",
    }


def _frr_start(host: LabHost) -> str:
    """A higher priority than the load: a switch's control plane has a processor of its own."""
    flags = f"-d -F {frr.profile(host.role)} -A 127.0.0.1"
    log = "--log file:/run/lab/log/frr.log --log-level informational"
    starts = [f"nice -n -10 /usr/lib/frr/{name} {flags} {log}" for name in frr.DAEMONS]
    prepare = "mkdir -p /run/frr && chown frr:frr /run/frr && chown -R frr:frr /etc/frr"
    return "( " + " && ".join([prepare, *starts, "vtysh -b"]) + " )"
