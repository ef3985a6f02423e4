"""Whose cordon is it? Pure rules for taking and giving back a node, as merge patches.

A cordon and the exclude label are two marks with one owner: ``rackroll.io/run`` names the run, and
``rackroll.io/marks`` which of the two it set. Without the second, a run that excluded a node which somebody
else had cordoned would take that cordon for its own and remove it at the end.

Mark and annotation change in one patch that carries the resourceVersion read before: after a crash the
two never disagree, and of two writers one is told to look again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rollout.adapters.kube.view import NodeView
from rollout.errors import StepFailed

OWNER = "rackroll.io/run"
MARKS = "rackroll.io/marks"
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

Patch = dict[str, Any]


class Mark(StrEnum):
    CORDON = "cordon"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Marks:
    """What is set on a node, and which of it is ours. ``owner`` is the run id in the annotation, if any."""

    owner: str | None
    owned: frozenset[Mark]
    present: frozenset[Mark]


def read_marks(node: NodeView) -> Marks:
    annotations = node.metadata.annotations
    listed = annotations.get(MARKS, "").split(",")
    present = {Mark.CORDON} if node.spec.unschedulable else set()
    if EXCLUDE_LABEL in node.metadata.labels:
        present.add(Mark.EXCLUDE)
    return Marks(
        owner=annotations.get(OWNER),
        owned=frozenset(mark for mark in Mark if mark.value in listed),
        present=frozenset(present),
    )


def set_mark(node: NodeView, mark: Mark, run: str, who: str) -> Patch | None:
    """The patch that sets ``mark`` for ``run``; None if it is so already. ``who`` says who set a foreign one.

    Raises :class:`StepFailed` if the node is somebody else's: taking it over would end in undoing their work.
    """
    marks = read_marks(node)
    if marks.owner and marks.owner != run:
        raise _other_run(node, marks.owner)
    if mark in marks.present:
        if mark in marks.owned and marks.owner == run:
            return None
        raise _foreign(node, mark, who)
    return _patch(node, mark, True, run, marks.owned | {mark})


def clear_mark(node: NodeView, mark: Mark, run: str, who: str) -> Patch | None:
    """The patch that takes back what ``run`` set; None if nothing of it is there. A foreign mark stays."""
    marks = read_marks(node)
    ours = marks.owner == run and mark in marks.owned
    if mark in marks.present and not ours:
        raise (_other_run(node, marks.owner) if marks.owner not in (None, run) else _foreign(node, mark, who))
    if not ours:
        return None
    return _patch(node, mark, False, run, marks.owned - {mark})


def _patch(node: NodeView, mark: Mark, on: bool, run: str, owned: frozenset[Mark]) -> Patch:
    """Null removes in a merge patch; the run's name goes with its last mark."""
    names = ",".join(sorted(mark.value for mark in owned))
    annotations = {OWNER: run if owned else None, MARKS: names or None}
    metadata: Patch = {"resourceVersion": node.metadata.resource_version, "annotations": annotations}
    match mark:
        case Mark.CORDON:
            return {"metadata": metadata, "spec": {"unschedulable": True if on else None}}
        case Mark.EXCLUDE:
            return {"metadata": {**metadata, "labels": {EXCLUDE_LABEL: "" if on else None}}}


def _other_run(node: NodeView, owner: str | None) -> StepFailed:
    return StepFailed(
        f"the node is held by another run, {owner}",
        where=node.metadata.name,
        hint=f"`rackroll resume` or abort run {owner} first: only it may give the node back",
    )


def _foreign(node: NodeView, mark: Mark, who: str) -> StepFailed:
    name = node.metadata.name
    match mark:
        case Mark.CORDON:
            done, undo = "cordoned", f"kubectl uncordon {name}"
        case Mark.EXCLUDE:
            done, undo = "excluded from load balancers", f"kubectl label node {name} {EXCLUDE_LABEL}-"
    return StepFailed(
        f"the node was {done} by someone else{f' ({who})' if who else ''}; left as it is",
        where=name,
        hint=f"find out why; then `{undo}` and `rackroll resume`",
    )


def setter(raw: dict[str, Any], mark: Mark) -> str:
    """Which program last set the mark, as the object's managedFields tell; empty if nobody says."""
    for entry in raw.get("metadata", {}).get("managedFields") or []:
        fields = entry.get("fieldsV1") or {}
        match mark:
            case Mark.CORDON:
                has = "f:unschedulable" in fields.get("f:spec", {})
            case Mark.EXCLUDE:
                has = f"f:{EXCLUDE_LABEL}" in fields.get("f:metadata", {}).get("f:labels", {})
        if has:
            return (
                f"by {entry.get('manager', 'an unnamed program')} at {entry.get('time', 'an unknown time')}"
            )
    return ""
