"""FRR's JSON answers as facts. An answer that is not understood is an error, never an empty set.

An empty next-hop set means "no node serves this VIP": the N-1 gate would stop a rollout, or a drain would be
believed complete. So it is only returned for the one answer by which FRR says that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

from rollout.engine.ports import PeerState
from rollout.errors import StepFailed
from rollout.model.site import Address


def next_hops(text: str, vip: Address) -> frozenset[Address]:
    """Next-hops of every path FRR forwards by: the best one and its multipath companions."""
    answer = _object(text, "show bgp")
    if answer == {}:
        return frozenset()
    prefix, paths = answer.get("prefix"), answer.get("paths")
    if prefix is None or ip_network(str(prefix)) != ip_network(vip) or not isinstance(paths, list):
        raise _unknown("show bgp", text)
    return frozenset(hop for path in paths if _forwards(path) for hop in _hops(path, text))


def _forwards(path: dict[str, Any]) -> bool:
    best = path.get("bestpath", {})
    return bool(path.get("valid")) and bool(path.get("multipath") or best.get("overall"))


def _hops(path: dict[str, Any], text: str) -> Iterable[Address]:
    hops = [hop["ip"] for hop in path.get("nexthops", ()) if hop.get("used") and "ip" in hop]
    if not hops:
        raise _unknown("show bgp", text)
    return map(ip_address, hops)


def peers(summary: str, bfd: str, expects_bfd: frozenset[Address]) -> tuple[PeerState, ...]:
    """Every neighbor, ours or not. ``expects_bfd``: addresses whose missing BFD session means down, not unused."""
    sessions = {ip_address(peer["peer"]): peer.get("status") == "up" for peer in _array(bfd)}
    states: dict[Address, bool] = {}
    for family in _object(summary, "show bgp summary").values():
        if not isinstance(family, dict) or not isinstance(family.get("peers"), dict):
            raise _unknown("show bgp summary", summary)
        for name, peer in family["peers"].items():
            address = ip_address(name)
            states[address] = states.get(address, True) and peer.get("state") == "Established"
    return tuple(
        PeerState(address, established, sessions.get(address, False if address in expects_bfd else None))
        for address, established in sorted(states.items(), key=lambda item: (item[0].version, int(item[0])))
    )


def _object(text: str, command: str) -> dict[str, Any]:
    parsed = _json(text, command)
    if not isinstance(parsed, dict) or "warning" in parsed:
        raise _unknown(command, text)
    return parsed


def _array(text: str) -> list[dict[str, Any]]:
    parsed = _json(text, "show bfd peers")
    if not isinstance(parsed, list) or not all(isinstance(peer, dict) and "peer" in peer for peer in parsed):
        raise _unknown("show bfd peers", text)
    return parsed


def _json(text: str, command: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _unknown(command, text) from error


def _unknown(command: str, text: str) -> StepFailed:
    return StepFailed(
        f"`{command}` gave an answer that is not understood: {text.strip()[:200]!r}",
        hint="check on the switch that bgpd and bfdd run; nothing was concluded from this answer",
    )
