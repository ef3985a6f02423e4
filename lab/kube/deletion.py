"""How an object goes: at once, after a grace period (pods on a node), or when its finalizers are done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lab.kube.errors import Conflict, invalid
from lab.kube.objects import Obj, lookup, name_of, timestamp, with_meta, with_value
from lab.kube.resource import Resource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_DEFAULT_GRACE = 30


@dataclass(frozen=True, slots=True)
class Options:
    """``grace`` in seconds; None takes the pod's own. ``propagation`` as in DeleteOptions."""

    grace: int | None = None
    propagation: str = "Background"
    uid: str | None = None
    version: str | None = None


BACKGROUND = Options()
NOW = Options(grace=0)


def check_preconditions(resource: Resource, live: Obj, options: Options) -> None:
    meta = live["metadata"]
    for wanted, field in ((options.uid, "uid"), (options.version, "resourceVersion")):
        if wanted is not None and wanted != meta[field]:
            raise Conflict(
                f'Operation cannot be fulfilled on {resource} "{name_of(live)}": '
                f"the {field} in the precondition ({wanted}) does not match the object's ({meta[field]})"
            )


def marked(resource: Resource, live: Obj, options: Options, now: datetime) -> Obj | None:
    """``live`` as it waits for its end, or None if it can go right away."""
    grace = _grace(live, options) if resource.kind == "Pod" else 0
    finalizers = _finalizers(live, options)
    if grace == 0 and not finalizers and not _awaits_emptying(live):
        return None
    meta = live["metadata"]
    if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0):
        return live
    new = with_meta(
        live,
        deletionTimestamp=timestamp(now + timedelta(seconds=grace)),
        deletionGracePeriodSeconds=grace,
        finalizers=finalizers or None,
        generation=meta["generation"] + 1 if "generation" in meta else None,
    )
    return with_value(new, ("status", "phase"), "Terminating") if resource.kind == "Namespace" else new


def preserved(live: Obj) -> dict[str, Any]:
    """Metadata that no update may change."""
    fields = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
    kept: dict[str, Any] = {field: live["metadata"].get(field) for field in fields}
    return {**kept, "resourceVersion": live["metadata"]["resourceVersion"]}


def check_finalizers(live: Obj, new: Obj) -> None:
    """Raises Invalid where an object that is on its way out would be held by something new."""
    before, after = (obj["metadata"].get("finalizers") or () for obj in (live, new))
    added = sorted(set(after) - set(before))
    if added and "deletionTimestamp" in live["metadata"]:
        told = f"Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        raise invalid(live["kind"], name_of(live), [("metadata.finalizers", told)])


def may_go(obj: Mapping[str, Any]) -> bool:
    """Whether a terminating object has nothing left that holds it."""
    meta = obj["metadata"]
    if meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return not _awaits_emptying(obj)


def _awaits_emptying(obj: Mapping[str, Any]) -> bool:
    return obj["kind"] == "Namespace" and bool(lookup(obj, "spec", "finalizers"))


def _grace(pod: Obj, options: Options) -> int:
    if not lookup(pod, "spec", "nodeName") or lookup(pod, "status", "phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return options.grace
    own = lookup(pod, "spec", "terminationGracePeriodSeconds")
    return _DEFAULT_GRACE if own is None else int(own)


def _finalizers(live: Obj, options: Options) -> list[str]:
    found = list(live["metadata"].get("finalizers") or ())
    extra = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.propagation)
    if extra and extra not in found:
        found.append(extra)
    return found
