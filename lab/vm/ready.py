"""Waiting for the machines' kubelets: each says Ready once its agent has the whole of the API's state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

from rollout.adapters.kube.api import connect
from rollout.errors import RackrollError
from rollout.model.site import Site

_WITHIN = timedelta(minutes=15)
"""An emulated machine loads Python and its packages in a minute, beside others in five."""


def await_nodes(site: Site) -> None:
    """Raises RackrollError with who is missing."""
    api = connect(site.kubernetes)
    deadline = time.monotonic() + _WITHIN.total_seconds()
    while True:
        missing = {node.name for node in site.nodes} - set(_ready(api.request("GET", "/api/v1/nodes")))
        if not missing:
            return
        if time.monotonic() > deadline:
            names = ", ".join(sorted(missing))
            hint = "on the machine: journalctl -u rackroll-agent"
            raise RackrollError(f"no kubelet has reported from {names}", where="lab", hint=hint)
        time.sleep(1)


def _ready(nodes: object) -> Iterator[str]:
    assert isinstance(nodes, dict)
    for node in nodes["items"]:
        conditions = (node.get("status") or {}).get("conditions") or ()
        if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            yield node["metadata"]["name"]
