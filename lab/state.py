"""What is up, as one small file (``<site folder>/.lab/state.json``) that every part of the lab reads.

It is written after each part of ``up``. Taking down does not depend on it: the namespaces' names are in
:mod:`lab.registry`, and every process of a host is found by the namespace it lives in.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.process import ProcessRef
from rollout.errors import RackrollError


class Role(StrEnum):
    NODE = "node"
    TOR = "tor"
    SPINE = "spine"
    CLIENT = "client"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class HostState:
    """One running lab host, reached by ssh at ``forward`` (``address:port`` on the machine's loopback).

    ``share`` is a folder of the machine that the host sees as ``/run/lab``.
    """

    name: str
    role: Role
    namespace: str
    init: ProcessRef
    oob_address: str
    fabric_address: str | None
    forward: str | None
    share: Path


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A process of the lab that is no host: the forwarder, the resilient-hash watcher, the daemon."""

    name: str
    process: ProcessRef


@dataclass(frozen=True, slots=True)
class LabState:
    """``complete`` turns True only when every part answered; until then ``up`` starts afresh.

    ``real``: upstream's Kubernetes and MetalLB in the place of the simulated ones.
    """

    site: str
    folder: Path
    complete: bool
    hosts: tuple[HostState, ...] = field(default=())
    services: tuple[ServiceState, ...] = field(default=())
    real: bool = False

    def host(self, name: str) -> HostState:
        found = next((host for host in self.hosts if host.name == name), None)
        if found is None:
            known = ", ".join(host.name for host in self.hosts) or "none"
            hint = f"running hosts: {known}"
            raise RackrollError(f"no lab host {name!r}", where=str(self.folder), hint=hint)
        return found

    def service(self, name: str) -> ServiceState | None:
        return next((service for service in self.services if service.name == name), None)


def lab_folder(site_folder: Path) -> Path:
    return site_folder / ".lab"


def share_folder(site_folder: Path, host: str) -> Path:
    return lab_folder(site_folder) / "hosts" / host


def log_folder(site_folder: Path) -> Path:
    return lab_folder(site_folder) / "logs"


def namespace_of(site: str, host: str) -> str:
    return f"rr-{site}-{host}"


def oob_namespace(site: str) -> str:
    """The namespace of the out-of-band bridge; no host may be called ``oob``."""
    return namespace_of(site, "oob")


def read_state(site_folder: Path) -> LabState:
    """The lab of this site; raises RackrollError when it is not up or its state file cannot be read."""
    state = find_state(site_folder)
    if state is None:
        raise RackrollError("the lab is not up", where=str(site_folder), hint="run `rackroll lab up`")
    return state


def find_state(site_folder: Path) -> LabState | None:
    """As :func:`read_state`, but None when there is no lab; a broken file still raises."""
    path = lab_folder(site_folder) / "state.json"
    try:
        return _decode(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        hint = "run `rackroll lab down`, then `rackroll lab up`"
        raise RackrollError(f"broken lab state ({error!r})", where=str(path), hint=hint) from error


def write_state(state: LabState) -> None:
    """Replace the file in one rename: a reader sees the old state or the new one, never half of it."""
    path = lab_folder(state.folder) / "state.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state), default=str, indent=1))
    draft.replace(path)


def _decode(raw: dict[str, Any]) -> LabState:
    return LabState(
        site=raw["site"],
        folder=Path(raw["folder"]),
        complete=raw["complete"],
        hosts=tuple(_decode_host(item) for item in raw["hosts"]),
        services=tuple(ServiceState(item["name"], ProcessRef(**item["process"])) for item in raw["services"]),
        real=raw.get("real", False),
    )


def _decode_host(raw: dict[str, Any]) -> HostState:
    process = ProcessRef(**raw["init"])
    return HostState(**{**raw, "role": Role(raw["role"]), "init": process, "share": Path(raw["share"])})
