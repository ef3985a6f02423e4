"""ControllerRevisions: every template that a DaemonSet or StatefulSet ever had, by its hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kube.controllers.templates import template_hash
from lab.kube.objects import Obj, labels_of, name_of, namespace_of, owner_reference, spec_of, uid_of
from lab.kube.resource import CONTROLLER_REVISIONS
from lab.kube.store import Store

HASH = "controller-revision-hash"


def record(store: Store, owner: Obj) -> str:
    """The hash of the owner's current template, which is kept."""
    template = spec_of(owner)["template"]
    mark = template_hash(template)
    name = f"{name_of(owner)}-{mark}"
    where = namespace_of(owner)
    if store.get(CONTROLLER_REVISIONS, where, name) is not None:
        return mark
    numbers = (
        int(one.get("revision", 0))
        for ref in store.owners.dependents(uid_of(owner))
        if ref.resource == CONTROLLER_REVISIONS
        and (one := store.get(CONTROLLER_REVISIONS, ref.namespace, ref.name)) is not None
    )
    meta = {
        "name": name,
        "namespace": where,
        "labels": {**labels_of({"metadata": template.get("metadata") or {}}), HASH: mark},
        "ownerReferences": [owner_reference(owner)],
    }
    data = {"spec": {"template": template}}
    store.create(
        CONTROLLER_REVISIONS, {"metadata": meta, "data": data, "revision": max(numbers, default=0) + 1}
    )
    return mark


def template(store: Store, owner: Obj, mark: str) -> Mapping[str, Any]:
    """The template that had this hash."""
    kept = store.require(CONTROLLER_REVISIONS, namespace_of(owner), f"{name_of(owner)}-{mark}")
    found: Mapping[str, Any] = kept["data"]["spec"]["template"]
    return found
