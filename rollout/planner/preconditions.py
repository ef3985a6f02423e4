"""What must hold before a plan exists: versions and charts. One function per question, each refusing with its rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rollout.model.observed import Observed
from rollout.model.plan import Target
from rollout.model.role import SubjectRole
from rollout.planner.components import HOP_ORDER
from rollout.planner.leg import Leg
from rollout.planner.refuse import refuse, require
from rollout.planner.request import Request
from rollout.planner.standing import bare
from rollout.rules.book import RuleBook
from rollout.rules.evaluate import (
    Release,
    RuleVerdict,
    UnknownLine,
    VersionInvalid,
    artifact_verdicts,
    downgrade_verdicts,
    jump_verdicts,
    latest_patch,
    new_behaviours,
    place,
    support_verdicts,
)


def pinned(book: RuleBook, kind: str, version: str) -> Release:
    """A target names exactly one release of a known line: nothing floats, and nothing unknown is planned."""
    try:
        return place(book, kind, version)
    except UnknownLine as error:
        fix = "choose a known line, or add its row to the rules' data (`rules/*.toml` beside the site file)"
        raise refuse("PLAN-VERSION-02", str(error), fix=fix) from None
    except VersionInvalid as error:
        raise refuse("PLAN-VERSION-01", str(error), fix="give a full version, like 1.31.1") from None


def observed_release(book: RuleBook, kind: str, version: str, what: str, fix: str) -> Release:
    """What runs must have a place among its kind's releases, or no rule could be asked about it."""
    try:
        return place(book, kind, version)
    except UnknownLine as error:
        raise refuse("PLAN-OBSERVED-02", f"{what}: {error}", fix=fix) from None
    except VersionInvalid as error:
        raise refuse("PLAN-OBSERVED-01", f"{what}: {error}", fix=fix) from None


def versions_are_known(request: Request, targets: Iterable[Target]) -> None:
    """Target, what the charts say, and every pod of the subject."""
    for target in targets:
        role, book = request.roles[target.subject], request.book
        pinned(book, role.kind, target.after)
        fix = "see `helm list -A`; install a released version, or add its line to the rules' data"
        observed_release(
            book, role.kind, target.before or "", f"the installed {role.name} cannot be placed", fix
        )
        for version, what in _running(request.observed, role):
            if version:
                fix = "restart that pod, or take it out of the mesh"
                observed_release(book, role.kind, version, f"{what} says version {version!r}", fix)


def _running(observed: Observed, role: SubjectRole) -> Iterator[tuple[str, str]]:
    """Version and where it was seen, of the components that are numbered like their subject; each version once."""
    seen: dict[str, str] = {}
    if _numbered_alike(role, _proxy_component(role)):
        for proxy in observed.proxies:
            if proxy.mesh == role.name and proxy.node and not proxy.terminating:
                seen.setdefault(proxy.version, f"proxy {proxy.namespace}/{proxy.pod}")
    for agent in observed.agents:
        if agent.subject == role.name and not agent.terminating and _numbered_alike(role, agent.component):
            name = f"{agent.component} {agent.namespace}/{agent.pod}"
            seen.setdefault(bare(agent.subject, agent.version), name)
    yield from seen.items()


def _proxy_component(role: SubjectRole) -> str:
    kind = role.proxies()
    return kind.component if kind is not None else "proxy"


def _numbered_alike(role: SubjectRole, component: str) -> bool:
    """Whether the component carries its subject's own version. Not asked of one version: Consul 2.0's dataplane is
    2.0 as well, the one before it was 1.9."""
    return component in HOP_ORDER.get(role.kind, (component,))


def goes_up(request: Request, target: Target) -> None:
    """Never below what runs anywhere: going back is a rollback, in the other order."""
    role, book = request.roles[target.subject], request.book
    running = {place(book, role.kind, v) for v, _ in _running(request.observed, role) if v}
    newest = max({place(book, role.kind, target.before or ""), *running})
    verdicts = downgrade_verdicts(book, role.kind, newest.text, target.after)
    for verdict in verdicts:
        require(verdict, where=target.subject)
    if not verdicts and place(book, role.kind, target.after) < newest:
        text = f"{target.subject} {target.after} against {newest}, which runs"
        raise refuse("PLAN-DOWN-01", text, fix="take the run back with `rackroll rollback` instead")


