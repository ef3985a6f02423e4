"""The site file's shape for editors: JSON Schema, from the same classes that check it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from rollout.site.scalars import spelled
from rollout.site.schema import SYSCTLS, SiteFile


class _AsWritten(GenerateJsonSchema):
    """Defaults as one would write them in the file: ``1500ms``, not ISO 8601's PT1.5S."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return spelled(dft)
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dict(dft) if dft is SYSCTLS else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Says shapes and types only; the rules that relate fields need :func:`rollout.site.load.load_site`."""
    shape = SiteFile.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | shape
