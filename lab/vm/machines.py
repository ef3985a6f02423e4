"""``vagrant/topology.yaml`` as values: the one description that Vagrant and the site are both made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rollout.errors import RackrollError

ROOT = Path(__file__).resolve().parents[2]
TOPOLOGY = ROOT / "vagrant" / "topology.yaml"


@dataclass(frozen=True, slots=True)
class Port:
    """One network interface of a machine; ``bridge`` is None for the end of a cable."""

    name: str
    mac: str
    bridge: str | None


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    mgmt: str
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Machines:
    """``loopback``: two octets and a dot. ``racks`` and ``differs`` go into the site file as they are."""

    site: str
    loopback: str
    machines: tuple[Machine, ...]
    racks: tuple[Mapping[str, Any], ...]
    differs: Mapping[str, Any]

    @property
    def bridges(self) -> tuple[str, ...]:
        return tuple(port.bridge for machine in self.machines for port in machine.ports if port.bridge)

    def uplink(self, tor: str) -> str:
        """The bridge into which this ToR's uplink is plugged."""
        machine = next(machine for machine in self.machines if machine.name == tor)
        return next(port.bridge for port in machine.ports if port.bridge)


def read_machines(path: Path = TOPOLOGY) -> Machines:
    """Raises RackrollError where the racks and the machines do not name the same hosts."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = Machines(
        site=raw["site"],
        loopback=str(raw["loopback"]),
        machines=tuple(_machine(name, item) for name, item in raw["machines"].items()),
        racks=tuple(raw["racks"]),
        differs=raw["differs"],
    )
    named, built = set(_named(found)), {machine.name for machine in found.machines}
    if named != built:
        odd = ", ".join(sorted(named ^ built))
        raise RackrollError(
            f"in racks or machines, but not in both: {odd}", where=str(path), hint="fix that file"
        )
    return found


def _machine(name: str, raw: Mapping[str, Any]) -> Machine:
    ports = (Port(port, item["mac"], item.get("bridge")) for port, item in raw["ports"].items())
    return Machine(name, raw["mgmt"], tuple(ports))


def _named(machines: Machines) -> Iterator[str]:
    for rack in machines.racks:
        yield rack["tor"]["name"]
        yield from (node["name"] for node in rack["nodes"])
