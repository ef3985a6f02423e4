"""One mesh's move to a version: everything that the preconditions and the waves ask about, worked out once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.model.observed import Observed, ProxyState
from rollout.model.plan import Target
from rollout.model.role import SubjectRole
from rollout.model.site import Mesh, Node, Site
from rollout.planner.refuse import refuse
from rollout.rules.version import Version, VersionInvalid, parse


@dataclass(frozen=True, slots=True)
class Move:
    """``control`` is what the charts say runs, ``proxies`` what is bound to a node and not already leaving."""

    site: Site
    observed: Observed
    role: SubjectRole
    mesh: Mesh
    control: Version
    target: Version
    proxies: tuple[ProxyState, ...]
    by_node: Mapping[str, frozenset[Version]]
    old_gateways: frozenset[str]
    gateway_total: int

    @property
    def version(self) -> str:
        return str(self.target)

    @property
    def goal(self) -> Target:
        return Target(self.mesh.name, str(self.control), self.version)

    def data_plane(self) -> tuple[Version, ...]:
        return tuple(sorted(frozenset().union(*self.by_node.values())))

    def moves(self, node: Node) -> bool:
        """Something of this mesh on the node is not at the target."""
        return bool(self.by_node.get(node.name, frozenset()) - {self.target})

    def moves_gateway(self, node: Node) -> bool:
        return node.gateway and node.name in self.old_gateways


def move_of(
    site: Site, observed: Observed, roles: Mapping[str, SubjectRole], subject: str, version: str
) -> Move:
    """Raises PlanRefused for a subject the site lacks, a version that floats, or a mesh that does not run."""
    mesh = mesh_of(site, subject)
    role = roles[subject]
    proxies = tuple(p for p in observed.proxies if p.mesh == subject and p.node and not p.terminating)
    target = pinned(version)
    return Move(
        site=site,
        observed=observed,
        role=role,
        mesh=mesh,
        control=_installed(role, observed),
        target=target,
        proxies=proxies,
        by_node=_by_node(proxies),
        old_gateways=frozenset(p.node or "" for p in proxies if p.gateway and _read(p) != target),
        gateway_total=len(site.gateway_nodes),
    )


def mesh_of(site: Site, subject: str) -> Mesh:
    """The site's mesh of that name; PlanRefused otherwise. Needs nothing observed, so it can be asked first."""
    mesh = next((mesh for mesh in site.meshes if mesh.name == subject), None)
    if mesh is not None:
        return mesh
    known = ", ".join(mesh.name for mesh in site.meshes) or "none"
    what = "MetalLB's speakers restart fleet-wide" if subject == "metallb" else f"no mesh {subject!r} here"
    raise refuse("PLAN-SUBJECT-01", f"{what}; meshes of {site.name}: {known}", fix=f"name one of: {known}")


def _by_node(proxies: tuple[ProxyState, ...]) -> Mapping[str, frozenset[Version]]:
    found: defaultdict[str, set[Version]] = defaultdict(set)
    for proxy in proxies:
        found[proxy.node or ""].add(_read(proxy))
    return {node: frozenset(versions) for node, versions in found.items()}


def pinned(version: str) -> Version:
    try:
        return parse(version)
    except VersionInvalid as error:
        raise refuse("PLAN-VERSION-01", str(error), fix="give a full version, like 1.31.1") from None


def _installed(role: SubjectRole, observed: Observed) -> Version:
    found = role.installed_version(observed.charts)
    if found is None:
        text = f"{role.name} is not installed"
        raise refuse("PLAN-OBSERVED-01", text, fix="run `rackroll plan bringup` first")
    try:
        return parse(found)
    except VersionInvalid as error:
        text = f"the installed {role.name} cannot be placed: {error}"
        raise refuse("PLAN-OBSERVED-01", text, fix="see `helm list -A`; install a released version") from None


def _read(proxy: ProxyState) -> Version:
    try:
        return parse(proxy.version)
    except VersionInvalid:
        text = f"proxy {proxy.namespace}/{proxy.pod} says version {proxy.version!r}"
        raise refuse("PLAN-OBSERVED-01", text, fix="restart that pod, or take it out of the mesh") from None
