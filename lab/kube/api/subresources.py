"""What hangs below an object: eviction, binding, scale, tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lab.kube import deletion
from lab.kube.access import Access
from lab.kube.api.request import Query, Target, mapping
from lab.kube.api.writing import Writer, options_of
from lab.kube.controllers.budgets import check_eviction
from lab.kube.errors import BadRequest, Conflict, invalid
from lab.kube.objects import (
    Obj,
    lookup,
    merged,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    timestamp,
    with_condition,
    with_value,
)
from lab.kube.resource import PODS
from lab.kube.store import Store

SUCCESS: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def evict(store: Store, where: Target, body: Any, query: Query) -> Obj:
    """Delete the pod if every PodDisruptionBudget over it allows; TooManyRequests while one does not."""
    pod = store.require(PODS, where.namespace, where.name)
    eviction = mapping(body, "an Eviction")
    if lookup(eviction, "metadata", "name") != where.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    options = options_of(eviction.get("deleteOptions"), {})
    deletion.check_preconditions(PODS, pod, options)
    check_eviction(store, pod)
    if not (query.dry or lookup(eviction, "deleteOptions", "dryRun")):
        _say_why(store, pod)
        store.delete(PODS, where.namespace, where.name, replace(options, version=None))
    return SUCCESS


def _say_why(store: Store, pod: Obj) -> None:
    told = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": timestamp(store.clock.now()),
    }
    conditions = with_condition(status_of(pod).get("conditions") or (), told)
    store.patch_status(PODS, namespace_of(pod), name_of(pod), {"conditions": conditions})


def bind(store: Store, where: Target, body: Any) -> Obj:
    """What the scheduler posts: the pod goes to that node, once."""
    pod = store.require(PODS, where.namespace, where.name)
    node = lookup(mapping(body, "a Binding"), "target", "name")
    if not node:
        raise BadRequest("target.name is required")
    if spec_of(pod).get("nodeName"):
        raise Conflict(f"pod {where.name} is already assigned to node {spec_of(pod)['nodeName']!r}")
    store.update(PODS, with_value(pod, ("spec", "nodeName"), node))
    return SUCCESS


def scale_of(obj: Obj) -> Obj:
    """The ``autoscaling/v1`` Scale view of a Deployment, ReplicaSet or StatefulSet."""
    meta = {
        field: obj["metadata"][field]
        for field in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    selector = lookup(obj, "spec", "selector", "matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": meta,
        "spec": {"replicas": spec_of(obj).get("replicas", 0)},
        "status": {
            "replicas": status_of(obj).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(selector.items())),
        },
    }


def rescale(store: Store, writer: Writer, where: Target, scale: Any, query: Query) -> Obj:
    live = store.require(where.resource, where.namespace, where.name)
    stated = mapping(scale, "a Scale")
    replicas = (stated.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise BadRequest(f"spec.replicas must be a number, not {replicas!r}")
    if replicas < 0:
        told = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid("Scale", where.name, [("spec.replicas", told)])
    new = with_value(live, ("spec", "replicas"), replicas)
    version = lookup(stated, "metadata", "resourceVersion")
    if version:
        new = with_value(new, ("metadata", "resourceVersion"), version)
    plain = Target(where.resource, where.namespace, where.name, "")
    return scale_of(writer.update(plain, new, query))


def patch_scale(store: Store, writer: Writer, where: Target, patch: Any, query: Query) -> Obj:
    live = scale_of(store.require(where.resource, where.namespace, where.name))
    return rescale(store, writer, where, merged(live, mapping(patch, "a Scale patch")), query)


def token(store: Store, access: Access, where: Target, body: Any) -> Obj:
    """What a pod or a client of this ServiceAccount shows; it does not expire here."""
    account = store.require(where.resource, where.namespace, where.name)
    seconds = lookup(body or {}, "spec", "expirationSeconds") or 3600
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name_of(account), "namespace": where.namespace},
        "spec": {"audiences": lookup(body or {}, "spec", "audiences") or [], "expirationSeconds": seconds},
        "status": {"token": access.issue(account), "expirationTimestamp": None},
    }
