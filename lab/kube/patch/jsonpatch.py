"""RFC 6902 JSON patch on plain data. Raises Invalid as the API does when an operation cannot apply."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from lab.kube.errors import BadRequest, Invalid


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """A new value; ``target`` is left alone."""
    document = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _apply(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Invalid(
                f"the server rejected our request due to an error in our request: {error}"
            ) from error
    return document


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _parse(operation["path"])
    match operation["op"]:
        case "add":
            return _add(document, path, operation["value"])
        case "remove":
            return _remove(document, path)
        case "replace":
            _find(document, path)
            return _add(_remove(document, path), path, operation["value"]) if path else operation["value"]
        case "move":
            source = _parse(operation["from"])
            value = _find(document, source)
            return _add(_remove(document, source), path, value)
        case "copy":
            return _add(document, path, copy.deepcopy(_find(document, _parse(operation["from"]))))
        case "test":
            if _find(document, path) != operation["value"]:
                raise ValueError(f"testing path {operation['path']} failed")
            return document
        case unknown:
            raise BadRequest(f"unknown JSON patch operation {unknown!r}")


def _parse(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise ValueError(f"not a JSON pointer: {pointer!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _find(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        index = len(parent) if last == "-" else int(last)
        if not 0 <= index <= len(parent):
            raise IndexError(f"index {index} out of bounds")
        parent.insert(index, value)
    else:
        parent[last] = value
    return document


def _remove(document: Any, path: Sequence[str]) -> Any:
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return document
