"""What signers say, carried to the simulated API: Linkerd's events, and istiod's roots in every namespace.

Upstream's signers write there themselves; those of the lab have no way to the API, so their kubelet does it for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from lab.kube.collection import Event, EventType
from lab.kube.errors import ApiError
from lab.kube.objects import Obj, is_terminating, lookup, name_of, timestamp, uid_of
from lab.kube.resource import CONFIG_MAPS, EVENTS, NAMESPACES, PODS
from lab.kube.store import Store
from lab.pace import paced

_log = logging.getLogger(__name__)
ROOTS, KEY = "istio-ca-root-cert", "root-cert.pem"
_PAUSE = 0.1
"""Seconds before what somebody else wrote is written over, as a controller's queue would wait."""
_LABELS = {"istio.io/config": "true"}


class Spoken:
    """One per store, and in its event loop. The roots of the istiod that spoke last are everybody's, while it lives."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._roots: dict[str, str] = {}
        self._due = False
        store.subscribe(NAMESPACES, self._moved)
        store.subscribe(CONFIG_MAPS, self._moved)
        store.subscribe(PODS, self._gone)

    def hear(self, pod: Obj, word: Mapping[str, Any]) -> None:
        match word:
            case {"roots": str(pem)}:
                self._roots.pop(uid_of(pod), None)
                self._roots[uid_of(pod)] = pem
                self._publish()
            case {"event": {"type": kind, "reason": reason, "message": message}}:
                self._event(pod, kind, reason, message)
            case _:
                _log.warning("%s said something unknown: %s", name_of(pod), sorted(word))

    def _moved(self, event: Event) -> None:
        """Only a note: nothing may be written while something is being stored."""
        ours = event.object["kind"] == "Namespace" or name_of(event.object) == ROOTS
        if self._roots and ours and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(paced(_PAUSE), self._publish)

    def _gone(self, event: Event) -> None:
        """An istiod that is no more insists on nothing: another node's may have been told something newer."""
        if event.type is EventType.DELETED:
            self._roots.pop(uid_of(event.object), None)

    def _publish(self) -> None:
        """istiod's namespace controller: the roots in every namespace, for proxies that know nothing yet."""
        self._due = False
        if not self._roots:
            return
        for space in self._store.list(NAMESPACES):
            if is_terminating(space):
                continue
            try:
                self._write(name_of(space))
            except ApiError as error:
                _log.warning("%s of %s: %s", ROOTS, name_of(space), error)

    def _write(self, namespace: str) -> None:
        data = {KEY: next(reversed(self._roots.values()))}
        live = self._store.get(CONFIG_MAPS, namespace, ROOTS)
        if live is None:
            meta = {"name": ROOTS, "namespace": namespace, "labels": _LABELS}
            self._store.create(CONFIG_MAPS, {"metadata": meta, "data": data})
        elif live.get("data") != data:
            self._store.update(CONFIG_MAPS, {**live, "data": data})

    def _event(self, pod: Obj, kind: str, reason: str, message: str) -> None:
        """About the Deployment, as Linkerd's recorder has it."""
        namespace = pod["metadata"]["namespace"]
        owner = _deployment(pod)
        now = timestamp(self._store.clock.now())
        body = {
            "metadata": {"generateName": f"{owner}.", "namespace": namespace},
            "involvedObject": {
                "kind": "Deployment",
                "apiVersion": "apps/v1",
                "name": owner,
                "namespace": namespace,
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": owner},
            "reportingComponent": owner,
            "reportingInstance": name_of(pod),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            self._store.create(EVENTS, body)
        except ApiError as error:
            _log.warning("event %s of %s: %s", reason, owner, error)


def _deployment(pod: Obj) -> str:
    """The owner's name without the ReplicaSet's hash."""
    owners = lookup(pod, "metadata", "ownerReferences") or [{"name": name_of(pod)}]
    name = str(owners[0]["name"])
    return name.rpartition("-")[0] or name
