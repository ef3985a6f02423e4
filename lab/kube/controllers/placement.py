"""Which node a pod may go to: selectors, affinity, taints, anti-affinity, spread. Reasons in kubectl's words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lab.kube.objects import Obj, labels_of, lookup, name_of, namespace_of, spec_of
from lab.kube.pods import is_active
from lab.kube.resource import NODES, PODS
from lab.kube.selectors import from_expression, from_map, from_object
from lab.kube.store import Store

Refusal = Callable[[Obj], str]
"""node -> why not, or the empty string."""

_BLOCKING = ("NoSchedule", "NoExecute")


def selects(spec: Mapping[str, Any], node: Obj) -> bool:
    """nodeSelector and required node affinity."""
    wanted = spec.get("nodeSelector")
    if wanted and not from_map(wanted).matches(labels_of(node)):
        return False
    required = lookup(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = (required or {}).get("nodeSelectorTerms")
    return not terms or any(_term(term, node) for term in terms)


def _term(term: Mapping[str, Any], node: Obj) -> bool:
    fields = {"metadata.name": name_of(node)}
    rows = [(row, labels_of(node)) for row in term.get("matchExpressions") or ()]
    rows += [(row, fields) for row in term.get("matchFields") or ()]
    return bool(rows) and all(_holds(row, values) for row, values in rows)


def _holds(row: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    if row["operator"] not in ("Gt", "Lt"):
        return from_expression(row).matches(values)
    have = values.get(row["key"], "")
    if not have.isdigit():
        return False
    return int(have) > int(row["values"][0]) if row["operator"] == "Gt" else int(have) < int(row["values"][0])


def untolerated(spec: Mapping[str, Any], node: Obj) -> str:
    """The first taint of the node that keeps this pod away, as ``{key: value}``."""
    tolerations = spec.get("tolerations") or ()
    for taint in spec_of(node).get("taints") or ():
        if taint["effect"] in _BLOCKING and not any(_tolerates(t, taint) for t in tolerations):
            return f"{{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    same = toleration.get("value", "") == taint.get("value", "")
    return same and bool(toleration.get("key") == taint["key"])


def refusals(store: Store, pod: Obj) -> Iterable[Refusal]:
    """Everything that could keep this pod off a node, cheapest first. Computed once per pod, asked per node."""
    spec = spec_of(pod)

    def node_itself(node: Obj) -> str:
        if spec_of(node).get("unschedulable") and not _ignores_cordon(spec):
            return "node(s) were unschedulable"
        if not selects(spec, node):
            return "node(s) didn't match Pod's node affinity/selector"
        taint = untolerated(spec, node)
        return f"node(s) had untolerated taint {taint}" if taint else ""

    yield node_itself
    anti = lookup(spec, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for term in anti or ():
        yield _apart(store, pod, term)
    for constraint in spec.get("topologySpreadConstraints") or ():
        if constraint.get("whenUnsatisfiable") == "DoNotSchedule":
            yield _spread(store, pod, constraint)


def _ignores_cordon(spec: Mapping[str, Any]) -> bool:
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    return any(_tolerates(toleration, taint) for toleration in spec.get("tolerations") or ())


def domains(store: Store, pod: Obj, selector: Mapping[str, Any] | None, topology: str) -> dict[str, int]:
    """How many active, bound pods of the pod's namespace match, per value of the topology label."""
    counts: dict[str, int] = {}
    for other in store.list(PODS, namespace_of(pod), label_selector=from_object(selector)):
        node = spec_of(other).get("nodeName")
        if node and is_active(other) and other["metadata"]["uid"] != pod["metadata"]["uid"]:
            found = store.get(NODES, None, node)
            value = labels_of(found).get(topology) if found else None
            if value is not None:
                counts[value] = counts.get(value, 0) + 1
    return counts


def _apart(store: Store, pod: Obj, term: Mapping[str, Any]) -> Refusal:
    key = term["topologyKey"]
    taken = domains(store, pod, term.get("labelSelector"), key)

    def refusal(node: Obj) -> str:
        full = labels_of(node).get(key) in taken
        return "node(s) didn't match pod anti-affinity rules" if full else ""

    return refusal


def _spread(store: Store, pod: Obj, constraint: Mapping[str, Any]) -> Refusal:
    key, skew = constraint["topologyKey"], int(constraint.get("maxSkew", 1))
    counts = domains(store, pod, constraint.get("labelSelector"), key)
    honour = constraint.get("nodeTaintsPolicy") == "Honor"
    spec = spec_of(pod)
    values = {
        labels_of(node)[key]
        for node in store.list(NODES)
        if key in labels_of(node) and selects(spec, node) and not (honour and untolerated(spec, node))
    }
    least = min((counts.get(value, 0) for value in values), default=0)

    def refusal(node: Obj) -> str:
        value = labels_of(node).get(key)
        if value is None:
            return "node(s) didn't match pod topology spread constraints (missing required label)"
        crowded = counts.get(value, 0) + 1 - least > skew
        return "node(s) didn't match pod topology spread constraints" if crowded else ""

    return refusal
