"""How each mesh moves: a key that its kind has no use for is refused, for somebody believes in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.model.mesh import DataPlane, MeshKind, Method
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import meshes, repeated
from rollout.site.schema import SiteFile
from rollout.site.subjects import MeshSection
from rollout.site.versions import linkerd_name

ISTIO, LINKERD, CILIUM, CONSUL = MeshKind.ISTIO, MeshKind.LINKERD, MeshKind.CILIUM, MeshKind.CONSUL
_USED_BY = {
    "gateways": ((ISTIO, CONSUL), "has no gateways of its own"),
    "namespaces": ((ISTIO, LINKERD, CONSUL), "is not asked for by namespace"),
    "dataPlane": ((ISTIO,), "has one data plane only"),
    "method": ((ISTIO,), "is upgraded in one way only"),
    "tag": ((ISTIO,), "has no revision tags"),
    "releases": ((LINKERD, CONSUL), "numbers its charts like its releases"),
    "extensions": ((LINKERD,), "has no extensions"),
    "servers": ((CONSUL,), "has no servers that keep state"),
    "backup": ((CONSUL,), "has no state to back up, so nobody would run this"),
}
_CHARTS = {
    ISTIO: ("base", "istiod", "cni", "ztunnel", "gateway"),
    LINKERD: ("linkerd-crds", "linkerd-control-plane"),
    CILIUM: ("cilium",),
    CONSUL: ("consul",),
}


def versions_fit_their_kind(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        if mesh.kind is not LINKERD and linkerd_name(mesh.version):
            what = f"is '{mesh.version}', a release's name of Linkerd, but the mesh is {mesh.kind.value}"
            yield Problem((*path, "version"), what, "one exact version such as 1.30.3")


def keys_fit_their_kind(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        for key, (kinds, why) in _USED_BY.items():
            if mesh.kind not in kinds and key in _given(mesh):
                listed = " or ".join(kind.value for kind in kinds)
                yield Problem(
                    (*path, key), f"means nothing for {mesh.kind.value}, which {why}", f"{listed} only"
                )


def _given(mesh: MeshSection) -> set[str]:
    """Keys that the file holds and that say something: an empty list asks for nothing."""
    fields = type(mesh).model_fields
    return {fields[name].alias or name for name in mesh.model_fields_set if getattr(mesh, name) != ()}


def revisions_have_a_tag(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        by_revision = mesh.method is Method.REVISION and mesh.data_plane is DataPlane.SIDECAR
        if by_revision and mesh.tag is None:
            what = "is revision, but no tag says what namespaces and gateways follow"
            yield Problem((*path, "method"), what, "a tag of your choice beside it, such as tag: prod")
        if by_revision and mesh.tag == "default":
            what = "is 'default', the tag that also answers for namespaces that name none"
            yield Problem((*path, "tag"), what, "a tag of your own, such as prod")
        if mesh.tag is not None and not by_revision and mesh.kind is ISTIO:
            what = f"is '{mesh.tag}', but this mesh is not upgraded by revision: no tag would ever move"
            yield Problem((*path, "tag"), what, "method: revision beside it, or no tag")


def ambient_moves_in_place(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        if mesh.data_plane is DataPlane.AMBIENT and mesh.method is Method.REVISION:
            what = (
                "is revision, but ambient's ztunnel and cni agent exist once per node, whatever the revision"
            )
            yield Problem((*path, "method"), what, "method: in-place", other=(*path, "dataPlane"))


def releases_are_unambiguous(file: SiteFile, _: Path) -> Iterator[Problem]:
    """What runs is read from the chart's number: two releases in one chart could not be told apart."""
    for path, mesh in meshes(file):
        versions: list[tuple[FieldPath, str]] = []
        charts: list[tuple[FieldPath, str]] = []
        for index, release in enumerate(mesh.releases):
            versions.append(((*path, "releases", index, "version"), release.version))
            charts.append(((*path, "releases", index, "chart"), release.chart))
        yield from repeated(versions, lambda version: f"the version {version}", "each version once")
        yield from repeated(charts, lambda chart: f"the chart {chart}", "a chart of its own for each version")


def the_own_version_has_its_chart(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        known = [release.version for release in mesh.releases]
        if mesh.kind is CONSUL and mesh.version not in known:
            what = f"is '{mesh.version}', and releases does not say which chart carries it"
            expected = f"releases: [{{version: {mesh.version}, chart: ...}}]; Consul and its chart are numbered apart"
            yield Problem((*path, "version"), what, expected)


def values_are_for_own_charts(file: SiteFile, _: Path) -> Iterator[Problem]:
    for path, mesh in meshes(file):
        known = (*_CHARTS[mesh.kind], *(f"linkerd-{name}" for name in mesh.extensions))
        for values in mesh.values:
            if values.chart not in known:
                what = f"is for a chart that {mesh.kind.value} does not install"
                yield Problem((*path, "values", values.chart), what, "values for: " + ", ".join(known))
