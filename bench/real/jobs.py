"""What is measured on a real cluster: each job in a process of its own, as a user would start it.

``python -m bench.real.jobs JOB SITE_FOLDER RACK ...`` prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.jobs import high_water
from rollout.model.site import Site


@dataclass(frozen=True, slots=True)
class Measured:
    """``peak_mib`` is the process's own high-water mark; zero where it is not ours."""

    seconds: float
    nodes: int
    peak_mib: float
    detail: str = ""


def workers(site: Site, racks: Sequence[str]) -> list[str]:
    return [node.name for rack in racks for node in site.rack(rack).nodes if not node.gateway]


def drain(site: Site, racks: Sequence[str]) -> Measured:
    """The engine's own effects, one node after another: cordon, evict by the budgets, wait until gone, uncordon."""
    from rollout.cli.world import build_world
    from rollout.engine.context import Run
    from rollout.engine.effects.dispatch import carry_out
    from rollout.model.step import Cordon, EvictAll, Uncordon

    run = Run("bench", build_world(site))
    names = workers(site, racks)
    began = time.perf_counter()
    for name in names:
        for effect in (Cordon(name), EvictAll(name), Uncordon(name)):
            carry_out(run, effect)
    return Measured(time.perf_counter() - began, len(names), high_water())


def kubectl(site: Site, racks: Sequence[str]) -> Measured:
    """``kubectl drain`` and ``uncordon`` of a rack's workers by label: one process for a rack, its best case."""
    from lab.control.tools import find

    program = [str(find("kube-1.35", "kubectl")), f"--kubeconfig={site.kubernetes.kubeconfig}"]
    began = time.perf_counter()
    for rack in racks:
        chosen = f"{site.rack_label}={rack},!{site.gateway_label}"
        _quietly([*program, "drain", "-l", chosen, "--ignore-daemonsets", "--delete-emptydir-data"])
        _quietly([*program, "uncordon", "-l", chosen])
    return Measured(time.perf_counter() - began, len(workers(site, racks)), 0.0)


def _quietly(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def pods(site: Site, racks: Sequence[str]) -> Measured:
    """Every pod of the cluster through the adapter that the checks use, as values of ours."""
    del racks
    from rollout.adapters.kube.workloads import KubeWorkloads
    from rollout.cli.world import roles_of

    workloads = KubeWorkloads(site, roles_of(site))
    workloads.budgets()
    before = high_water()
    began = time.perf_counter()
    found = workloads.pods()
    took = time.perf_counter() - began
    return Measured(took, 0, high_water(), f"{len(found):,} pods; {before:.0f} MiB before the list")


JOBS = {"drain": drain, "kubectl": kubectl, "pods": pods}


def main(argv: Sequence[str]) -> None:
    from rollout.site.load import load_site

    job, folder, *racks = argv
    print(json.dumps(asdict(JOBS[job](load_site(Path(folder)), racks))))


if __name__ == "__main__":
    main(sys.argv[1:])
