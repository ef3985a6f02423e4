"""Versions in a site file: exact ones only. A floating one installs something else tomorrow from the same file."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from rollout.site.scalars import refusal, shown, text

_EXACT = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z", re.ASCII
)
_LINKERD = re.compile(
    r"(edge-\d{2}\.\d{1,2}\.\d{1,4}|(enterprise|stable)-2\.\d{1,3}\.\d{1,4}(-[0-9A-Za-z.-]+)?)\Z", re.ASCII
)
_KUBERNETES = re.compile(r"[1-9]\.\d{1,3}(\.\d{1,3}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?\Z", re.ASCII)
_MINOR = re.compile(r"\d+(\.\d+)?\Z", re.ASCII)
_CHANNEL = re.compile(
    r"(latest|stable|master|main|head|edge|nightly|canary|dev|current|default|lts|release)\b", re.I
)
_RANGE = re.compile(r"[\^~<>=*|, ]|(^|\.)[xX*](\.|\Z)")


def floats(version: str) -> bool:
    """Whether the words name a moving target: a channel, a branch, a range, or a whole minor."""
    return bool(_CHANNEL.match(version) or _RANGE.search(version) or _MINOR.match(version))


def _chart_version(value: Any) -> str:
    version = text(value)
    if _EXACT.match(version):
        return version
    if floats(version):
        what = f"is {shown(value)}, a floating version: the same file would install something else tomorrow"
        raise refusal(what, "one exact version such as 1.30.3")
    if version[:1] in "vV" and _EXACT.match(version[1:]):
        raise refusal(f"is {shown(value)}", f"the chart's version, without the v: {version[1:]}")
    raise refusal(f"is {shown(value)}", "one exact version such as 1.30.3")


def _mesh_version(value: Any) -> str:
    """Also Linkerd's names; whether the mesh is a Linkerd is a rule's business."""
    version = text(value)
    return version if linkerd_name(version) else _chart_version(value)


def linkerd_name(version: str) -> bool:
    """Whether this is a release's name of Linkerd's own making, such as edge-26.6.3 or enterprise-2.19.4."""
    return bool(_LINKERD.match(version))


def _kubernetes_version(value: Any) -> str:
    version = text(value).removeprefix("v")
    if _KUBERNETES.match(version):
        return version
    what = f"is {shown(value)}, a floating version" if floats(version) else f"is {shown(value)}"
    raise refusal(what, "the minor or the exact version that the cluster runs, such as 1.35 or 1.35.2")


_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\.[0-9]+"})
ChartVersion = Annotated[str, PlainValidator(_chart_version), _SCHEMA]
MeshVersion = Annotated[
    str,
    PlainValidator(_mesh_version),
    WithJsonSchema({"type": "string", "pattern": r"^((edge|enterprise|stable)-)?[0-9]+\.[0-9]+"}),
]
KubernetesVersion = Annotated[str, PlainValidator(_kubernetes_version), _SCHEMA]
