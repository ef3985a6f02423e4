"""Questions about permission, answered from the same rules that requests are held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.kube.access import Access, Asked, User
from lab.kube.objects import Obj, lookup

_BASE = "/apis/authorization.k8s.io/v1/"
_KINDS = {
    f"{_BASE}selfsubjectaccessreviews": "SelfSubjectAccessReview",
    f"{_BASE}subjectaccessreviews": "SubjectAccessReview",
}


def is_review(path: str) -> bool:
    return path in _KINDS


def review(access: Access, user: User, path: str, body: Any) -> Obj:
    """Everybody may ask for themselves; only resources are asked about, other paths are open to all."""
    kind, spec = _KINDS[path], lookup(body, "spec") or {}
    if kind == "SubjectAccessReview":
        user = User(str(spec.get("user", "")), frozenset(spec.get("groups") or ()))
    about = spec.get("resourceAttributes")
    allowed = access.allows(user, _asked(about)) if about else True
    return {
        "kind": kind,
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed},
    }


def _asked(about: Mapping[str, Any]) -> Asked:
    below = about.get("subresource")
    resource = f"{about.get('resource', '')}/{below}" if below else str(about.get("resource", ""))
    fields = (str(about.get(name) or "") for name in ("verb", "group", "namespace", "name"))
    verb, group, namespace, name = fields
    return Asked(verb, group, resource, namespace, name)
