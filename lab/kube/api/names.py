"""What an object may be called; what the server names itself is always fine."""

from __future__ import annotations

import re

from lab.kube.errors import invalid
from lab.kube.objects import Obj
from lab.kube.resource import NAMESPACES, SERVICES, Resource

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SEGMENT = re.compile(r"[^/%]+")
_SUBDOMAIN_LENGTH, _LABEL_LENGTH = 253, 63


def check_name(resource: Resource, obj: Obj) -> None:
    """Raises Invalid. Namespaces have a rule of their own among the validations."""
    name = str(obj["metadata"].get("name") or "")
    if not name or resource == NAMESPACES or _fits(resource, name):
        return
    told = f"Invalid value: {name!r}: a name is lower case letters, digits, '-' and '.', and begins and ends with one"
    raise invalid(resource.kind, name, [("metadata.name", told)])


def _fits(resource: Resource, name: str) -> bool:
    if resource.group == "rbac.authorization.k8s.io":
        return name not in (".", "..") and _SEGMENT.fullmatch(name) is not None
    if resource == SERVICES:
        return len(name) <= _LABEL_LENGTH and _LABEL.fullmatch(name) is not None
    return len(name) <= _SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(name) is not None
