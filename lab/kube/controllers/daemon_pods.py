"""The pods of a DaemonSet: pinned to their node, tolerating what would keep ordinary pods away."""

from __future__ import annotations

from lab.kube.controllers.templates import pod_from
from lab.kube.objects import Obj, lookup, spec_of, with_value

_GENERATION = "pod-template-generation"
_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


def spec_for(daemon_set: Obj) -> Obj:
    """The template's pod spec with the tolerations every DaemonSet pod gets."""
    spec = dict(spec_of(daemon_set)["template"]["spec"])
    extra = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
        for key, effect in _TOLERATED
    ]
    if spec.get("hostNetwork"):
        row = {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}
        extra.append(row)
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *extra]
    return spec


def pod_for(daemon_set: Obj, node: str, revision: str) -> Obj:
    """The pod for one node, marked with the revision of its template."""
    generation = str(daemon_set["metadata"]["generation"])
    labels = {"controller-revision-hash": revision, _GENERATION: generation}
    pod = pod_from(daemon_set, spec_of(daemon_set)["template"], labels)
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    required = {"nodeSelectorTerms": terms}
    affinity = {
        **(lookup(daemon_set, "spec", "template", "spec", "affinity") or {}),
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required},
    }
    return with_value({**pod, "spec": spec_for(daemon_set)}, ("spec", "affinity"), affinity)
