"""Strategic merge patch: JSON merge, except that known lists merge by key and ``$`` directives steer.

Raises BadRequest for a directive it does not know, so that no patch is half understood in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kube.errors import BadRequest
from lab.kube.patch.lists import SETS, identity, merge_keys

_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def strategic_merge(target: Any, patch: Mapping[str, Any]) -> Any:
    """``target`` with ``patch`` merged in, as a new object."""
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown strategic merge patch directive $patch: {directive}")
    base = dict(target) if isinstance(target, Mapping) else {}
    if _RETAIN in patch:
        base = {key: value for key, value in base.items() if key in patch[_RETAIN]}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(base, key, value)
    _directives(base, patch)
    return base


def _merge_field(base: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        base.pop(key, None)
    elif isinstance(value, Mapping):
        base[key] = strategic_merge(base.get(key), value)
    elif isinstance(value, list):
        base[key] = _merge_list(key, base.get(key) or [], value)
    else:
        base[key] = value


def _merge_list(field: str, live: list[Any], patch: list[Any]) -> list[Any]:
    if field in SETS:
        return [*live, *(item for item in patch if item not in live)]
    replacing = [item for item in patch if isinstance(item, Mapping) and item.get("$patch") == "replace"]
    keys = merge_keys(field, live, patch)[:1]
    if replacing or not keys:
        return [item for item in patch if not (isinstance(item, Mapping) and "$patch" in item)]
    found = {identity(item, keys): item for item in live}
    for item in patch:
        place = identity(item, keys)
        if item.get("$patch") == "delete":
            found.pop(place, None)
        else:
            found[place] = strategic_merge(found.get(place), item)
    return list(found.values())


def _directives(base: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            base[field] = [item for item in base.get(field) or () if item not in value]
        elif key.startswith(_ORDER):
            field = key.removeprefix(_ORDER)
            base[field] = _ordered(field, base.get(field) or [], value)
        elif key.startswith("$") and key not in ("$patch", _RETAIN):
            raise BadRequest(f"unknown strategic merge patch directive {key}")


def _ordered(field: str, items: list[Any], order: list[Any]) -> list[Any]:
    """Listed items in the wanted order; what the patch did not know of keeps its order, after them."""
    keys = merge_keys(field, items, order)[:1]
    if not keys:
        keys = tuple(order[0])[:1] if order and isinstance(order[0], Mapping) else ()

    def name(item: Any) -> Any:
        return identity(item, keys) if keys else item

    rank = {name(item): index for index, item in enumerate(order)}
    return sorted(items, key=lambda item: rank.get(name(item), len(rank)))
