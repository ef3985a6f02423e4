"""Server-side apply, and whether it changed anything: the object before and after says so.

A field that another manager owns is a conflict to be shown, but for one default that Helm 3 owns by accident.
"""

from __future__ import annotations

import re
from typing import Any

from rollout.adapters.kube.api import APPLY, KubeApi, Refused, failed
from rollout.adapters.kube.resources import Resources
from rollout.model.role import Json

FIELD_MANAGER = "rackroll"
_HELM_3S_DEFAULT = re.compile(
    r'failed with 1 conflict: conflict with "helm[^"]*" using .+: \.spec\.updateStrategy\.type\Z'
)
"""Helm 3 owns all of what it creates, the API's defaults too, by "using" an update; what a chart says is Helm's word,
but no chart says this one, or its role would set it by a value. Helm 4 owns only what the chart says."""


class Applying:
    """One per connection: it remembers where each kind of object is served."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._resources = Resources(api)

    def apply(self, item: Json) -> bool:
        """False where it was so already.

        Raises StepFailed in the API's words for what it refuses, and for a Node that has not joined.
        """
        path = self._resources.path(item)
        name = f"{item['kind']} {item['metadata']['name']}"
        before = self._before(path, item["kind"], name)
        try:
            after = self._send(path, item)
        except Refused as refused:
            raise failed(refused, self._api.where, f"cannot apply {name}", _hint(refused)) from None
        return before is None or _content(after) != _content(before)

    def _before(self, path: str, kind: str, name: str) -> Json | None:
        try:
            return self._api.get(path)
        except Refused as refused:
            if kind == "Node":
                hint = "a Node is never created by us: let it join the cluster first"
                raise failed(refused, self._api.where, f"cannot label {name}", hint) from None
            if refused.refusal.code == 404:
                return None
            raise failed(refused, self._api.where, f"cannot read {name}") from None

    def _send(self, path: str, item: Json) -> Json:
        try:
            return self._server_side(path, item, force="false")
        except Refused as refused:
            if not _HELM_3S_DEFAULT.search(refused.refusal.message):
                raise
            return self._server_side(path, item, force="true")

    def _server_side(self, path: str, item: Json, force: str) -> dict[str, Any]:
        query = {"fieldManager": FIELD_MANAGER, "force": force}
        return self._api.request("PATCH", path, query=query, body=dict(item), content_type=APPLY)


_BOOKKEEPING = frozenset({"resourceVersion", "managedFields", "generation"})


def _content(found: Json) -> Json:
    """Not by resourceVersion: between our two looks a kubelet may have reported its Node's status."""
    kept = {key: value for key, value in found.items() if key != "status"}
    meta = found.get("metadata") or {}
    return kept | {"metadata": {key: value for key, value in meta.items() if key not in _BOOKKEEPING}}


def _hint(refused: Refused) -> str:
    if refused.refusal.code == 409:
        return "decide who owns this field; give it up there, or take it out of the site"
    return ""
