"""Ways from the control plane to nodes and pods: the API server calls kubelets and webhooks there."""

from __future__ import annotations

from collections.abc import Iterator

from lab.command import run
from lab.state import LabState, oob_namespace
from rollout.model.site import Site


def routes(site: Site, state: LabState) -> Iterator[str]:
    """For ``ip -batch`` in the out-of-band namespace: each node's fabric address and pod network."""
    for index, node in enumerate(site.nodes, start=1):
        via = state.host(node.name).oob_address
        yield f"route replace {node.fabric_address}/32 via {via}"
        yield f"route replace 10.244.{index}.0/24 via {via}"


def reach(site: Site, state: LabState) -> None:
    """Raises RackrollError when ``ip`` refuses."""
    script = "".join(f"{line}\n" for line in routes(site, state))
    run(["ip", "-n", oob_namespace(site.name), "-batch", "-"], stdin=script)
