"""What is measured: each job prepares its inputs, then does its one timed thing. Runs in a process of its own.

``python -m bench.jobs JOB RACKS NODES_PER_RACK GATEWAYS_PER_RACK SIDECARS`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.fleet import AFTER, BEFORE, Shape, observed_of, site_text

if TYPE_CHECKING:
    from rollout.model.plan import Plan
    from rollout.model.site import Site

T = TypeVar("T")
Timed = Callable[[Callable[[], T]], T]


@dataclass(frozen=True, slots=True)
class Figure:
    """``peak_mib`` is the process's own high-water mark (VmHWM), inputs and interpreter included. ``cpu`` is what
    ``seconds`` would be on a machine with nothing else to do."""

    job: str
    seconds: float
    cpu: float
    peak_mib: float
    detail: str


def load(shape: Shape, timed: Timed[Site]) -> str:
    """The site file's text to the frozen model, every rule of the site file checked."""
    folder = _written(shape)
    from rollout.site.load import load_site

    return f"{len(timed(lambda: load_site(folder)).nodes):,} nodes"


def load_and_plan(shape: Shape, timed: Timed[Plan]) -> str:
    """What a user waits for, our imports included; what was observed is put together in between."""
    folder = _written(shape)
    plan = timed(lambda: _plan_of(folder, shape))
    return f"{plan.steps:,} steps, {len(plan.proof.states):,} proven states"


def plan(shape: Shape, timed: Timed[Plan]) -> str:
    """Planning alone, proof included."""
    from bench.calls import planned
    from rollout.cli.world import roles_of
    from rollout.site.load import load_site

    site = load_site(_written(shape))
    roles = roles_of(site)
    observed = observed_of(site, roles, _versions(site), sidecars=shape.sidecars)
    made = timed(lambda: planned(site, observed, roles, "istio", AFTER))
    return f"{made.steps:,} steps"


def dump(shape: Shape, timed: Timed[str]) -> str:
    from rollout.planner.codec import dump as dumped

    made = _plan_of(_written(shape), shape)
    return f"{len(timed(lambda: dumped(made))) / 2**20:.1f} MiB of JSON"


def read(shape: Shape, timed: Timed[Plan]) -> str:
    """A plan file's text to a plan, its id computed again."""
    from rollout.planner.codec import dump as dumped
    from rollout.planner.codec import load as loaded

    text = dumped(_plan_of(_written(shape), shape))
    return f"{timed(lambda: loaded(text)).steps:,} steps"


def verify(shape: Shape, timed: Timed[int]) -> str:
    """Every state of the plan checked again without the planner's code."""
    from bench.calls import verified
    from rollout.planner.codec import dump as dumped

    text = dumped(_plan_of(_written(shape), shape))
    return f"{timed(lambda: verified(text)):,} states"


JOBS: dict[str, Callable[..., str]] = {
    "load": load,
    "load+plan": load_and_plan,
    "plan": plan,
    "dump": dump,
    "read": read,
    "verify": verify,
}


def _written(shape: Shape) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rackroll-bench-"))
    (folder / "site.yaml").write_text(site_text(shape), encoding="utf-8")
    return folder


def _versions(site: Site) -> dict[str, str]:
    return {"metallb": site.metallb.version, "kubernetes": "1.35.4"} | {m.name: BEFORE for m in site.meshes}


def _plan_of(folder: Path, shape: Shape) -> Plan:
    from bench.calls import planned
    from rollout.cli.world import roles_of
    from rollout.site.load import load_site

    site = load_site(folder)
    roles = roles_of(site)
    observed = observed_of(site, roles, _versions(site), sidecars=shape.sidecars)
    return planned(site, observed, roles, "istio", AFTER)


def high_water() -> float:
    """MiB. ``getrusage`` would not do: its figure is inherited from a larger parent across fork and exec."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this benchmark needs Linux")


def measure(job: str, shape: Shape) -> Figure:
    took: list[tuple[float, float]] = []

    def timed(work: Callable[[], T]) -> T:
        began, cpu = time.perf_counter(), time.process_time()
        result = work()
        took.append((time.perf_counter() - began, time.process_time() - cpu))
        return result

    detail = JOBS[job](shape, timed)
    return Figure(job, *took[0], high_water(), detail)


def main(argv: list[str]) -> None:
    figure = measure(argv[0], Shape(*map(int, argv[1:])))
    print(json.dumps([figure.seconds, figure.cpu, figure.peak_mib, figure.detail]))


if __name__ == "__main__":
    main(sys.argv[1:])
