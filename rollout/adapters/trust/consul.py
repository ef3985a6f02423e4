"""Consul's trust, handed over by one call to its Connect CA: implements MeshTrust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from pki.bundle import read_pem
from pki.fingerprint import fingerprint
from pki.rotation.sighting import Authority, Sighting
from roles.consul.trust import next_configuration
from rollout.adapters.trust.connect_ca import ConnectCa
from rollout.adapters.trust.home import MeshKeys, spoken
from rollout.adapters.trust.keyed import Keyed
from rollout.adapters.trust.proxies import Parties
from rollout.engine.trust import Declared
from rollout.errors import StepFailed
from rollout.model.rekey import Signer
from rollout.model.trust import TrustWay


@dataclass(frozen=True, slots=True)
class ConsulTrust(Keyed):
    mesh: str
    way: TrustWay
    ca: ConnectCa
    keys: MeshKeys
    proxies: Parties

    def declared(self) -> Declared:
        """The bundle with the active root last, as bundles are extended."""
        listed = self.ca.roots()
        active = str(listed.get("ActiveRootID") or "")
        found = [(str(each.get("ID")) == active, fingerprint(self._root(each))) for each in _roots(listed)]
        published = tuple(name for _, name in sorted(found, key=lambda pair: pair[0]))
        signer = next((Authority(name, name) for signs, name in found if signs), None)
        return Declared(published, signer)

    def sight(self, node: str | None = None) -> Sighting:
        return self.sighting(self.declared(), (), node)

    def hand_over(self, trusts: tuple[int, ...], signer: Signer) -> bool:
        """Consul keeps the old root beside the new one by itself: only ``signer`` is said."""
        del trusts
        with spoken(self.mesh):
            wanted = next_configuration(self.ca.configuration(), self.keys.material(signer))
        self.ca.configure(wanted)
        found = self.declared().signer
        if found != self.keys.authority(signer):
            text = f"Consul took the configuration and signs with {found.anchor[:12] if found else 'nobody'}"
            raise StepFailed(text, where=self.mesh, hint="read the server's log for `connect.ca`")
        return True

    def restart_control_plane(self, stamp: str) -> bool:
        del stamp
        return False

    def control_plane_lacks(self) -> str | None:
        return None

    def _root(self, entry: Mapping[str, Any]) -> x509.Certificate:
        with spoken(self.mesh):
            return read_pem(str(entry.get("RootCert") or ""), f"Consul root {entry.get('ID')}")[0]


def _roots(listed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in listed.get("Roots") or () if isinstance(each, dict)]
