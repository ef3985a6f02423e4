"""Autoscalers keep a Deployment between minReplicas and maxReplicas. Load is not measured: nothing scales beyond.

A real controller does the same where metrics are missing. Without it a chart that leaves ``replicas`` to its
autoscaler would run one pod, which its own PodDisruptionBudget then never lets go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.kube.collection import Event
from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.objects import Obj, is_terminating, name_of, namespace_of, spec_of
from lab.kube.resource import AUTOSCALERS, DEPLOYMENTS, Resource
from lab.kube.store import Store


class Autoscalers:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {AUTOSCALERS: own_key, DEPLOYMENTS: self._scalers_of}

    def _scalers_of(self, event: Event) -> Iterable[Key]:
        space, name = namespace_of(event.object) or "", name_of(event.object)
        for scaler in self._store.list(AUTOSCALERS, space):
            if _target(scaler) == name:
                yield space, name_of(scaler)

    def reconcile(self, key: Key) -> float | None:
        scaler = self._store.get(AUTOSCALERS, *key)
        target = None if scaler is None or is_terminating(scaler) else _target(scaler)
        deployment = self._store.get(DEPLOYMENTS, key[0], target) if target else None
        if scaler is None or deployment is None or is_terminating(deployment):
            return None
        has = spec_of(deployment).get("replicas", 1)
        wanted = min(max(has, spec_of(scaler).get("minReplicas", 1)), spec_of(scaler)["maxReplicas"])
        if has and wanted != has:
            self._store.patch(DEPLOYMENTS, key[0], name_of(deployment), {"spec": {"replicas": wanted}})
        return None


def _target(scaler: Obj) -> str | None:
    """A Deployment's name; other kinds are left alone."""
    ref = spec_of(scaler).get("scaleTargetRef") or {}
    return ref.get("name") if ref.get("kind") == "Deployment" else None
