"""What a write does to field ownership, and server-side apply with its conflicts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.kube.errors import Conflict
from lab.kube.objects import Obj, with_meta
from lab.kube.patch.fields import ITEM, Fields, Manager, Owned, Path, fields_of, printed, read, write
from lab.kube.patch.lists import SETS, identity, key_element, merge_keys

_MISSING = object()


def tracked(live: Obj | None, new: Obj, manager: Manager, now: str, *, merging: bool) -> Obj:
    """``new`` with what it changed now owned by ``manager`` (an Update) and by nobody else.

    A writer may set managedFields itself (how kubectl and Helm migrate ownership); an empty list resets it.
    """
    stated = new["metadata"].get("managedFields")
    owned = read(live if stated is None else new)
    before = fields_of(live, merging=merging) if live else {}
    after = fields_of(new, merging=merging)
    changed = {path for path, value in after.items() if before.get(path, _MISSING) != value}
    gone = before.keys() - after.keys()
    if not changed and not gone:
        return with_meta(new, managedFields=write(owned.values()) or None)
    left = {m: replace(o, paths=o.paths - changed - gone) for m, o in owned.items()}
    mine = left[manager].paths if manager in left else frozenset()
    if changed:
        left[manager] = Owned(manager, new.get("apiVersion", ""), now, mine | changed)
    return with_meta(new, managedFields=write(left.values()) or None)


def applied(live: Obj | None, config: Obj, manager: Manager, now: str, *, force: bool, merging: bool) -> Obj:
    """Server-side apply: ``config`` over ``live``; what this manager once set and no longer sets goes away.

    Raises Conflict when another manager owns a field at another value, unless ``force``.
    """
    wanted = fields_of(config, merging=merging)
    owned = read(live)
    others = {m: o for m, o in owned.items() if m != manager}
    here = fields_of(live, merging=merging) if live else {}
    clashes = _clashes(wanted, here, others)
    if clashes and not force:
        raise _conflict(clashes)
    mine = owned.get(manager)
    kept = frozenset().union(*(o.paths for o in others.values())) if others else frozenset()
    dropped = (mine.paths if mine else frozenset()) - wanted.keys() - kept
    base = _Pruning(dropped, _prefixes(kept), merging).map(live or {}, ()) if dropped else (live or {})
    taken = {path for paths in clashes.values() for path in paths}
    result = {m: replace(o, paths=o.paths - taken) for m, o in others.items()}
    same = mine is not None and mine.paths == wanted.keys()
    when = mine.time if same and mine else now
    result[manager] = Owned(manager, config.get("apiVersion", ""), when, frozenset(wanted))
    new: Obj = overlaid(base, config, merging)
    return with_meta(new, managedFields=write(result.values()))


def _clashes(wanted: Fields, here: Fields, others: Mapping[Manager, Owned]) -> dict[Owned, list[Path]]:
    differing = {
        path
        for path, value in wanted.items()
        if value is not ITEM and here.get(path, _MISSING) not in (value, _MISSING)
    }
    found = {other: sorted(other.paths & differing) for other in others.values()}
    return {other: paths for other, paths in found.items() if paths}


def _conflict(clashes: Mapping[Owned, Collection[Path]]) -> Conflict:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{other.manager.name}" using {other.api_version}',
            "field": printed(path),
        }
        for other, paths in clashes.items()
        for path in paths
    ]
    told = "\n".join(f"- {cause['message']}: {cause['field']}" for cause in causes)
    many = f"{len(causes)} conflict" + ("s" if len(causes) > 1 else "")
    return Conflict(f"Apply failed with {many}: {told}", {"causes": causes})


def overlaid(base: Any, config: Any, merging: bool, field: str = "") -> Any:
    """``config`` over ``base``: maps merge, keyed lists merge by key, everything else is replaced."""
    if isinstance(base, Mapping) and isinstance(config, Mapping):
        new = dict(base)
        for key, value in config.items():
            new[key] = overlaid(base.get(key), value, merging, key)
        return new
    if not (merging and isinstance(base, list) and isinstance(config, list)):
        return config
    if field in SETS:
        return [*base, *(item for item in config if item not in base)]
    keys = merge_keys(field, base, config)
    if not keys:
        return config
    rows = {identity(item, keys): item for item in base}
    for item in config:
        place = identity(item, keys)
        rows[place] = overlaid(rows.get(place), item, merging)
    return list(rows.values())


def _prefixes(paths: Iterable[Path]) -> frozenset[Path]:
    return frozenset(path[:length] for path in paths for length in range(1, len(path) + 1))


@dataclass(frozen=True, slots=True)
class _Pruning:
    """Takes the paths in ``gone`` out, and the maps that this empties. ``held`` are paths (and all that leads to
    them) of other managers: a list item goes whole, with its defaults, unless somebody holds a part of it."""

    gone: Collection[Path]
    held: Collection[Path]
    merging: bool

    def map(self, value: Mapping[str, Any], above: Path) -> Obj:
        new: Obj = {}
        for key, below in value.items():
            path = (*above, f"f:{key}")
            if path in self.gone:
                continue
            left = self._value(below, path, key)
            if left or left == below or key == "metadata":
                new[key] = left
        return new

    def _value(self, value: Any, path: Path, field: str) -> Any:
        if isinstance(value, Mapping):
            return self.map(value, path)
        if not (isinstance(value, list) and self.merging):
            return value
        if field in SETS:
            return [item for item in value if (*path, f"v:{json.dumps(item)}") not in self.gone]
        keys = merge_keys(field, value)
        return self._items(value, keys, path) if keys else value

    def _items(self, items: list[Any], keys: tuple[str, ...], above: Path) -> list[Any]:
        kept = []
        for item in items:
            path = (*above, key_element(item, keys))
            if path not in self.gone or path in self.held:
                identity_fields = {key: item[key] for key in keys if key in item}
                kept.append({**identity_fields, **self.map(item, path)})
        return kept