def jump_is_legal(request: Request, leg: Leg) -> None:
    for verdict in jump_verdicts(
        request.book, leg.role.kind, leg.recipe.method, leg.hop.before, leg.hop.after
    ):
        require(verdict, where=leg.subject)


def jump_warnings(request: Request, leg: Leg) -> Iterator[str]:
    """What upstream advises against, or has stopped to support, without forbidding it."""
    kind, hop = leg.role.kind, leg.hop
    ended = support_verdicts(request.book, kind, hop.after, None, today=request.today)
    for verdict in (*jump_verdicts(request.book, kind, leg.recipe.method, hop.before, hop.after), *ended):
        if verdict.warns:
            yield f"{verdict.rule}: {verdict.arithmetic} [{verdict.provenance.source}]"
    yield from _news(request, leg)


def _news(request: Request, leg: Leg) -> Iterator[str]:
    """What the move brings that an operator should have read, and places that a way back will not find any more."""
    kind, hop = leg.role.kind, leg.hop
    for row in new_behaviours(request.book, kind, hop.before, hop.after):
        yield f"{row.id}: {row.component}: {row.says} [{row.source}]"
    if request.today is None or not leg.role.charts():
        return
    for verdict in artifact_verdicts(request.book, kind, leg.role.source().location, request.today):
        if verdict.warns:
            yield f"{verdict.rule}: {verdict.arithmetic}; {verdict.fix} [{verdict.provenance.source}]"


def kubernetes_is_supported(
    request: Request, kind: str, version: str, kubernetes: str | None
) -> Iterator[RuleVerdict]:
    """Refuses; yields what only warns."""
    for verdict in support_verdicts(request.book, kind, version, kubernetes, today=request.today):
        require(verdict, where=kind)
        if verdict.warns:
            yield verdict


def newer_than_known(book: RuleBook, kind: str, version: str) -> str | None:
    """A patch that the data has not seen may exist by now, or be a slip of the finger: said, not refused."""
    goal = place(book, kind, version)
    latest = latest_patch(book, kind, goal.line)
    if latest is None or goal <= place(book, kind, latest):
        return None
    return f"{kind} {version}: the newest {goal.line} that the rules have seen is {latest}; make sure that it exists"


def charts_are_at_rest(observed: Observed, role: SubjectRole) -> None:
    for chart in role.charts():
        found = observed.chart(chart.namespace, chart.release)
        if found is not None and found.status.startswith("pending"):
            text = f"Helm release {chart.namespace}/{chart.release} is {found.status} at revision {found.revision}"
            fix = "resume the run that did it, or `helm rollback` it, then plan again"
            raise refuse("PLAN-CHART-01", text, fix=fix)


def agents_were_seen(request: Request, role: SubjectRole, components: Iterable[str]) -> None:
    """Agents that move node by node must have been seen: no data is not "up to date"."""
    seen = {agent.component for agent in request.observed.agents if agent.subject == role.name}
    if any(state.kubelet for state in request.observed.nodes) and role.kind == "kubernetes":
        seen.add("kubelet")
    for component in components:
        if component not in seen:
            text = f"no {component} of {role.name} was seen on any node"
            fix = f"see why `kubectl get pods -A` has no {component}; is {role.name} installed as the site says?"
            raise refuse("PLAN-OBSERVED-03", text, fix=fix)


def bringup_preconditions(request: Request, target: Target) -> None:
    kind = request.roles[target.subject].kind
    pinned(request.book, kind, target.after)
    for _ in kubernetes_is_supported(request, kind, target.after, request.observed.kubernetes):
        pass
    if target.before is not None and target.before != target.after:
        text = f"{target.subject} {target.before} runs, the site says {target.after}"
        fix = (
            f"set {target.subject}'s version in the site file to {target.before}, "
            f"or run `rackroll plan upgrade --to {target.subject}={target.after}`"
        )
        raise refuse("PLAN-VERSION-03", text, fix=fix)
