"""What is supported for one site as its file says it: each subject's version on the site's Kubernetes, and the next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from rollout.model.mesh import DataPlane, Mesh
from rollout.model.site import Site
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import (
    RuleVerdict,
    UnknownLine,
    VersionInvalid,
    artifact_verdicts,
    jump_verdicts,
    latest_patch,
    line_row,
    lines,
    place,
    support_verdicts,
)
from rollout.rules.support import kubernetes_verdict

_WORDS = {(True, False): "refused", (False, True): "warns", (False, False): "supported"}


@dataclass(frozen=True, slots=True)
class Hop:
    """One release that the subject may go to in one hop; ``verdict`` is about the site's Kubernetes."""

    to: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Standing:
    """``said`` are the verdicts' own sentences about the version that the site file pins."""

    subject: str
    kind: str
    version: str
    verdict: str
    said: tuple[str, ...]
    hops: tuple[Hop, ...]

    def document(self) -> dict[str, Any]:
        hops = [{"to": hop.to, "verdict": hop.verdict} for hop in self.hops]
        head = {"subject": self.subject, "kind": self.kind, "version": self.version}
        return {**head, "verdict": self.verdict, "said": list(self.said), "hops": hops}


def subjects_of(site: Site) -> tuple[tuple[str, str, str, str], ...]:
    """Name, rules' kind, method and version of everything that the site's file pins."""
    meshes = tuple((mesh.name, kind_of_mesh(mesh), mesh.method.value, mesh.version) for mesh in site.meshes)
    metallb = ("metallb", "metallb", "any", site.metallb.version)
    return (*meshes, metallb, ("kubernetes", "kubernetes", "any", site.kubernetes.version))


def kind_of_mesh(mesh: Mesh) -> str:
    return "istio-ambient" if mesh.data_plane is DataPlane.AMBIENT else mesh.kind.value


def standings(book: RuleBook, site: Site, today: date) -> tuple[Standing, ...]:
    return tuple(_standing(book, site, *subject, today) for subject in subjects_of(site))


def _standing(
    book: RuleBook, site: Site, name: str, kind: str, method: str, version: str, today: date
) -> Standing:
    text = _full(book, kind, version)
    try:
        verdicts = list(support_verdicts(book, kind, text, site.kubernetes.version, today=today))
    except (UnknownLine, VersionInvalid) as error:
        return Standing(name, kind, version, "unknown", (str(error),), ())
    verdicts += [v for at in _places(site, name) for v in artifact_verdicts(book, kind, at, today)]
    hops = tuple(_hops(book, site, kind, method, text))
    return Standing(name, kind, version, _worst(verdicts), tuple(v.arithmetic for v in verdicts), hops)


def _full(book: RuleBook, kind: str, version: str) -> str:
    """A site file may pin Kubernetes by line only; any release of the line stands for it here."""
    return f"{version}.0" if kind == "kubernetes" and version in lines(book, kind) else version


def _places(site: Site, name: str) -> Iterator[str]:
    if name == "metallb":
        yield site.metallb.charts.location
    yield from (mesh.charts.location for mesh in site.meshes if mesh.name == name)


def _worst(verdicts: list[RuleVerdict]) -> str:
    refused = any(verdict.refuses for verdict in verdicts)
    return _WORDS[refused, not refused and any(verdict.warns for verdict in verdicts)]


def _hops(book: RuleBook, site: Site, kind: str, method: str, version: str) -> Iterator[Hop]:
    """Newer lines that one hop reaches, by the newest release that the data has seen of each, or else its first."""
    here = place(book, kind, version)
    for line in lines(book, kind):
        row = line_row(book, kind, line)
        if row is None:
            continue
        target = latest_patch(book, kind, line) or row.edge or f"{line}.0"
        if place(book, kind, target) <= here:
            continue
        if any(verdict.refuses for verdict in jump_verdicts(book, kind, method, version, target)):
            continue
        verdict = kubernetes_verdict(row, kind, site.kubernetes.version)
        yield Hop(target, "supported" if kind == "kubernetes" else _worst([verdict]))


def render_standings(site: Site, found: tuple[Standing, ...]) -> str:
    """For people: one line per subject, its sentences below, wrapped at 100 columns."""
    lines_ = [f"Site {site.name}, Kubernetes {site.kubernetes.version}"]
    for one in found:
        name = one.subject if one.subject == one.kind else f"{one.subject} ({one.kind})"
        lines_.append(f"  {f'{name} {one.version}':<34} {one.verdict}")
        hops = ", ".join(h.to if h.verdict == "supported" else f"{h.to} ({h.verdict} here)" for h in one.hops)
        for text in (*one.said, f"one hop: {hops}" if hops else "one hop: nothing newer is known"):
            lines_ += textwrap.wrap(text, 100, initial_indent="    ", subsequent_indent="      ")
    return "\n".join(lines_)
