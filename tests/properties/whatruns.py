"""What runs and what is asked for in a case, worked out from the observation with none of the planner's code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.properties import raw
from tests.properties.fleets import Case


def running(case: Case, subject: str) -> str | None:
    """What the subject's own release (for Kubernetes, the API) says it runs at."""
    if case.kind(subject) == "kubernetes":
        return case.observed.kubernetes
    return case.roles[subject].installed_version(case.observed.charts)


def component_versions(case: Case, subject: str) -> Mapping[str, frozenset[str]]:
    """Component to the versions seen of it. Pods that are leaving do not count."""
    found: dict[str, set[str]] = {}
    role = case.roles[subject]
    kind = role.proxies()
    for proxy in case.observed.proxies:
        if kind and proxy.mesh == subject and proxy.node and not proxy.terminating:
            found.setdefault(kind.component, set()).add(proxy.version)
    for agent in case.observed.agents:
        if agent.subject == subject and not agent.terminating:
            found.setdefault(agent.component, set()).add(agent.version.removeprefix("v"))
    if role.kind == "kubernetes":
        found["kubelet"] = {n.kubelet.removeprefix("v") for n in case.observed.nodes if n.kubelet}
        found["apiserver"] = {(case.observed.kubernetes or "").removeprefix("v")}
    return {component: frozenset(versions) for component, versions in found.items()}


def everything(case: Case, subject: str) -> frozenset[str]:
    """Every version of the subject that is anywhere, among components that are numbered like it."""
    found = [v for c, vs in component_versions(case, subject).items() if alike(case, subject, c) for v in vs]
    now = running(case, subject)
    return frozenset([*found, *([now] if now else [])])


def alike(case: Case, subject: str, component: str) -> bool:
    return not (case.kind(subject) == "consul" and component in ("control-plane", "dataplane"))


def placed(case: Case, subject: str) -> list[str]:
    kind = case.kind(subject)
    return [v for v in everything(case, subject) if raw.readable(kind, v) and raw.line_of(kind, v)]


def goals(case: Case) -> Iterator[tuple[str, str]]:
    """Targets of known subjects."""
    return ((subject, version) for subject, version in case.targets if subject in case.roles)


def method_of(case: Case, subject: str) -> str:
    mesh = next((mesh for mesh in case.site.meshes if mesh.name == subject), None)
    return mesh.method.value if mesh and case.kind(subject) == "istio" else "any"


def below(case: Case, subject: str, version: str) -> bool:
    kind = case.kind(subject)
    return any(raw.place(kind, version) < raw.place(kind, other) for other in placed(case, subject))


def line_index(case: Case, subject: str, version: str) -> int:
    kind = case.kind(subject)
    return [row["line"] for row in raw.lines(kind)].index(raw.line_of(kind, version))
