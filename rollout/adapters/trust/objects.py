"""A mesh whose trust is handed over as Kubernetes objects (Istio, Linkerd): implements MeshTrust."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pki.fingerprint import fingerprint
from pki.rotation.sighting import Authority, Copy, Sighting
from pki.stores.secret import for_secret
from roles.handover import ObjectTrust
from rollout.adapters.kube.api import MERGE, KubeApi, Refused, failed
from rollout.adapters.kube.applying import FIELD_MANAGER
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.trust.home import MeshKeys, spoken
from rollout.adapters.trust.keyed import Keyed
from rollout.adapters.trust.proxies import Parties
from rollout.engine.trust import Declared
from rollout.errors import StepFailed
from rollout.model.rekey import Signer
from rollout.model.role import Json
from rollout.model.trust import TrustWay, Workload

STAMP = "rackroll.io/trust"


@dataclass(frozen=True)
class KubeTrust(Keyed):
    """``hand`` is the role's word for the objects; ``keys`` are the site's own."""

    mesh: str
    way: TrustWay
    hand: ObjectTrust
    keys: MeshKeys
    api: Callable[[], KubeApi]
    cluster: KubeCluster
    proxies: Parties

    def declared(self) -> Declared:
        with spoken(self.mesh):
            told = self.hand.told(self._read(self.hand.reads))
        published = tuple(fingerprint(each) for each in told.bundle)
        if told.issuer is None:
            return Declared(published, None)
        found = fingerprint(told.issuer)
        known = next((k.authority for k in self.keys.issuers() if k.authority.issuer == found), None)
        return Declared(published, known or Authority("", found))

    def sight(self, node: str | None = None) -> Sighting:
        declared = self.declared()
        copies = self._copies() if node is None else ()
        return self.sighting(declared, copies, node)

    def hand_over(self, trusts: tuple[int, ...], signer: Signer) -> bool:
        bundle = [self.keys.anchor(number) for number in trusts]
        _, issuer = self.keys.certificates(signer)
        with spoken(self.mesh):
            material = for_secret(self.keys.material(signer), f"{self.mesh}'s Secret")
        self.cluster.apply(self.hand.objects(bundle, issuer, material))
        return True

    def restart_control_plane(self, stamp: str) -> bool:
        made = False
        for workload in self._control_plane():
            if self._stamp(workload) != stamp:
                self._restart(workload, stamp)
                made = True
        return made

    def _restart(self, workload: Workload, stamp: str) -> None:
        """As `kubectl rollout restart` does, with a word of ours that says for which trust. A merge patch: an apply
        would give up every other field of the workload that we may own."""
        body = {"spec": {"template": {"metadata": {"annotations": {STAMP: stamp}}}}}
        query = {"fieldManager": FIELD_MANAGER}
        try:
            self.api().request("PATCH", _path(workload), query=query, body=body, content_type=MERGE)
        except Refused as refused:
            what = f"cannot restart {workload.kind} {workload.namespace}/{workload.name}"
            raise failed(refused, self.api().where, what) from None

    def control_plane_lacks(self) -> str | None:
        for workload in self._control_plane():
            ready, said = self.cluster.deployment_ready(workload.namespace, workload.name)
            if not ready:
                return said
        return None

    def _control_plane(self) -> tuple[Workload, ...]:
        return tuple(found for workload in self.way.control_plane for found in self._named(workload))

    def _named(self, workload: Workload) -> tuple[Workload, ...]:
        """Raises StepFailed where nothing has the labels: then nobody here knows what signs."""
        if not workload.selector:
            return (workload,)
        path = f"{_paths(workload)}?labelSelector={workload.selector}"
        items = (self._object(path) or {}).get("items") or ()
        if not items:
            text = f"there is no {workload.kind} with {workload.selector} in {workload.namespace}"
            raise StepFailed(text, where=self.mesh, hint=f"is {workload.name} installed there?")
        names = sorted(item["metadata"]["name"] for item in items)
        return tuple(replace(workload, name=name, selector="") for name in names)

    def _stamp(self, workload: Workload) -> str:
        found = self._object(_path(workload)) or {}
        template = (found.get("spec") or {}).get("template") or {}
        return str(((template.get("metadata") or {}).get("annotations") or {}).get(STAMP) or "")

    def _copies(self) -> tuple[Copy, ...]:
        with spoken(self.mesh):
            found = self.hand.copies(self._read(self.hand.copies_at))
        return tuple(Copy(c.where, frozenset(fingerprint(each) for each in c.bundle)) for c in found)

    def _read(self, paths: tuple[str, ...]) -> Mapping[str, Json | None]:
        return {path: self._object(path) for path in paths}

    def _object(self, path: str) -> dict[str, Any] | None:
        try:
            return self.api().get(path)
        except Refused as refused:
            if refused.refusal.code == 404:
                return None
            raise failed(refused, self.api().where, f"cannot read {path}") from None


def _paths(workload: Workload) -> str:
    return f"/apis/apps/v1/namespaces/{workload.namespace}/{workload.kind.lower()}s"


def _path(workload: Workload) -> str:
    return f"{_paths(workload)}/{workload.name}"
