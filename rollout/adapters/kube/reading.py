"""Lists and objects of the API as views, with every way they can be wrong as an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from rollout.adapters.kube.api import JsonObject, KubeApi, Refused, failed
from rollout.adapters.kube.watch import GONE
from rollout.errors import Unreachable

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)
PAGE = 500
"""Objects in one answer, as kubectl asks for them."""


def listed(api: KubeApi, view: type[V], path: str, **query: str) -> tuple[V, ...]:
    return collected(api, view, path, query, lambda item: item)


def collected(
    api: KubeApi, view: type[V], path: str, query: Mapping[str, str], make: Callable[[V], T | None]
) -> tuple[T, ...]:
    """What ``make`` makes of each object, without what it makes nothing of; no more than a page is held meanwhile.

    A selection comes in one answer and all objects page by page: 5,000 pods at once would be held three times over. A
    selection is not paged, because servers before 1.34 answer a page from etcd and not from memory: they would read
    every pod there is to find one node's.
    """

    def made(answer: JsonObject) -> Iterator[T]:
        for item in answer.get("items") or []:
            value = make(parsed(api, view, item))
            if value is not None:
                yield value

    try:
        return tuple(made(api.get(path, **query))) if query else _paged(api, path, made)
    except Refused as refused:
        raise failed(refused, api.where, f"cannot list {path}") from None


def _paged(api: KubeApi, path: str, made: Callable[[JsonObject], Iterator[T]]) -> tuple[T, ...]:
    """All pages show the moment of the first; a server that has forgotten it (410) is asked for everything at once."""
    found: list[T] = []
    query = {"limit": str(PAGE)}
    while True:
        try:
            page = api.get(path, **query)
        except Refused as refused:
            if refused.refusal.code != GONE:
                raise
            return tuple(made(api.get(path)))
        found += made(page)
        more = (page.get("metadata") or {}).get("continue")
        if not more:
            return tuple(found)
        query["continue"] = str(more)


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
