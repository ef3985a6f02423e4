"""Marks that belong to somebody else, on nodes and on a ToR. They must be there afterwards as they were before."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from lab.host.enter import command
from rollout.adapters.kube.api import MERGE, connect
from rollout.model.site import Site

LABEL, NOTE = "team.example/keep", "team.example/why"
NEIGHBOR = "10.90.1.99"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A label and an annotation on every node, a BGP neighbor that no site file knows on the first ToR, and, once the
    run is through with it (or under way, if it has no business there), a cordon on the first worker."""

    site: Site

    def mark(self) -> None:
        api = connect(self.site.kubernetes)
        body = {"metadata": {"labels": {LABEL: "yes"}, "annotations": {NOTE: "not rackroll's"}}}
        for node in self.site.nodes:
            api.request("PATCH", f"/api/v1/nodes/{node.name}", body=body, content_type=MERGE)
        switch = self.site.switches[0]
        self._vtysh("configure terminal", f"router bgp {switch.asn}", f"neighbor {NEIGHBOR} remote-as 64999")

    @property
    def worker(self) -> str:
        return next(node.name for node in self.site.nodes if not node.gateway)

    def cordon(self) -> None:
        connect(self.site.kubernetes).request(
            "PATCH",
            f"/api/v1/nodes/{self.worker}",
            body={"spec": {"unschedulable": True}},
            content_type=MERGE,
        )

    def missing(self) -> list[str]:
        return list(self._missing())

    def _missing(self) -> Iterator[str]:
        api = connect(self.site.kubernetes)
        for node in api.get("/api/v1/nodes")["items"]:
            metadata = node["metadata"]
            if LABEL not in metadata.get("labels", {}) or NOTE not in metadata.get("annotations", {}):
                yield metadata["name"]
        if f"neighbor {NEIGHBOR} remote-as 64999" not in self._vtysh("show running-config"):
            yield self.site.switches[0].name

    def _vtysh(self, *lines: str) -> str:
        words = ["vtysh", *(word for line in lines for word in ("-c", line))]
        inside = command(self.site.folder, self.site.switches[0].name, words)
        return subprocess.run(inside, capture_output=True, text=True, check=True, timeout=30).stdout
