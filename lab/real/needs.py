"""What a real lab needs of the machine and of its site, asked before anything is built."""

from __future__ import annotations

from pathlib import Path

import yaml

from lab.control import tools
from rollout.errors import RackrollError
from rollout.model.mesh import ChartSourceKind
from rollout.model.site import Site

_STAND_IN = "rackroll.io/stand-in"


def require(site: Site) -> None:
    """Raises RackrollError with what is missing and what to do."""
    tools.require(site.kubernetes.version)
    if _is_stand_in(site):
        raise RackrollError(
            "MetalLB's own programs need MetalLB's own chart, and this site names the lab's stand-in",
            where="metallb.charts in site.yaml",
            hint=f"set it to {{path: {tools.charts('metallb')}}}, which `make tools` copied from MetalLB's module",
        )


def _is_stand_in(site: Site) -> bool:
    source = site.metallb.charts
    chart = Path(source.location) / "metallb" / "Chart.yaml"
    if source.kind is not ChartSourceKind.PATH or not chart.is_file():
        return False
    written = yaml.safe_load(chart.read_text(encoding="utf-8")) or {}
    return _STAND_IN in (written.get("annotations") or {})
