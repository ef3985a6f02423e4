"""Lists and objects of the API as views, with every way they can be wrong as an error of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Generic, TypeVar

from pydantic import BaseModel, Field, ValidationError

from rollout.adapters.kube.api import KubeApi, Refused, failed
from rollout.adapters.kube.watch import GONE
from rollout.errors import Unreachable

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)
PAGE = 250
"""Objects in one answer: half of what kubectl asks for, so that less is held at a time."""


def listed(api: KubeApi, view: type[V], path: str, **query: str) -> tuple[V, ...]:
    return collected(api, view, path, query, lambda item: item)


def collected(
    api: KubeApi, view: type[V], path: str, query: Mapping[str, str], make: Callable[[V], T | None]
) -> tuple[T, ...]:
    """What ``make`` makes of each object, without what it makes nothing of; no more than a page is held meanwhile.

    Text becomes views in one go, without a dict of everything that nobody reads: a third of the time.
    A selection comes in one answer and all objects page by page: 5,000 pods at once would be held three times over. A
    selection is not paged, because servers before 1.34 answer a page from etcd and not from memory: they would read
    every pod there is to find one node's.
    """

    def page(query: Mapping[str, str]) -> tuple[list[T], str]:
        answer = _page_of(api, view, api.text(path, query))
        found = (make(item) for item in answer.items or ())
        more = answer.metadata.more if answer.metadata else None
        return [value for value in found if value is not None], more or ""

    try:
        return tuple(page(query)[0]) if query else _paged(page)
    except Refused as refused:
        raise failed(refused, api.where, f"cannot list {path}") from None


def _paged(page: Callable[[Mapping[str, str]], tuple[list[T], str]]) -> tuple[T, ...]:
    """All pages show the moment of the first; a server that has forgotten it (410) is asked for everything at once."""
    found: list[T] = []
    query = {"limit": str(PAGE)}
    while True:
        try:
            values, more = page(query)
        except Refused as refused:
            if refused.refusal.code != GONE:
                raise
            return tuple(page({})[0])
        found += values
        if not more:
            return tuple(found)
        query["continue"] = more


class _PageMeta(BaseModel):
    more: str | None = Field(None, alias="continue")


class _Page(BaseModel, Generic[V]):
    metadata: _PageMeta | None = None
    items: list[V] | None = None


@cache
def _reader(view: type[V]) -> type[_Page[V]]:
    """One for each kind of object; pydantic compiles it at its first use."""
    return _Page[view]  # type: ignore[valid-type]


def _page_of(api: KubeApi, view: type[V], text: bytes) -> _Page[V]:
    try:
        return _reader(view).model_validate_json(text)
    except ValidationError as error:
        raise _odd(api, error) from None


def read(api: KubeApi, view: type[V], path: str) -> V:
    try:
        return parsed(api, view, api.get(path))
    except Refused as refused:
        raise failed(refused, api.where, f"cannot read {path}") from None


def parsed(api: KubeApi, view: type[V], item: object) -> V:
    try:
        return view.model_validate(item)
    except ValidationError as error:
        raise _odd(api, error) from None


def _odd(api: KubeApi, error: ValidationError) -> Unreachable:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return Unreachable(
        f"an object of the API is not as Kubernetes defines it: {place}: {first['msg']}", where=api.where
    )
