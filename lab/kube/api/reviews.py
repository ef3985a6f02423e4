"""Questions about permission: whoever has the lab's token may do everything."""

from __future__ import annotations

from lab.kube.objects import Obj

_ALLOWED = {
    "selfsubjectaccessreviews": ("SelfSubjectAccessReview", {"allowed": True}),
    "subjectaccessreviews": ("SubjectAccessReview", {"allowed": True}),
}


def review(path: str) -> Obj | None:
    """The answer to a POST on ``path``, None if it is no review."""
    head, _, plural = path.rpartition("/")
    if head != "/apis/authorization.k8s.io/v1" or plural not in _ALLOWED:
        return None
    kind, status = _ALLOWED[plural]
    return {
        "kind": kind,
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": {},
        "status": status,
    }
