"""Which meshes this build can work on: those that have a package in ``roles``, asked for, not listed twice."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from rollout.model.site import MeshKind
from rollout.site.scalars import refusal, shown


@cache
def supported() -> tuple[MeshKind, ...]:
    """Refusing the others at load time is earlier and plainer than a planner that has no charts to name."""
    return tuple(kind for kind in MeshKind if find_spec(f"roles.{kind.value}") is not None)


def _kind(value: Any) -> MeshKind:
    listed = "one of: " + ", ".join(supported())
    known = {kind.value: kind for kind in MeshKind}
    if not isinstance(value, str) or value not in known:
        raise refusal(f"is {shown(value)}, not a mesh that rackroll knows", listed)
    if known[value] not in supported():
        raise refusal(f"is {shown(value)}, for which this build has no role yet", listed)
    return known[value]


Kind = Annotated[MeshKind, PlainValidator(_kind), WithJsonSchema({"enum": [kind.value for kind in MeshKind]})]
