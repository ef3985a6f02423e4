"""What a machine's agent is given before the machine boots, in its share folder: who it is, and how it is let in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.kube.credentials import credentials_in, kubeconfig, write_atomically
from lab.state import lab_folder, share_folder
from lab.topology import API_PORT, OOB_BRIDGE, Topology
from lab.vm.code import PLACE
from lab.vm.machines import ROOT
from lab.vm.nodes import certificates
from rollout.model.site import Site

SHARE = Path("/run/lab")
"""Where the machine sees its share folder."""

GIVEN = "agent"
_NODE = "node.json"


@dataclass(frozen=True, slots=True)
class Given:
    """``nodes``: the out-of-band address of each node of the site."""

    node: str
    nodes: Mapping[str, str]


def read_given(share: Path) -> Given:
    """Raises OSError where nothing was given."""
    return Given(**json.loads((share / GIVEN / _NODE).read_text()))


def give(site: Site, topology: Topology, folder: Path) -> None:
    """Write it for every node; all of it is for root's eyes alone."""
    nodes = {node.name: str(topology.host(node.name).oob_address) for node in site.nodes}
    text = kubeconfig(
        credentials_in(lab_folder(folder) / "api"), API_PORT, site.name, address=str(OOB_BRIDGE.ip)
    )
    known = certificates(folder)
    seen = (folder / "site.yaml").read_text().replace(str(ROOT), str(PLACE / "repo"))  # where its charts are
    for node in site.nodes:
        target = share_folder(folder, node.name) / GIVEN
        target.mkdir(mode=0o700)
        serving = known.serving(f"kubelet-{node.name}", [node.name], [node.ssh.address, nodes[node.name]])
        shutil.copy(serving.certificate, target / "kubelet.crt")
        shutil.copy(serving.key, target / "kubelet.key")
        shutil.copy(known.authority.certificate, target / "ca.crt")
        (target / "site.yaml").write_text(seen)
        write_atomically(target / "kubeconfig", text, mode=0o600)
        write_atomically(target / _NODE, json.dumps(asdict(Given(node.name, nodes))))
