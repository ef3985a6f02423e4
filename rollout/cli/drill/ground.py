"""What a drill's lab stands on: network namespaces or virtual machines, and what each of them bears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from lab.lifecycle import up as embedded_up
from lab.sitecopy import copy_site
from lab.vm.lifecycle import up as machines_up
from lab.vm.machines import read_machines
from lab.vm.preflight import native
from lab.vm.sitefile import write_site
from rollout.model.site import Site

ROOT = Path(__file__).resolve().parents[3]
LAB_SITE = ROOT / "inventory" / "lab"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """Namespaces on one kernel. Two drills at once need different names and different loopback ranges.

    ``patience``: seconds for one thing to come true. ``window``: seconds in which every pair has shaken hands.
    """

    name: str = "drill"
    loopback: str = "127.86."
    patience: float = 120.0
    window: float = 2.0
    step_timeout: str = "150s"
    vm: bool = False

    @property
    def label(self) -> str:
        return "embedded; meshes simulated, TLS handshakes real"

    @property
    def pairs(self) -> Mapping[str, str]:
        """Environment of the pairs beyond their manifest's."""
        return MappingProxyType({})

    def lay(self, folder: Path) -> None:
        """Write ``folder/site.yaml``."""
        copy_site(LAB_SITE, folder, name=self.name, loopback=self.loopback)

    def up(self, site: Site, say: Say) -> None:
        """Raises RackrollError."""
        embedded_up(site, progress=say)


@dataclass(frozen=True, slots=True)
class Machines(Ground):
    """vagrant/topology.yaml, which has one name and one loopback range: one such lab at a time.

    On an emulated processor a TLS handshake took up to a second: with one a second and pair nothing else got
    through, not even a login. What a starved machine answers late is late, not failed.
    """

    patience: float = 1500.0
    window: float = 30.0
    step_timeout: str = "900s"
    vm: bool = True

    @property
    def label(self) -> str:
        how = "on the processor" if native() else "emulated: no figure of time is hardware's"
        rate = self.pairs["LAB_RATE"]
        return f"virtual machines, {how}; {rate} handshakes a second and pair; meshes simulated, TLS handshakes real"

    @property
    def pairs(self) -> Mapping[str, str]:
        rate, timeout = ("12", "5") if native() else ("0.3", "30")
        return MappingProxyType({"LAB_RATE": rate, "LAB_TIMEOUT": timeout, "LAB_LINGER_SECONDS": timeout})

    def lay(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_site(read_machines(), folder)

    def up(self, site: Site, say: Say) -> None:
        machines_up(site.folder, progress=say, laid=True)


def machines() -> Machines:
    """As vagrant/topology.yaml has them."""
    known = read_machines()
    return Machines(known.site, known.loopback)
