"""Lists and objects of the API as views, with every way they can be wrong as an error of ours."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rollout.adapters.kube.api import KubeApi, Refused, failed
from rollout.errors import Unreachable

V = TypeVar("V", bound=BaseModel)


def listed(api: KubeApi, view: type[V], path: str, **query: str) -> tuple[V, ...]:
    try:
        items = api.get(path, **query).get("items") or []
    except Refused as refused:
        raise failed(refused, api.where, f"cannot list {path}") from None
    return tuple(parsed(api, view, item) for item in items)


def read(api: KubeApi, view: type[V], path: str) -> V:
    try:
        return parsed(api, view, api.get(path))
    except Refused as refused:
        raise failed(refused, api.where, f"cannot read {path}") from None


def parsed(api: KubeApi, view: type[V], item: object) -> V:
    try:
        return view.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Unreachable(
            f"an object of the API is not as Kubernetes defines it: {place}: {first['msg']}", where=api.where
        ) from None
