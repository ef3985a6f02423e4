"""Which sysctls of a lab host are its own, and which are imitated by a file of its own.

A network namespace has its own copy of most ``net.*`` keys. The rest exist once per machine: writing them
from a lab host would change the machine, so the host sees a regular file there. ``sysctl -w`` and reading
back work per host, and nothing else happens: these are SIMULATED, and ``lab status`` says so.
"""

from __future__ import annotations

from lab.state import Role

SIMULATED_AREAS = ("vm", "fs")
"""Whole folders below /proc/sys that are copies."""

SIMULATED_KEYS = (
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_expect_max",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.printk",
    "kernel.sysrq",
    "kernel.dmesg_restrict",
    "kernel.kptr_restrict",
    "kernel.core_pattern",
    "kernel.core_uses_pid",
    "kernel.randomize_va_space",
    "kernel.perf_event_paranoid",
    "kernel.unprivileged_bpf_disabled",
    "kernel.yama.ptrace_scope",
)
"""Single keys that are files; one that this kernel does not have is left out."""

_ROUTER = {"net.ipv4.ip_forward": "1", "net.ipv4.fib_multipath_hash_policy": "1"}
_LOOSE = {"net.ipv4.conf.all.rp_filter": "2", "net.ipv4.conf.default.rp_filter": "2"}


def real(role: Role) -> dict[str, str]:
    """What the host starts with in its own network namespace: L4 ECMP hashing, loose reverse path filter."""
    return {**_LOOSE, **(_ROUTER if role in (Role.NODE, Role.TOR, Role.SPINE) else {})}


def path(key: str) -> str:
    """``net.ipv4.ip_forward`` as a path below /proc/sys."""
    return key.replace(".", "/")
