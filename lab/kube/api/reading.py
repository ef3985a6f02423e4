"""get and list, as objects or as tables, with pages."""

from __future__ import annotations

import base64
import binascii
import json

from aiohttp import web

from lab.kube.api.bodies import Encoder, raw_reply, reply
from lab.kube.api.fields import check_fields
from lab.kube.api.printing import table
from lab.kube.api.request import Query, Target, integer, query
from lab.kube.errors import BadRequest
from lab.kube.objects import Obj, labels_of, name_of, namespace_of
from lab.kube.selectors import parse_fields, parse_labels
from lab.kube.store import Store


def wants_table(request: web.Request) -> bool:
    """Whether the first acceptable form is a Table (kubectl's default output)."""
    return "as=Table" in request.headers.get("Accept", "").split(",")[0]


def wants_metadata(request: web.Request) -> str | None:
    first = request.headers.get("Accept", "").split(",")[0]
    return "PartialObjectMetadata" if "as=PartialObjectMetadata" in first else None


class Reader:
    def __init__(self, store: Store, encoder: Encoder) -> None:
        self._store = store
        self._encoder = encoder

    def get(self, request: web.Request, where: Target) -> web.Response:
        found = self._store.require(where.resource, where.namespace, where.name)
        if wants_table(request):
            return reply(self._table(request, where, [found], found["metadata"]["resourceVersion"]))
        if wants_metadata(request):
            return reply(partial(found))
        return raw_reply(self._encoder.object(found, where.resource.api_version))

    def many(self, request: web.Request, where: Target) -> web.Response:
        asked = query(request)
        check_fields(where.resource, parse_fields(asked.field_selector))
        token = request.query.get("continue", "")
        found, version = self._continued(where, asked, token) if token else self._whole(where, asked)
        counted = not (asked.label_selector or asked.field_selector)
        page, meta = _page(found, version, integer(request, "limit"), counted=counted)
        if wants_table(request):
            rows = self._table(request, where, page, str(meta["resourceVersion"]))
            return reply({**rows, "metadata": meta})
        if wants_metadata(request):
            rows = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
            return reply({**rows, "items": [partial(obj) for obj in page]})
        kind, version = where.resource.kind, where.resource.api_version
        return raw_reply(self._encoder.list(kind, version, meta, page))

    def _table(self, request: web.Request, where: Target, rows: list[Obj], version: str) -> Obj:
        include = request.query.get("includeObject", "Metadata")
        return table(where.resource, rows, version, include, self._store.clock.now())

    def _whole(self, where: Target, asked: Query) -> tuple[list[Obj], str]:
        found = self._store.list(
            where.resource,
            where.namespace,
            label_selector=asked.label_selector,
            field_selector=asked.field_selector,
        )
        return found, str(self._store.version)

    def _continued(self, where: Target, asked: Query, token: str) -> tuple[list[Obj], str]:
        """Later pages are of the first one's moment, so that a watch from its version tells what changed since."""
        version, after = _decoded(token)
        labels, fields = parse_labels(asked.label_selector), parse_fields(asked.field_selector)

        def wanted(obj: Obj) -> bool:
            return _place(obj) > after and labels.matches(labels_of(obj)) and fields.matches(obj)

        return self._store.list_at(where.resource, where.namespace, int(version), wanted), version


def _page(found: list[Obj], version: str, limit: int | None, *, counted: bool) -> tuple[list[Obj], Obj]:
    """One page and its list metadata; how many are left is told only where nothing was selected."""
    if not limit or len(found) <= limit:
        return found, {"resourceVersion": version}
    page = found[:limit]
    more: Obj = {"resourceVersion": version, "continue": _encoded(version, _place(page[-1]))}
    return page, {**more, "remainingItemCount": len(found) - limit} if counted else more


def partial(obj: Obj) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def _place(obj: Obj) -> tuple[str, str]:
    return namespace_of(obj) or "", name_of(obj)


def _encoded(version: str, place: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([version, *place]).encode()).decode()


def _decoded(token: str) -> tuple[str, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        return str(int(version)), (str(namespace), str(name))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("continue key is not valid") from error
