"""Which kernel profiles are legal, how they are written down, and how a host differs from one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.errors import SiteInvalid
from rollout.model.site import KernelProfile

SYSCTL_FILE = "/etc/sysctl.d/99-rackroll.conf"
MODULES_FILE = "/etc/modules-load.d/rackroll.conf"
NODE_PORTS = (30000, 32767)
"""Kubernetes' default NodePort range; since kube-proxy stopped binding these the kernel may hand them out."""

_PORTS = "net.ipv4.ip_local_port_range"
_RESERVED = "net.ipv4.ip_local_reserved_ports"
_AT_LEAST = frozenset({"net.netfilter.nf_conntrack_max"})
"""Another writer may raise these live and we must not fight it: kube-proxy raises conntrack, never lowers it."""

_KEY = re.compile(r"^[a-z0-9_-]+([./][A-Za-z0-9_@:-]+)+$")
_BRINGS = {"net.netfilter.nf_conntrack": "nf_conntrack", "net.ipv4.vs.": "ip_vs"}
"""Keys, and the module that they are of."""

_FORBIDDEN = {
    "net.ipv4.tcp_tw_recycle": "it broke clients behind NAT and was removed in Linux 4.12; use net.ipv4.tcp_tw_reuse",
}


@dataclass(frozen=True, slots=True)
class Drift:
    """One key that is not as wanted. ``got`` None: cannot be read. ``where`` is ``live`` or the file that wins."""

    key: str
    wanted: str
    got: str | None
    where: str

    def __str__(self) -> str:
        got = "nothing" if self.got is None else repr(self.got)
        return f"{self.key} ({self.where}): wanted {self.wanted!r}, got {got}"


def checked(profile: KernelProfile) -> KernelProfile:
    """The profile in canonical form. Raises ``SiteInvalid`` for what must never reach a host."""
    values = {key: canonical(key, value) for key, value in profile.sysctls}
    if len(values) != len(profile.sysctls):
        raise _invalid("a sysctl is named twice", "keep one line for each key")
    for key in values:
        if not _KEY.match(key):
            raise _invalid(
                f"{key!r} is no sysctl name", "write it as in `sysctl -a`, for example net.core.somaxconn"
            )
        if key in _FORBIDDEN:
            raise _invalid(f"{key} is refused: {_FORBIDDEN[key]}", f"remove {key} from the site's sysctls")
    _require_node_ports_reserved(values)
    return KernelProfile(tuple(values.items()))


def canonical(key: str, value: str) -> str:
    """As the kernel prints it: whitespace single, port lists sorted and merged."""
    text = " ".join(str(value).split())
    if key == _RESERVED:
        return ",".join(f"{a}-{b}" if a != b else f"{a}" for a, b in _merged(_port_ranges(text)))
    return text


def render(profile: KernelProfile) -> str:
    lines = (f"{key} = {value}" for key, value in profile.sysctls)
    return "\n".join(("# Written by rackroll from the site file; local changes are overwritten.", *lines, ""))


def modules(profile: KernelProfile) -> tuple[str, ...]:
    """Some keys exist only once a module is loaded; at boot that must come before sysctl.d is read."""
    return tuple(
        module
        for prefix, module in _BRINGS.items()
        if any(key.startswith(prefix) for key, _ in profile.sysctls)
    )


def live_drift(profile: KernelProfile, live: Mapping[str, str]) -> Iterator[Drift]:
    for key, wanted in profile.sysctls:
        got = canonical(key, live[key]) if key in live else None
        if got != wanted and not (key in _AT_LEAST and _exceeds(got, wanted)):
            yield Drift(key, wanted, got, "live")


def persisted_drift(profile: KernelProfile, files: Mapping[str, Mapping[str, str]]) -> Iterator[Drift]:
    """What a boot would leave. ``files`` in the order in which they are read: the last one to name a key wins."""
    winners = {
        _dotted(key): (value, path) for path, entries in files.items() for key, value in entries.items()
    }
    for key, wanted in profile.sysctls:
        value, path = winners.get(key, (None, SYSCTL_FILE))
        if value is None or canonical(key, value) != wanted:
            yield Drift(key, wanted, value, path)


def boot_order(files: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """``sysctl --system``'s order: by file name, an earlier directory hides the same name; /etc/sysctl.conf last."""
    directories = (
        "/etc/sysctl.d",
        "/run/sysctl.d",
        "/usr/local/lib/sysctl.d",
        "/usr/lib/sysctl.d",
        "/lib/sysctl.d",
    )
    chosen: dict[str, str] = {}
    for directory in directories:
        for path in files:
            folder, _, name = path.rpartition("/")
            if folder == directory:
                chosen.setdefault(name, path)
    ordered = [chosen[name] for name in sorted(chosen)]
    return {path: files[path] for path in (*ordered, "/etc/sysctl.conf") if path in files}


def _require_node_ports_reserved(values: Mapping[str, str]) -> None:
    if _PORTS not in values:
        return
    low, high = _bounds(values[_PORTS])
    overlap = (max(low, NODE_PORTS[0]), min(high, NODE_PORTS[1]))
    reserved = _merged(_port_ranges(values.get(_RESERVED, "")))
    if overlap[0] <= overlap[1] and not any(a <= overlap[0] and overlap[1] <= b for a, b in reserved):
        raise _invalid(
            f"{_PORTS} {low}-{high} overlaps the NodePorts {NODE_PORTS[0]}-{NODE_PORTS[1]}: "
            "an outgoing connection may take a NodePort and that service goes dark",
            f"add {_RESERVED}: {NODE_PORTS[0]}-{NODE_PORTS[1]}",
        )


def _bounds(value: str) -> tuple[int, int]:
    words = value.split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise _invalid(f"{_PORTS} {value!r} is not two port numbers", 'write it as "1024 65535"')
    return int(words[0]), int(words[1])


def _port_ranges(value: str) -> list[tuple[int, int]]:
    ranges = []
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        low, _, high = part.partition("-")
        if not (low.isdigit() and (high or low).isdigit()):
            raise _invalid(f"{_RESERVED} {value!r} is not a list of ports", "write it as 30000-32767,9100")
        ranges.append((int(low), int(high or low)))
    return ranges


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged


def _exceeds(got: str | None, wanted: str) -> bool:
    return got is not None and got.isdigit() and wanted.isdigit() and int(got) >= int(wanted)


def _dotted(key: str) -> str:
    key = key.removeprefix("-")
    return key.replace("/", ".") if "/" in key else key


def _invalid(message: str, hint: str) -> SiteInvalid:
    return SiteInvalid(message, where="kernel.sysctls", hint=hint)
