"""Lists and objects of the API as views, with every way they can be wrong as an error of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rollout.adapters.kube.api import KubeApi, Refused, failed
from rollout.adapters.kube.watch import GONE
from rollout.errors import Unreachable

V = TypeVar("V", bound=BaseModel)
PAGE = 500
"""Objects in one answer, as kubectl asks for them."""


def listed(api: KubeApi, view: type[V], path: str, **query: str) -> tuple[V, ...]:
    """With a selector in one answer, all of them page by page: 5,000 pods at once are 200 MB of JSON on our side.

    A selection is not paged, because servers before 1.34 answer a page from etcd and not from memory: they would read
    every pod there is to find one node's.
    """
    try:
        return tuple(_all(api, view, path, query)) if query else _paged(api, view, path)
    except Refused as refused:
        raise failed(refused, api.where, f"cannot list {path}") from None


def _paged(api: KubeApi, view: type[V], path: str) -> tuple[V, ...]:
    """All pages show the moment of the first; a server that has forgotten it (410) is asked for everything at once."""
    found: list[V] = []
    query = {"limit": str(PAGE)}
    while True:
        try:
            page = api.get(path, **query)
        except Refused as refused:
            if refused.refusal.code != GONE:
                raise
            return tuple(_all(api, view, path, {}))
        found += (parsed(api, view, item) for item in page.get("items") or [])
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return tuple(found)
        query["continue"] = str(more)


def _all(api: KubeApi, view: type[V], path: str, query: Mapping[str, str]) -> Iterator[V]:
    for item in api.get(path, **query).get("items") or []:
        yield parsed(api, view, item)


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
