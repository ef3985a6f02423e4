"""From ``apiVersion`` and ``kind`` to a URL, by asking the server: plurals are not guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from rollout.adapters.kube.api import KubeApi, Refused, failed
from rollout.adapters.kube.view import Resource
from rollout.adapters.kube.watch import Collection, State, wait_for
from rollout.errors import StepFailed
from rollout.model.role import Json

ESTABLISHED_WITHIN = timedelta(seconds=15)
"""A chart's own CRDs are usually served within a second of the install that brought them."""

_CRDS = Collection("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")


@dataclass(frozen=True, slots=True)
class Kind:
    """An object's type as it names it."""

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def base(self) -> str:
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"


class Resources:
    """What the server serves, remembered. Unknown kinds are asked for again: a chart may just have brought them."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._known: dict[Kind, Resource] = {}

    def path(self, item: Json) -> str:
        """The object's own URL. Raises :class:`StepFailed` if the server has no such kind."""
        kind = Kind(str(item["apiVersion"]), str(item["kind"]))
        resource = self._find(kind)
        meta = item["metadata"]
        place = f"/namespaces/{quote(meta['namespace'], safe='')}" if resource.namespaced else ""
        return f"{kind.base}{place}/{resource.name}/{quote(meta['name'], safe='')}"

    def _find(self, kind: Kind) -> Resource:
        found = self._known.get(kind) or self._discover(kind)
        if found is None and kind.group:
            wait_for(self._api, _CRDS, lambda state: _established(state, kind), ESTABLISHED_WITHIN)
            found = self._discover(kind)
        if found is None:
            raise StepFailed(
                f"the cluster serves no {kind.kind} of {kind.api_version}",
                where=self._api.where,
                hint="install the chart that brings this kind first, in a version that serves it",
            )
        return found

    def _discover(self, kind: Kind) -> Resource | None:
        try:
            listed = self._api.get(kind.base).get("resources") or []
        except Refused as refused:
            if refused.refusal.code == 404:
                return None
            raise failed(
                refused, self._api.where, f"cannot ask for the kinds of {kind.api_version}"
            ) from None
        for resource in _whole(Resource.model_validate(item) for item in listed):
            self._known[Kind(kind.api_version, resource.kind)] = resource
        return self._known.get(kind)


def _whole(resources: Iterable[Resource]) -> Iterable[Resource]:
    """Without subresources such as ``nodes/status``, which share their parent's kind."""
    return (resource for resource in resources if "/" not in resource.name)


def _established(state: State, kind: Kind) -> bool | None:
    """True once a CRD of that kind is served; None while it is not."""
    for crd in state.values():
        spec = crd.get("spec", {})
        if (spec.get("group"), spec.get("names", {}).get("kind")) != (kind.group, kind.kind):
            continue
        conditions = crd.get("status", {}).get("conditions") or []
        if any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions):
            return True
    return None
