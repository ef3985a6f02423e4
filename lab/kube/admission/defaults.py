"""Defaults as the API server fills them in, as far as anything here or in the charts reads them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from lab.kube.objects import Obj, labels_of, name_of, spec_of, with_meta, with_value
from lab.kube.resource import (
    CRDS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    STATEFUL_SETS,
    Resource,
)

Default = Callable[[Obj, Obj | None], Obj]


def _pod(pod: Obj, old: Obj | None) -> Obj:
    spec = {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", **pod_spec(spec_of(pod))}
    new = {**pod, "spec": spec}
    if old is None and "status" not in pod:
        new["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
    return new


def pod_spec(spec: Mapping[str, Any]) -> Obj:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    new: Obj = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        **spec,
        "serviceAccountName": account,
        "serviceAccount": account,
    }
    for field in ("containers", "initContainers"):
        if spec.get(field):
            new[field] = [_container(container) for container in spec[field]]
    return new


def _container(container: Mapping[str, Any]) -> Obj:
    image = str(container.get("image", ""))
    floating = image.endswith(":latest") or ":" not in image.rpartition("/")[2]
    new: Obj = {
        "imagePullPolicy": "Always" if floating else "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **container,
    }
    if container.get("ports"):
        new["ports"] = [{"protocol": "TCP", **port} for port in container["ports"]]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe):
            new[probe] = {**_PROBE, **container[probe]}
    return new


_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _quality(spec: Mapping[str, Any]) -> str:
    resources = [c.get("resources") or {} for c in spec.get("containers") or ()]
    if not any(resources):
        return "BestEffort"
    full = all(r.get("limits") and r.get("limits") == r.get("requests", r["limits"]) for r in resources)
    return "Guaranteed" if full else "Burstable"


def _with_template(obj: Obj, spec: Obj) -> Obj:
    template = spec.get("template") or {}
    spec["template"] = {"metadata": {}, **template, "spec": pod_spec(template.get("spec") or {})}
    return {**obj, "spec": spec}


def _deployment(obj: Obj, _old: Obj | None) -> Obj:
    spec = {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600, **spec_of(obj)}
    strategy = {"type": "RollingUpdate", **(spec.get("strategy") or {})}
    if strategy["type"] == "RollingUpdate":
        given = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {"maxSurge": "25%", "maxUnavailable": "25%", **given}
    return _with_template(obj, {**spec, "strategy": strategy})


def _daemon_set(obj: Obj, _old: Obj | None) -> Obj:
    spec = {"revisionHistoryLimit": 10, **spec_of(obj)}
    strategy = {"type": "RollingUpdate", **(spec.get("updateStrategy") or {})}
    if strategy["type"] == "RollingUpdate":
        given = strategy.get("rollingUpdate") or {}
        strategy["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": 1, **given}
    else:
        strategy.pop("rollingUpdate", None)
    return _with_template(obj, {**spec, "updateStrategy": strategy})


def _replicated(obj: Obj, _old: Obj | None) -> Obj:
    return _with_template(obj, {"replicas": 1, **spec_of(obj)})


def _job(obj: Obj, _old: Obj | None) -> Obj:
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 6, **spec_of(obj)}
    return _with_template(obj, {**spec, "completionMode": spec.get("completionMode") or "NonIndexed"})


def _namespace(obj: Obj, old: Obj | None) -> Obj:
    new = with_value(
        obj, ("metadata", "labels"), {**labels_of(obj), "kubernetes.io/metadata.name": name_of(obj)}
    )
    if old is not None:
        return new
    return {**new, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def _secret(obj: Obj, _old: Obj | None) -> Obj:
    new = {"type": "Opaque", **obj}
    text = new.pop("stringData", None)
    if text:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in text.items()}
        new["data"] = {**(new.get("data") or {}), **encoded}
    return new


def _crd(obj: Obj, old: Obj | None) -> Obj:
    spec = {"conversion": {"strategy": "None"}, **spec_of(obj)}
    names = spec.get("names") or {}
    kind = names.get("kind", "")
    spec["names"] = {"singular": kind.lower(), "listKind": f"{kind}List", **names}
    new = {**obj, "spec": spec}
    return with_meta(new, generation=None) if old is None else new


DEFAULTS: Mapping[Resource, Default] = {
    PODS: _pod,
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _replicated,
    STATEFUL_SETS: _replicated,
    DAEMON_SETS: _daemon_set,
    JOBS: _job,
    NAMESPACES: _namespace,
    SECRETS: _secret,
    CRDS: _crd,
}
