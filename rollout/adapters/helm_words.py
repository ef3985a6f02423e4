"""What helm prints, as values; and what it complains of, as errors of ours. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyhelm3 import errors

from rollout.errors import RackrollError, StepFailed, Unreachable
from rollout.model.observed import ChartState

_CHART = re.compile(r"(?P<chart>.+?)-(?P<version>v?\d+\.\d+\.\d+.*)\Z")
_NO_API = re.compile(
    r"cluster unreachable|connection refused|no such host|i/o timeout|network is unreachable|EOF$",
    re.I | re.M,
)
_CHATTER = re.compile(r"WARNING|level=(INFO|WARN|DEBUG)|[IW]\d{4} ")
_LONGEST = 600  # characters of helm's words that are passed on


@dataclass(frozen=True, slots=True)
class Revision:
    """One line of a release's history."""

    number: int
    status: str
    chart: str
    version: str
    updated: datetime

    @property
    def pending(self) -> bool:
        return self.status.startswith("pending-")

    @property
    def once_deployed(self) -> bool:
        return self.status in ("deployed", "superseded")


def revision(line: dict[str, Any]) -> Revision:
    chart, version = _split(str(line["chart"]))
    updated = datetime.fromisoformat(_seconds(str(line["updated"])))
    return Revision(int(line["revision"]), str(line["status"]), chart, version, updated)


def release_state(item: dict[str, Any]) -> ChartState:
    chart, version = _split(str(item["chart"]))
    name, namespace = str(item["name"]), str(item["namespace"])
    return ChartState(name, namespace, chart, version, str(item["status"]), int(item["revision"]))


def _split(chart: str) -> tuple[str, str]:
    """``gateway-1.31.1`` and ``consul-k8s-1.9.0-rc.1``: the first dash before a full version parts them."""
    found = _CHART.match(chart)
    return (found["chart"], found["version"]) if found else (chart, "")


def _seconds(stamp: str) -> str:
    """Go prints nanoseconds, Python 3.11 reads microseconds; whole seconds are enough here."""
    return re.sub(r"\.\d+", "", stamp)


def failure(error: errors.Error, what: str, where: str) -> RackrollError:
    """A webhook that refuses a connection is the API's answer; only helm's own way to the API can be unreachable."""
    words = _words(error)
    lost = isinstance(error, errors.ConnectionError) or (_NO_API.search(words) and "webhook" not in words)
    if lost:
        hint = "check the API server and, for a chart from a registry, the way to it"
        return Unreachable(f"helm could not {what}: {words}", where=where, hint=hint)
    return StepFailed(f"helm could not {what}: {words}", where=where, hint=_hint(error, words))


def _words(error: errors.Error) -> str:
    """Helm prints a chain of causes after ``Error:``, and warnings and the client library's log lines above it."""
    lines = [line.strip() for line in error.stderr.decode(errors="replace").splitlines()]
    said = [line for line in lines if line and not _CHATTER.match(line)]
    return "; ".join(said).removeprefix("Error: ")[:_LONGEST] or f"exit code {error.returncode}"


def _hint(error: errors.Error, words: str) -> str:
    if isinstance(error, errors.ChartNotFoundError):
        return "check the chart source and the version in site.yaml"
    if isinstance(error, errors.ResourceAlreadyExistsError) or "cannot be imported" in words:
        return (
            "the object belongs to somebody else: remove it, or hand it to this release by Helm's annotations"
        )
    if "conflict occurred while applying" in words:
        return "whoever it names has changed what the chart says: take that back (kubectl edit), then `rackroll resume`"
    unfit = "executing " in words or "don't meet the specifications of the schema" in words
    if isinstance(error, errors.FailedToRenderChartError) or unfit:
        return "the chart does not take these values in this version: compare its values.yaml"
    return "fix the cause, then `rackroll resume`"
