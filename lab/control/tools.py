"""Which upstream programs are run for real, and where each is found: PATH first, then rackroll's cache.

Nothing here builds anything: `make tools` does (scripts/get-tools.py), from the pins in ``tests/tools``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rollout.adapters.helm_program import tools_folder, version_numbers
from rollout.errors import RackrollError

_ANSWER_WITHIN = 20.0  # seconds, for a program to say its version


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its package in the family's module, and how it says its version.

    ``asks`` is empty for a program that cannot tell; such a one is taken from the cache only.
    """

    name: str
    package: str
    asks: tuple[str, ...] = ("--version",)


@dataclass(frozen=True, slots=True)
class Family:
    """Programs of one Go module at one pin (``tests/tools/<name>/go.mod``).

    ``says`` is what a program of the right version prints; ``stamp`` are linker variables that carry the
    version, ``{version}`` with its ``v``, because a module that was not built from its repository has none.
    ``charts`` are folders of the module. A family without programs is only pinned for them.
    """

    name: str
    module: str
    says: str = ""
    programs: tuple[Program, ...] = ()
    stamp: tuple[tuple[str, str], ...] = ()
    charts: tuple[str, ...] = ()


def _kube(minor: str) -> Family:
    programs = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    stamps = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return Family(
        name=f"kube-{minor}",
        module="k8s.io/kubernetes",
        says=rf"v{re.escape(minor)}\.",
        programs=tuple(
            Program(name, f"k8s.io/kubernetes/cmd/{name}", ("version", "--client"))
            if name == "kubectl"
            else Program(name, f"k8s.io/kubernetes/cmd/{name}")
            for name in programs
        ),
        stamp=tuple(
            (f"{package}.{variable}", value)
            for package in stamps
            for variable, value in (
                ("gitVersion", "{version}"),
                ("gitMajor", minor.partition(".")[0]),
                ("gitMinor", minor.partition(".")[2]),
            )
        ),
    )


def _helm(major: str) -> Family:
    module = f"helm.sh/helm/v{major}"
    return Family(
        name=f"helm-{major}",
        module=module,
        says=rf"v{major}\.",
        programs=(Program("helm", f"{module}/cmd/helm", ("version", "--short")),),
        stamp=((f"{module}/internal/version.version", "{version}"),),
    )


def _istio(minor: str) -> Family:
    """Only the charts, which the module embeds; no module version of these is a release's own commit."""
    charts = ("base", "istio-control/istio-discovery", "istio-cni", "ztunnel", "gateway")
    return Family(
        f"istio-{minor}", "istio.io/istio", charts=tuple(f"manifests/charts/{name}" for name in charts)
    )


def _istiod(minor: str) -> Family:
    """Apart from the charts of the same pin, so that who wants those compiles nothing. It tells no version."""
    package = "istio.io/istio/pilot/cmd/pilot-discovery"
    return Family(f"istiod-{minor}", "istio.io/istio", programs=(Program("pilot-discovery", package, ()),))


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        _kube("1.35"),
        Family(
            "etcd", "go.etcd.io/etcd/server/v3", r"3\.[67]\.", (Program("etcd", "go.etcd.io/etcd/server/v3"),)
        ),
        Family("kwok", "sigs.k8s.io/kwok", r"v?0\.8\.", (Program("kwok", "sigs.k8s.io/kwok/cmd/kwok"),)),
        Family(
            "metallb",
            "go.universe.tf/metallb",
            "0.16.1",
            (
                Program("controller", "go.universe.tf/metallb/controller", ()),
                Program("speaker", "go.universe.tf/metallb/speaker", ()),
            ),
            charts=("charts/metallb",),
        ),
        Family("metallb-0.15", "go.universe.tf/metallb", charts=("charts/metallb",)),
        _istio("1.30"),
        _istio("1.31"),
        _helm("4"),
        _helm("3"),
        Family(
            "gobgp",
            "github.com/osrg/gobgp/v4",
            r"4\.",
            (
                Program("gobgpd", "github.com/osrg/gobgp/v4/cmd/gobgpd"),
                Program("gobgp", "github.com/osrg/gobgp/v4/cmd/gobgp"),
            ),
        ),
        _istiod("1.31"),
        Family(
            "consul",
            "github.com/hashicorp/consul",
            r"Consul v1\.14\.",
            (Program("consul", "github.com/hashicorp/consul", ("version",)),),
        ),
        _kube("1.36"),
        _kube("1.34"),
    )
}
"""In the order in which `make tools` builds them: what most tests need comes first."""


class ToolMissing(RackrollError):
    """An upstream program is neither on PATH nor built."""


def find(family: str, program: str) -> Path:
    """The program of that family. Raises :class:`ToolMissing` with what to run."""
    known = FAMILIES[family]
    wanted = next(item for item in known.programs if item.name == program)
    found = fitting(known, wanted) or _built(known, program)
    if found is None:
        raise ToolMissing(
            f"there is no {program} of {family}",
            where=f"PATH, KUBEBUILDER_ASSETS and {folder(known)}",
            hint=f"`make tools ARGS={family}` builds it from its Go module, once",
        )
    return found


def require(minor: str) -> None:
    """What a real lab of this Kubernetes minor runs. Raises :class:`ToolMissing` with all that is not there."""
    if f"kube-{minor}" not in FAMILIES:
        known = ", ".join(sorted(name.removeprefix("kube-") for name in FAMILIES if name.startswith("kube-")))
        raise ToolMissing(
            f"Kubernetes {minor} is not among those that can be built here",
            where="kubernetes.version in site.yaml",
            hint=f"use one of {known}",
        )
    missing = [name for name in (f"kube-{minor}", "etcd", "metallb") if not _complete(FAMILIES[name])]
    if missing:
        names = " ".join(missing)
        raise ToolMissing(
            f"upstream's programs are not built: {', '.join(missing)}",
            where=str(tools_folder()),
            hint=f'`make tools ARGS="{names}"` builds them from their Go modules, once, in some minutes',
        )


def _complete(family: Family) -> bool:
    there = all(fitting(family, p) or _built(family, p.name) for p in family.programs)
    return there and (not family.charts or any(folder(family).glob("*/charts")))


def fitting(family: Family, program: Program) -> Path | None:
    """One that the machine already has: in KUBEBUILDER_ASSETS or on PATH, and of the right version."""
    if not program.asks:
        return None
    return next((path for path in _present(program.name) if _fits(path, program.asks, family.says)), None)


def folder(family: Family) -> Path:
    """Where builds of this family are kept, one folder per version; outside the repository."""
    return tools_folder() / family.name


def charts(family: str) -> Path:
    """The folder of the family's own charts by their names, copied from its module. Raises :class:`ToolMissing`."""
    known = FAMILIES[family]
    found = next(iter(sorted(folder(known).glob("*/charts"), reverse=True)), None)
    if found is None:
        hint = f"`make tools ARGS={family}`"
        raise ToolMissing(f"the charts of {family} are not there", where=str(folder(known)), hint=hint)
    return found


def _present(name: str) -> Iterator[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / name, os.X_OK):
        yield Path(assets) / name
    found = shutil.which(name)
    if found:
        yield Path(found)


def _built(family: Family, program: str) -> Path | None:
    """The newest build; versions of one family differ in their patch number only."""
    found = sorted(folder(family).glob(f"v*/{program}"), key=lambda path: version_numbers(path.parent.name))
    return found[-1] if found else None


@cache
def _fits(path: Path, asks: tuple[str, ...], says: str) -> bool:
    try:
        done = subprocess.run(
            [path, *asks], capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and re.search(says, done.stdout + done.stderr) is not None
