"""What parent and child say to each other: one job in, one result out, as JSON. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from rollout.engine.ports import HostOutcome
from rollout.model.site import ClockProfile, KernelProfile, Node, Site


@dataclass(frozen=True, slots=True)
class Job:
    """``deploy``: the file that says what shall be so, the one that the plain pyinfra command runs too.

    ``hosts``: host name to pyinfra host data. Seconds as floats, as JSON has no durations.
    """

    deploy: str
    dry_run: bool
    connect_timeout: float
    hosts: Mapping[str, Mapping[str, Any]]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        return Job(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Result:
    """``failure``: the job itself could not run; then ``outcomes`` may lack hosts."""

    outcomes: tuple[HostOutcome, ...]
    failure: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Result:
        raw = json.loads(text)
        outcomes = (HostOutcome(o["node"], tuple(o["changed"]), o["error"]) for o in raw["outcomes"])
        return Result(tuple(outcomes), raw["failure"])


def host_data(site: Site, node: Node) -> dict[str, Any]:
    """One node as pyinfra host data: how to log in, and the profiles as plain data.

    Host keys are strict: pyinfra's default would trust whoever answers first.
    """
    return {
        "ssh_hostname": node.ssh.address,
        "ssh_port": node.ssh.port,
        "ssh_user": node.ssh.user,
        "ssh_key": str(node.ssh.key_file),
        "ssh_known_hosts_file": str(node.ssh.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "kernel": {"sysctls": [list(pair) for pair in site.kernel.sysctls]},
        "clock": {
            "servers": list(site.clock.servers),
            "makestep_threshold": site.clock.makestep_threshold.total_seconds(),
            "makestep_updates": site.clock.makestep_updates,
            "max_offset": site.clock.max_offset.total_seconds(),
        },
    }


def kernel_profile(data: Mapping[str, Any]) -> KernelProfile:
    return KernelProfile(tuple((str(key), str(value)) for key, value in data["sysctls"]))


def clock_profile(data: Mapping[str, Any]) -> ClockProfile:
    return ClockProfile(
        servers=tuple(data["servers"]),
        makestep_threshold=timedelta(seconds=data["makestep_threshold"]),
        makestep_updates=int(data["makestep_updates"]),
        max_offset=timedelta(seconds=data["max_offset"]),
    )
