"""Which rights we lack, as the API server's own authorizer answers for us."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from rollout.adapters.kube.api import KubeApi, Refused, connect, failed
from rollout.model.rights import Right
from rollout.model.site import Site

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class KubeRights:
    """Implements :class:`rollout.engine.ports.Rights`."""

    def __init__(self, site: Site, wanted: Sequence[Right], api: KubeApi | None = None) -> None:
        self._site = site
        self._wanted = wanted
        self._given = api

    @cached_property
    def _api(self) -> KubeApi:
        return self._given or connect(self._site.kubernetes)

    def missing(self) -> tuple[Right, ...]:
        """One review for each: a list of all our rules may be incomplete where a webhook authorizes."""
        return tuple(right for right in self._wanted if not self._allowed(right))

    def _allowed(self, right: Right) -> bool:
        resource, _, subresource = right.resource.partition("/")
        about = {"group": right.group, "resource": resource, "subresource": subresource, "verb": right.verb}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": about},
        }
        try:
            answer = self._api.request("POST", _PATH, body=body)
        except Refused as refused:
            raise failed(refused, self._api.where, "cannot ask for our own rights") from None
        return bool(answer.get("status", {}).get("allowed"))
