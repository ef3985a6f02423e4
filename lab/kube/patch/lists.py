"""Which lists of the built-in types are maps or sets in disguise; every other list is replaced whole.

The real API has this in its OpenAPI schema; here it is keyed by field name, with ``ports`` told apart by
what its items hold. Custom resources get no merging: their lists are atomic, as without list-type markers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SETS = frozenset({"finalizers"})

_BY_NAME = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "imagePullSecrets",
    "webhooks",
    "env",
    "secrets",
    "versions",
    "resourceClaims",
    "matchConditions",
]
_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_BY_NAME, ("name",)),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "conditions": ("type",),
    "addresses": ("type",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
}
_DEFAULTS = {"protocol": "TCP"}


def merge_keys(field: str, *samples: Any) -> tuple[str, ...]:
    """The fields that identify an item of list ``field``; empty for an atomic list."""
    items = [item for sample in samples if isinstance(sample, list) for item in sample]
    if not items or not all(isinstance(item, Mapping) for item in items):
        return ()
    if field == "ports":
        return _port_keys(items)
    keys = _KEYS.get(field, ())
    plain = [item for item in items if "$patch" not in item]
    return keys if all(key in item for item in plain for key in keys) else ()


def _port_keys(items: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if all("containerPort" in item for item in items):
        return ("containerPort", "protocol")
    if all("port" in item for item in items) and not all("endPort" in item for item in items):
        return ("port", "protocol")
    return ()


def identity(item: Mapping[str, Any], keys: Sequence[str]) -> tuple[Any, ...]:
    return tuple(item.get(key, _DEFAULTS.get(key)) for key in keys)


def key_element(item: Mapping[str, Any], keys: Sequence[str]) -> str:
    """The item's path element in ``fieldsV1``: ``k:{"name":"a"}``."""
    pairs = dict(sorted(zip(keys, identity(item, keys), strict=True)))
    return "k:" + json.dumps(pairs, separators=(",", ":"))
