"""Pods from templates, and names that change exactly when a template does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from lab.kube.objects import Obj, name_of, namespace_of, owner_reference

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Mapping[str, Any]) -> str:
    """Ten letters that stand for this pod template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])


def pod_from(owner: Obj, template: Mapping[str, Any], labels: Mapping[str, str]) -> Obj:
    """A pod of ``owner`` with these labels besides the template's; the store names it."""
    meta = template.get("metadata") or {}
    return {
        "metadata": {
            "generateName": f"{name_of(owner)}-",
            "namespace": namespace_of(owner),
            "labels": {**(meta.get("labels") or {}), **labels},
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": dict(template["spec"]),
    }
