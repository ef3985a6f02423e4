"""The site of the virtual machines: the lab's own site file with their racks, and what else differs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.sitecopy import copy_site
from lab.vm.machines import ROOT, Machines
from rollout.errors import RackrollError

BASE = ROOT / "inventory" / "lab"
MARK = "# Made by `rackroll lab up --vm` from vagrant/topology.yaml; made again by the next one.\n"


def refuse_foreign(folder: Path) -> None:
    """Raises RackrollError where somebody's own site lies: ``-i`` (or RACKROLL_INVENTORY) may well name one."""
    file = folder / "site.yaml"
    if file.exists() and not file.read_text(encoding="utf-8").startswith(MARK):
        hint = "leave -i out (and RACKROLL_INVENTORY), or name a new folder"
        raise RackrollError("here is a site that the lab did not make", where=str(file), hint=hint)


def write_site(machines: Machines, folder: Path) -> Path:
    """``folder/site.yaml`` and, for plain pyinfra, ``hosts.py``. Returns ``folder``."""
    copy_site(BASE, folder, name=machines.site, loopback=machines.loopback)
    file = folder / "site.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["racks"] = [_rack(machines, rack, document) for rack in machines.racks]
    for section, values in machines.differs.items():
        document[section] |= values
    file.write_text(MARK + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    (folder / "hosts.py").write_text((BASE / "hosts.py").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def _rack(machines: Machines, rack: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    tor = rack["tor"]
    accepts = document["racks"][0]["tor"]["accepts"]
    switch = {"name": tor["name"], "platform": "frr", "asn": tor["asn"], "accepts": accepts}
    return {
        "name": rack["name"],
        "failureDomain": rack["failureDomain"],
        "tor": switch | _reached(machines, tor["address"]),
        "nodes": [
            {
                "name": node["name"],
                **_reached(machines, node["address"]),
                "gateway": node.get("gateway", False),
            }
            for node in rack["nodes"]
        ],
    }


def _reached(machines: Machines, address: str) -> dict[str, Any]:
    """The last two octets of the fabric address, under the lab's own loopback range."""
    tail = ".".join(address.split(".")[2:])
    return {"ssh": {"address": machines.loopback + tail}, "fabric": address}
