"""Which pods a move would evict, which images it needs, and which workloads have lost their proxy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from rollout.checks.facts import Absent, ImageFacts, InjectionFacts, Unknown
from rollout.engine.aims import Leaving
from rollout.engine.context import Run
from rollout.errors import RackrollError
from rollout.model.image import canonical, tag_version, with_version
from rollout.model.mesh import DataPlane, Mesh, MeshKind
from rollout.model.rekey import RenewProxies
from rollout.model.step import Evict, EvictAll, ReplaceAgents
from rollout.model.workload import NodeImages, PodState


def leaving(run: Run, node: str | None) -> tuple[PodState, ...]:
    """In the order in which they would be evicted; without a plan, what a drain and our own evictions would take."""
    pods = [pod for pod in run.world.workloads.pods(node) if not pod.terminating and pod.node]
    if node is None or node not in run.aims.visits:
        ours = {each.name for each in run.site.nodes}
        return tuple(pod for pod in pods if (pod.evictable or pod.proxy) and pod.node in ours)
    taken = [pod for effect in run.aims.visits[node] for pod in pods if _takes(effect, pod)]
    return tuple({(pod.namespace, pod.name): pod for pod in taken}.values())


def _takes(effect: Leaving, pod: PodState) -> bool:
    match effect:
        case Evict(_, mesh, version):
            return pod.proxy is not None and pod.proxy[0] == mesh and pod.proxy[1] != version
        case RenewProxies(mesh=mesh):
            return pod.proxy is not None and pod.proxy[0] == mesh
        case EvictAll():
            return pod.evictable
        case ReplaceAgents():
            return False  # deleted, not evicted: a DaemonSet's pod is under no budget
    assert_never(effect)


def images(run: Run, node: str | None) -> tuple[ImageFacts, ...] | Absent:
    if not run.site.policy.images_required:
        return Absent("not required (policy.images is off)")
    pods = run.world.workloads.pods(node)
    nodes = (node,) if node else tuple(each.name for each in run.site.nodes)
    return tuple(_images(run, each, [pod for pod in pods if pod.node == each]) for each in nodes)


def _images(run: Run, node: str, pods: list[PodState]) -> ImageFacts:
    wanted = {
        image
        for move in _moves(run, node)
        for pod in pods
        if move.of(pod)
        for found in pod.images
        if tag_version(found) in move.before
        for image in (canonical(found), canonical(with_version(found, tag_version(found), move.after)))
    }
    found: NodeImages | Unknown = NodeImages(frozenset())
    if wanted:
        try:
            found = run.world.workloads.images(node)
        except RackrollError as error:
            found = Unknown(error.message)
    return ImageFacts(node, tuple(sorted(wanted)), found)


@dataclass(frozen=True, slots=True)
class _Move:
    """What takes a subject's images from versions that may run now to the one to come."""

    subject: str
    before: frozenset[str]
    after: str
    agents: bool

    def of(self, pod: PodState) -> bool:
        """Agents are DaemonSet pods without a proxy of their own; their tag tells whose they are."""
        if self.agents:
            return pod.proxy is None and not pod.evictable
        return pod.proxy is not None and pod.proxy[0] == self.subject


def _moves(run: Run, node: str) -> Iterator[_Move]:
    """Without a plan: the proxies at the versions that the site file names."""
    if not run.aims.versions:
        for mesh in run.site.meshes:
            yield _Move(mesh.name, frozenset({mesh.version}), mesh.version, agents=False)
    for effect in run.aims.visits.get(node, ()):
        match effect:
            case Evict(_, subject, version):
                yield _Move(subject, _of_proxies(run, subject), version, agents=False)
            case ReplaceAgents(_, subject, components, version):
                role, found = run.world.roles[subject], _versions_of(run, subject)
                own = frozenset(role.component_version(components[0], before) for before in found)
                yield _Move(subject, own, version, agents=True)
            case EvictAll() | RenewProxies():
                continue
            case _:
                assert_never(effect)


def _versions_of(run: Run, subject: str) -> frozenset[str]:
    return run.aims.versions.get(subject, frozenset())


def _of_proxies(run: Run, subject: str) -> frozenset[str]:
    """What its proxies may call themselves during the plan: some count apart from their control plane."""
    role, versions = run.world.roles[subject], _versions_of(run, subject)
    proxies = role.proxies()
    if proxies is None:
        return versions
    return frozenset(role.component_version(proxies.component, version) for version in versions)


def injection(run: Run, node: str | None) -> tuple[InjectionFacts, ...]:
    meshes = [mesh for mesh in run.site.meshes if _injects(mesh)]
    pods = [pod for pod in run.world.workloads.pods(node) if not pod.terminating] if meshes else []
    return tuple(_injection(run, mesh, pods) for mesh in meshes)


def _injection(run: Run, mesh: Mesh, pods: list[PodState]) -> InjectionFacts:
    expected = [pod for pod in pods if pod.namespace in mesh.namespaces and _expects(mesh, pod)]
    return InjectionFacts(mesh.name, tuple(expected), _versions(run, mesh))


def _injects(mesh: Mesh) -> bool:
    if mesh.kind is MeshKind.ISTIO:
        return mesh.data_plane is DataPlane.SIDECAR
    return mesh.kind in (MeshKind.LINKERD, MeshKind.CONSUL)


def _expects(mesh: Mesh, pod: PodState) -> bool:
    """Consul injects only what asks for it; the others everything that does not decline."""
    return pod.proxy is not None or (
        pod.asked is True if mesh.kind is MeshKind.CONSUL else pod.asked is not False
    )


def _versions(run: Run, mesh: Mesh) -> frozenset[str] | None:
    """In a plan: before and after (any, for a mesh that does not move). Else what is installed, and the site's."""
    if run.aims.versions:
        return _of_proxies(run, mesh.name) or None
    role = run.world.roles[mesh.name]
    installed = role.installed_version(run.world.charts.releases())
    proxies = role.proxies()
    component = proxies.component if proxies else ""
    return frozenset(role.component_version(component, v) for v in (mesh.version, installed) if v)
