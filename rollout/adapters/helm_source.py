"""A chart in a folder: whether it is the one asked for, and what ``helm package`` must stamp on it."""

from __future__ import annotations

from pathlib import Path

import yaml

from rollout.engine.ports import ChartRequest
from rollout.errors import StepFailed

PLACEHOLDERS = ("0.0.0", "1.0.0")
"""What source charts call themselves: Linkerd's (``0.0.0-undefined``) and ours the first, Istio's the second."""


def stamps_of(chart: Path, request: ChartRequest) -> list[str]:
    """Nothing for a chart that carries its number already: its images may be tagged by its own ``appVersion``.

    A ``v`` before the placeholder's ``appVersion`` is kept, for the same reason.
    """
    meta = _read(chart, request)
    version, app = str(meta.get("version", "")), str(meta.get("appVersion", ""))
    if version == request.version:
        return []
    if version.partition("-")[0] not in PLACEHOLDERS:
        raise StepFailed(
            f"the chart source has {request.chart} {version}, and {request.version} was asked for",
            where=str(chart),
            hint="put that version's chart there, or name a registry in site.yaml (charts: oci or http)",
        )
    prefix = "v" if app[:1] == "v" else ""
    return ["--version", request.version, "--app-version", prefix + request.version]


def _read(chart: Path, request: ChartRequest) -> dict[str, object]:
    try:
        meta = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise StepFailed(
            f"there is no chart {request.chart!r} in the chart source",
            where=str(chart),
            hint="name the folder that holds one folder per chart in site.yaml (charts: path)",
        ) from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise StepFailed(f"Chart.yaml cannot be read: {problem}", where=str(chart)) from None
    return meta if isinstance(meta, dict) else {}
