"""Kernel settings that are known to hurt are refused with the reason, not applied with a warning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rollout.site.problem import FieldPath, Problem
from rollout.site.schema import SiteFile

NODE_PORTS = range(30000, 32768)
"""kube-apiserver's default --service-node-port-range."""

_EPHEMERAL = "net.ipv4.ip_local_port_range"
_RESERVED = "net.ipv4.ip_local_reserved_ports"
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?\Z", re.ASCII)


def _field(key: str) -> FieldPath:
    return ("kernel", "sysctls", key)


def has_no_tw_recycle(file: SiteFile, _: Path) -> Iterator[Problem]:
    for key, _value in file.kernel.sysctls:
        if key.endswith("tcp_tw_recycle"):
            what = (
                "is refused: it drops connections of clients behind one NAT, whose timestamps differ, "
                "and Linux removed it in 4.12"
            )
            yield Problem(_field(key), what, "net.ipv4.tcp_tw_reuse: 1 instead")


def keeps_node_ports_out_of_reach(file: SiteFile, _: Path) -> Iterator[Problem]:
    """An outgoing connection that got a NodePort's number blocks that NodePort on that node, now and then."""
    settings = dict(file.kernel.sysctls)
    ephemeral, reserved = _ephemeral(settings.get(_EPHEMERAL)), _reserved(settings.get(_RESERVED, ""))
    if ephemeral is None:
        yield Problem(
            _field(_EPHEMERAL), f"is '{settings[_EPHEMERAL]}'", "two ports, low then high: 1024 65535"
        )
    elif reserved is None:
        yield Problem(
            _field(_RESERVED), f"is '{settings[_RESERVED]}'", "ports and ranges such as 30000-32767"
        )
    elif exposed := set(NODE_PORTS) & set(ephemeral) - reserved:
        what = f"hands out {min(exposed)}-{max(exposed)}, which are NodePorts, to outgoing connections"
        yield Problem(_field(_EPHEMERAL), what, f"{_RESERVED}: 30000-32767 beside it")


def _ephemeral(value: str | None) -> range | None:
    """The range, empty where the kernel's default stays (32768-60999 holds no NodePort); None if malformed."""
    if value is None:
        return range(0)
    found = re.fullmatch(r"([0-9]{1,5}) ([0-9]{1,5})", value)
    if found is None or not 1 <= int(found[1]) < int(found[2]) <= 65535:
        return None
    return range(int(found[1]), int(found[2]) + 1)


def _reserved(value: str) -> set[int] | None:
    ports: set[int] = set()
    for part in filter(None, value.split(",")):
        found = _PORTS.match(part.strip())
        if found is None:
            return None
        ports.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    return ports
