"""The engine's :class:`rollout.engine.ports.Switches` for one site."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from roles.tor.intent import intended
from rollout.adapters.switches import answers
from rollout.adapters.switches.frr import Frr
from rollout.adapters.switches.reload import checked
from rollout.adapters.switches.session import Session
from rollout.engine.ports import PeerState, SwitchChange
from rollout.model.site import Address, Site, Switch

_SAMPLE_TIMEOUT = timedelta(seconds=5)


class SshSwitches:
    """Two sessions a switch: one to configure, one to observe, so that sampling a RIB never waits for an apply.

    ``session`` makes them; tests pass a fake. Sessions open on first use; ``close`` ends them.
    """

    def __init__(self, site: Site, session: Callable[[Switch], Session] = Session) -> None:
        self._site = site
        self._session = session
        self._open: dict[tuple[str, str], Session] = {}
        self._lock = Lock()

    def diff(self, switch: Switch) -> SwitchChange:
        return SwitchChange(switch.name, self._driver(switch).diff(intended(self._site, switch)))

    def apply(self, switch: Switch) -> SwitchChange:
        return SwitchChange(switch.name, self._driver(switch).apply(intended(self._site, switch)))

    def next_hops(self, switch: Switch, vip: Address) -> frozenset[Address]:
        """Every next-hop of the VIP's host route that the switch forwards by, other racks' (via the spine) included.

        Intersect with the rack's ``fabric_address`` values to know which of its nodes serve.
        """
        command = f"show bgp ipv{vip.version} unicast {vip}/{vip.max_prefixlen} json"
        return answers.next_hops(self._vtysh(switch, command), vip)

    def peers(self, switch: Switch) -> tuple[PeerState, ...]:
        nodes = self._site.rack(switch.rack).nodes
        watched = frozenset(node.fabric_address for node in nodes if node.gateway and self._site.bgp.bfd)
        summary = self._vtysh(switch, "show bgp summary json")
        return answers.peers(summary, self._vtysh(switch, "show bfd peers json"), watched)

    def close(self) -> None:
        with self._lock:
            sessions, self._open = tuple(self._open.values()), {}
        for session in sessions:
            session.close()

    def _driver(self, switch: Switch) -> Frr:
        return Frr(switch.name, self._session_for(switch, "configure"))

    def _vtysh(self, switch: Switch, command: str) -> str:
        answer = self._session_for(switch, "observe").ask(f"vtysh -c '{command}'", _SAMPLE_TIMEOUT)
        return checked(answer, f"`{command}`", switch.name)

    def _session_for(self, switch: Switch, use: str) -> Session:
        with self._lock:
            return self._open.setdefault((switch.name, use), self._session(switch))
