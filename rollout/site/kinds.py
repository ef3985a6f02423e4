"""Words of a site file that name one of a few things: meshes, and the ways they run and move."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from rollout.model.mesh import DataPlane, MeshKind, Method
from rollout.site.scalars import choice, refusal, shown


def _kind(value: Any) -> MeshKind:
    if isinstance(value, str) and value in {kind.value for kind in MeshKind}:
        return MeshKind(value)
    listed = "one of: " + ", ".join(MeshKind)
    raise refusal(f"is {shown(value)}, not a mesh that rackroll knows", listed)


Kind = Annotated[MeshKind, PlainValidator(_kind), WithJsonSchema({"enum": [kind.value for kind in MeshKind]})]
OfDataPlane = Annotated[
    DataPlane,
    PlainValidator(choice(DataPlane)),
    WithJsonSchema({"enum": [plane.value for plane in DataPlane]}),
]
OfMethod = Annotated[
    Method, PlainValidator(choice(Method)), WithJsonSchema({"enum": [method.value for method in Method]})
]
