"""One fleet on a real control plane, its racks dealt out to rackroll and to kubectl in turns, and what each cost."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.real.jobs import Measured
from rollout.model.site import Site
from tests.real.cluster import PATIENT, PATIENT_LEASE_SECONDS, real_cluster
from tests.real.fleet import ADMISSION, Sized, fleet_of, populate, real_site, settled

USERS = {"drain": "bench-rackroll", "kubectl": "bench-kubectl", "pods": "bench-list"}
VERSION = "1.30.3"


@dataclass(frozen=True, slots=True)
class Scale:
    """``rolled`` racks are drained by each of the two; ``pods`` is about how many the cluster holds."""

    racks: int = 40
    nodes_per_rack: int = 25
    rolled: int = 8
    pods: int = 5000


@dataclass(frozen=True, slots=True)
class Cost:
    """``requests`` by verb and resource, from the API server's audit log."""

    measured: Measured
    requests: Counter[str]

    @property
    def per_node(self) -> float:
        return self.requests.total() / max(self.measured.nodes, 1)

    @property
    def seconds_per_node(self) -> float:
        return self.measured.seconds / max(self.measured.nodes, 1)


Say = Callable[[str], None]


def measure(scale: Scale, folder: Path, say: Say) -> dict[str, Cost]:
    """Raises ToolMissing where `make tools` was not run."""
    audit = folder / "audit.log"
    flags = [*ADMISSION, *_audited(folder, audit)]
    with real_cluster(
        folder / "cluster",
        lease_seconds=PATIENT_LEASE_SECONDS,
        kube_apiserver=flags,
        kube_controller_manager=PATIENT,
    ) as cluster:
        fleet = fleet_of(cluster, real_site(folder / "admin", _sized(scale), cluster.kubeconfig))
        workers = scale.pods - 2 * len(fleet.site.gateway_nodes)
        say(f"{scale.racks * scale.nodes_per_rack:,} nodes and {scale.pods:,} pods ...")
        populate(fleet, VERSION, workers, tenants=0)
        measured: dict[str, list[Measured]] = {job: [] for job in USERS}
        sites = {
            job: _site_of(cluster.plane.user(user, ["system:masters"]), folder, user, scale)
            for job, user in USERS.items()
        }
        say("pods: listed")
        measured["pods"] = [_in_its_own_process("pods", folder / USERS["pods"], []) for _ in range(3)]
        for turn, rack in enumerate(_spread(fleet.site, 2 * scale.rolled)):
            job = ("drain", "kubectl")[turn % 2]
            say(f"{job}: rack {rack}")
            measured[job].append(_in_its_own_process(job, sites[job], [rack]))
            settled(fleet)
    asked = _asked(audit)
    return {job: Cost(_together(parts), asked[USERS[job]]) for job, parts in measured.items()}


def _sized(scale: Scale) -> Sized:
    return Sized(scale.racks, scale.nodes_per_rack, pacing="{stepTimeout: 300s}", policy="{}")


def _site_of(kubeconfig: Path, folder: Path, user: str, scale: Scale) -> Path:
    """A site folder of the same fleet under a user of its own, so that the audit log tells them apart."""
    real_site(folder / user, _sized(scale), kubeconfig)
    return folder / user


def _spread(site: Site, count: int) -> list[str]:
    return [rack.name for rack in site.racks][:count]


def _audited(folder: Path, log: Path) -> list[str]:
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "Metadata", "users": list(USERS.values())}, {"level": "None"}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.yaml").write_text(json.dumps(policy))
    return [
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={log}",
        "--audit-log-mode=blocking",
    ]


def _asked(audit: Path) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {user: Counter() for user in USERS.values()}
    for line in audit.read_text().splitlines():
        entry = json.loads(line)
        about = entry.get("objectRef") or {"resource": "discovery"}
        resource = "/".join(filter(None, (about.get("resource", "discovery"), about.get("subresource"))))
        found[entry["user"]["username"]][f"{entry['verb']} {resource}"] += 1
    return found


def _in_its_own_process(job: str, site: Path, racks: Sequence[str]) -> Measured:
    command = [sys.executable, "-m", "bench.real.jobs", job, str(site), *racks]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job}: {done.stderr.strip()[-2000:]}")
    return Measured(**json.loads(done.stdout))


def _together(parts: Sequence[Measured]) -> Measured:
    """Seconds and nodes add up; where no node was rolled the quickest try counts."""
    nodes = sum(part.nodes for part in parts)
    seconds = sum(part.seconds for part in parts) if nodes else min(part.seconds for part in parts)
    return Measured(seconds, nodes, max(part.peak_mib for part in parts), parts[-1].detail)


def removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
