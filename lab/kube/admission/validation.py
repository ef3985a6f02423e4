"""The refusals that charts and operators really meet: selectors that do not match or may not change, bad names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lab.kube.errors import invalid
from lab.kube.objects import Obj, lookup, name_of, spec_of
from lab.kube.resource import (
    CRDS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    PDBS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    STATEFUL_SETS,
    Resource,
)
from lab.kube.selectors import from_object

Validate = Callable[[Obj, Obj | None], Obj]
Causes = list[tuple[str, str]]

_NONE = "0"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _workload(obj: Obj, old: Obj | None) -> Obj:
    causes: Causes = []
    selector = spec_of(obj).get("selector")
    labels = lookup(obj, "spec", "template", "metadata", "labels") or {}
    if not selector:
        causes.append(("spec.selector", "Required value"))
    elif not from_object(selector).matches(labels):
        causes.append(("spec.template.metadata.labels", "`selector` does not match template `labels`"))
    if old is not None and selector != spec_of(old).get("selector"):
        causes.append(("spec.selector", "Invalid value: field is immutable"))
    causes += _containers(
        lookup(obj, "spec", "template", "spec", "containers"), "spec.template.spec.containers"
    )
    return _refused(obj, causes)


def _deployment(obj: Obj, old: Obj | None) -> Obj:
    surge, missing = _limits(obj, "strategy")
    if surge == missing == _NONE:
        told = "Invalid value: 0: may not be 0 when `maxSurge` is 0"
        return _refused(obj, [("spec.strategy.rollingUpdate.maxUnavailable", told)])
    return _workload(obj, old)


def _daemon_set(obj: Obj, old: Obj | None) -> Obj:
    """Either it surges or it misses pods, never both and never neither."""
    surge, missing = _limits(obj, "updateStrategy")
    field = "spec.updateStrategy.rollingUpdate"
    if surge == missing == _NONE:
        return _refused(obj, [(f"{field}.maxUnavailable", "Required value: cannot be 0 when maxSurge is 0")])
    if surge not in (None, _NONE) and missing not in (None, _NONE):
        told = f"Invalid value: {surge}: may not be set when maxUnavailable is non-zero"
        return _refused(obj, [(f"{field}.maxSurge", told)])
    return _workload(obj, old)


def _limits(obj: Obj, strategy: str) -> tuple[str | None, str | None]:
    """(maxSurge, maxUnavailable) without a percent sign, None where nothing rolls."""
    rolling = lookup(obj, "spec", strategy, "rollingUpdate")
    if not isinstance(rolling, Mapping):
        return None, None
    surge, missing = (str(rolling.get(name, 0)).removesuffix("%") for name in ("maxSurge", "maxUnavailable"))
    return surge, missing


def _lease(obj: Obj, _old: Obj | None) -> Obj:
    seconds = spec_of(obj).get("leaseDurationSeconds")
    told = f"Invalid value: {seconds}: must be greater than 0"
    bad = seconds is not None and seconds <= 0
    return _refused(obj, [("spec.leaseDurationSeconds", told)] if bad else [])


def _containers(containers: object, field: str) -> Causes:
    if not isinstance(containers, list) or not containers:
        return [(field, "Required value")]
    return [
        (f"{field}[{index}].{part}", "Required value")
        for index, container in enumerate(containers)
        for part in ("name", "image")
        if not container.get(part)
    ]


def _pod(obj: Obj, old: Obj | None) -> Obj:
    causes = _containers(spec_of(obj).get("containers"), "spec.containers")
    bound = spec_of(old).get("nodeName") if old else None
    if bound and spec_of(obj).get("nodeName") != bound:
        causes.append(("spec.nodeName", "Forbidden: pod updates may not change a bound pod's node"))
    return _refused(obj, causes)


def _budget(obj: Obj, _old: Obj | None) -> Obj:
    spec = spec_of(obj)
    both = spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None
    told = "Invalid value: minAvailable and maxUnavailable cannot be both set"
    return _refused(obj, [("spec", told)] if both else [])


def _job(obj: Obj, old: Obj | None) -> Obj:
    changed = old is not None and spec_of(obj).get("template") != spec_of(old).get("template")
    return _refused(obj, [("spec.template", "Invalid value: field is immutable")] if changed else [])


def _secret(obj: Obj, old: Obj | None) -> Obj:
    causes: Causes = []
    if old is not None and obj.get("type") != old.get("type"):
        causes.append(("type", "Invalid value: field is immutable"))
    if old is not None and old.get("immutable") and obj.get("data") != old.get("data"):
        causes.append(("data", "Forbidden: field is immutable when `immutable` is set"))
    return _refused(obj, causes)


def _namespace(obj: Obj, _old: Obj | None) -> Obj:
    fine = _LABEL.fullmatch(name_of(obj))
    told = "Invalid value: a lowercase RFC 1123 label must consist of a-z, 0-9 and -"
    return _refused(obj, [] if fine else [("metadata.name", told)])


def _crd(obj: Obj, _old: Obj | None) -> Obj:
    spec = spec_of(obj)
    wanted = f"{lookup(spec, 'names', 'plural')}.{spec.get('group')}"
    causes: Causes = []
    if name_of(obj) != wanted:
        causes.append(("metadata.name", f'Invalid value: must be spec.names.plural+"."+spec.group: {wanted}'))
    if not any(version.get("storage") for version in spec.get("versions") or ()):
        causes.append(
            ("spec.versions", "Invalid value: must have exactly one version marked as storage version")
        )
    return _refused(obj, causes)


def _refused(obj: Obj, causes: Causes) -> Obj:
    if causes:
        raise invalid(obj["kind"], name_of(obj), causes)
    return obj


VALIDATIONS: Mapping[Resource, Validate] = {
    DEPLOYMENTS: _deployment,
    REPLICA_SETS: _workload,
    STATEFUL_SETS: _workload,
    DAEMON_SETS: _daemon_set,
    LEASES: _lease,
    PODS: _pod,
    PDBS: _budget,
    JOBS: _job,
    SECRETS: _secret,
    NAMESPACES: _namespace,
    CRDS: _crd,
}
