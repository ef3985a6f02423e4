"""Record what the fleet looks like, and keep it with the run: the ground for a report's before and after.

One JSON file for each snapshot, ``<run directory>/snapshots/<run>/<name>.json``. Reading one that this version
did not write is refused by its format's name, never guessed at.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from rollout.engine.context import Run
from rollout.engine.observe import observe
from rollout.errors import RackrollError, StepFailed
from rollout.model.observed import Observed
from rollout.model.site import Site
from rollout.model.snapshot import Endpoints, NextHops, Serving, Snapshot, VersionCount
from rollout.planner.serving import ready

FORMAT: Final = "rackroll/snapshot/v1"
SIDECARS: Final = "sidecars"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SHAPE: Final = TypeAdapter(Snapshot)


def take(run: Run, name: str) -> Snapshot:
    """Look at everything once. Raises Unreachable if a ToR or the cluster does not answer: a gap is no fact."""
    if not _NAME.fullmatch(name):
        raise StepFailed(f"{name!r} cannot name a snapshot", hint="small letters, digits and hyphens only")
    found = observe(run.world)
    site = run.site
    return Snapshot(
        run=run.id,
        name=name,
        site=site.name,
        taken=datetime.now(UTC),
        kubernetes=found.kubernetes,
        versions=tuple(_versions(found)),
        endpoints=tuple(Endpoints(g.name, g.vip, tuple(sorted(ready(found, g)))) for g in site.gateways),
        next_hops=tuple(_next_hops(found)),
        serving=tuple(_serving(run, site)),
        nodes=tuple(sorted(found.nodes, key=lambda node: node.name)),
        charts=tuple(sorted(found.charts, key=lambda chart: (chart.namespace, chart.release))),
    )


def _versions(found: Observed) -> Iterator[VersionCount]:
    """Pods that are leaving do not count: what replaces them is counted already, or is missing."""
    all_of: Counter[tuple[str, str, str]] = Counter()
    ready_of: Counter[tuple[str, str, str]] = Counter()
    proxies = ((p.mesh, p.gateway or SIDECARS, p.version, p.ready, p.terminating) for p in found.proxies)
    agents = ((a.subject, a.component, a.version, a.ready, a.terminating) for a in found.agents)
    for subject, component, version, is_ready, leaving in (*proxies, *agents):
        if not leaving:
            all_of[subject, component, version] += 1
            ready_of[subject, component, version] += is_ready
    for (subject, component, version), count in sorted(all_of.items()):
        yield VersionCount(subject, component, version, count, ready_of[subject, component, version])


def _next_hops(found: Observed) -> Iterator[NextHops]:
    for entry in sorted(found.rib, key=lambda e: (e.switch, str(e.vip))):
        yield NextHops(entry.switch, entry.vip, tuple(sorted(entry.next_hops, key=int)))


def _serving(run: Run, site: Site) -> Iterator[Serving]:
    for gateway in site.gateways:
        try:
            found = run.world.certificates.serving(gateway)
        except RackrollError as error:
            found = Serving(gateway.name, None, error.message)
        yield found


def file_of(folder: Path, run: str, name: str) -> Path:
    """``folder`` is the run directory."""
    return folder / "snapshots" / run / f"{name}.json"


def keep(folder: Path, snapshot: Snapshot) -> Path:
    """Written aside and renamed, so that a crash leaves all of it or nothing."""
    file = file_of(folder, snapshot.run, snapshot.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.tmp")
    document = {"format": FORMAT, **_SHAPE.dump_python(snapshot, mode="json")}
    with aside.open("w", encoding="utf-8") as stream:
        json.dump(document, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(file)
    return file


def read(folder: Path, run: str, name: str) -> Snapshot | None:
    """None if this run recorded none of that name. Raises RackrollError for a file that is not one of ours."""
    file = file_of(folder, run, name)
    try:
        raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if raw.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return _SHAPE.validate_json(json.dumps(raw))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        hint = "it was edited, or another version wrote it: move it away and report again"
        raise RackrollError(f"not a snapshot of ours: {reason}", where=str(file), hint=hint) from None
