"""The site file's shape for editors: JSON Schema, from the same classes that check it."""

from __future__ import annotations

from typing import Any

from rollout.site.schema import SiteFile


def json_schema() -> dict[str, Any]:
    """Says shapes and types only; the rules that relate fields need :func:`rollout.site.load.load_site`."""
    return SiteFile.model_json_schema(by_alias=True) | {
        "$schema": "https://json-schema.org/draft/2020-12/schema"
    }
