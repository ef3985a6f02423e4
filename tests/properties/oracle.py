"""For each rule that can refuse a plan: does it really fail here? Worked out again from the rules' TOML and from what
was observed, with none of the planner's or the evaluator's code. A rule without an oracle fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product

from rollout.model.mesh import MeshKind
from rollout.planner.refuse import RuleRefused
from tests.properties import raw
from tests.properties.fleets import Case

Oracle = Callable[[Case, RuleRefused], bool]
"""True where the rule that refused really fails."""


def oracle_for(rule: str) -> Oracle | None:
    """One of ours by its id, a row of the data by its kind."""
    if rule in OURS:
        return OURS[rule]
    for table, oracle in BY_TABLE.items():
        for row in raw.rows(table):
            if row["id"] == rule:
                return partial(_of_row, oracle, row)
    return None


def _of_row(oracle: Callable[[Case, raw.Row], bool], row: raw.Row, case: Case, _: RuleRefused) -> bool:
    return oracle(case, row)


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
    role = case.roles[subject]
    alike = [v for c, vs in component_versions(case, subject).items() if _alike(case, subject, c) for v in vs]
    now = running(case, subject)
    del role
    return frozenset([*alike, *([now] if now else [])])


def _alike(case: Case, subject: str, component: str) -> bool:
    return not (case.kind(subject) == "consul" and component in ("control-plane", "dataplane"))


def _placed(case: Case, subject: str) -> list[str]:
    kind = case.kind(subject)
    return [v for v in everything(case, subject) if raw.readable(kind, v) and raw.line_of(kind, v)]


def _goals(case: Case) -> Iterator[tuple[str, str]]:
    """Targets of known subjects."""
    return ((subject, version) for subject, version in case.targets if subject in case.roles)


def jump(case: Case, row: raw.Row) -> bool:
    """Some target is further away than the row allows, from what the subject's release says."""
    return any(
        case.kind(subject) == row["subject"]
        and row["method"] in (_method(case, subject), "any")
        and _too_far(row, row["subject"], now, version)
        for subject, version in _goals(case)
        if (now := running(case, subject))
    )


def _method(case: Case, subject: str) -> str:
    mesh = next((mesh for mesh in case.site.meshes if mesh.name == subject), None)
    return mesh.method.value if mesh and case.kind(subject) == "istio" else "any"


def _too_far(row: raw.Row, kind: str, before: str, after: str) -> bool:
    step = raw.minors(kind, before, after)
    down = row.get("down")
    return step > row["up"] or (step < 0 and (down is None or -step > down))


def downgrade(case: Case, row: raw.Row) -> bool:
    return any(_below(case, s, v) for s, v in _goals(case) if case.kind(s) == row["subject"])


def _below(case: Case, subject: str, version: str) -> bool:
    kind = case.kind(subject)
    return any(raw.place(kind, version) < raw.place(kind, other) for other in _placed(case, subject))


def skew(case: Case, row: raw.Row) -> bool:
    """Some leader's version and some follower's, of those that run or are asked for, are too far apart."""
    for subject, role in case.roles.items():
        if role.kind != row["subject"] or not (goals := [v for s, v in _goals(case) if s == subject]):
            continue
        seen = component_versions(case, subject)
        now = running(case, subject)
        own = [*goals, *([now] if now else [])]
        leaders = {*seen.get(row["leader"], ()), *(_numbered(case, subject, row["leader"], v) for v in own)}
        for follower in row["followers"]:
            followers = {*seen.get(follower, ()), *(_numbered(case, subject, follower, v) for v in own)}
            if any(_apart(row, role.kind, a, b) for a, b in product(leaders, followers)):
                return True
    return False


def _numbered(case: Case, subject: str, component: str, version: str) -> str:
    return case.roles[subject].component_version(component, version.removeprefix("v"))


def _apart(row: raw.Row, kind: str, leader: str, follower: str) -> bool:
    if row.get("table"):
        return not _in_table(row, kind, leader, follower)
    if not (raw.readable(kind, leader) and raw.readable(kind, follower)):
        return False
    behind = raw.minors(kind, follower, leader)
    far, ahead = row.get("max_behind"), row.get("max_ahead")
    return (far is not None and behind > far) or (ahead is not None and -behind > ahead)


def _in_table(row: raw.Row, kind: str, leader: str, follower: str) -> bool:
    """Whether the pair rows list the follower's line with the leader's."""
    line = ".".join(follower.split(".")[:2])
    listed = [
        partner["line"]
        for pair in raw.rows("pair")
        if (pair["subject"], pair["leader"], pair["line"]) == (kind, row["leader"], raw.line_of(kind, leader))
        and pair["follower"] in row["followers"]
        for partner in pair["partners"]
    ]
    return line in listed


def support(case: Case, row: raw.Row) -> bool:
    """A line that runs or is asked for does not support a Kubernetes that runs or is asked for."""
    kubernetes = {
        v for s, v in _goals(case) if case.kind(s) == "kubernetes" and raw.readable("kubernetes", v)
    }
    kubernetes |= {case.observed.kubernetes} if case.observed.kubernetes else set()
    versions = {(s, v) for s, v in _goals(case)} | {(s, v) for s in case.roles for v in everything(case, s)}
    lines = {
        raw.line_of(kind, v)
        for s, v in versions
        if raw.family(kind := case.kind(s)) == row["subject"] and raw.readable(kind, v)
    }
    return row["line"] in lines and any(not raw.allows(row, k) for k in kubernetes)


BY_TABLE: Mapping[str, Callable[[Case, raw.Row], bool]] = {
    "jump": jump,
    "no-downgrade": downgrade,
    "skew": skew,
    "support": support,
}


def subject_unknown(case: Case, _: RuleRefused) -> bool:
    names = [subject for subject, _ in case.targets]
    return any(name not in case.roles for name in names) or len(set(names)) < len(names)


def version_unreadable(case: Case, _: RuleRefused) -> bool:
    targets = any(not raw.readable(case.kind(s), v) for s, v in _goals(case))
    return targets or not raw.readable("metallb", case.site.metallb.version)


def line_unknown(case: Case, _: RuleRefused) -> bool:
    """What asks for a line that no row knows: an edge release older than all of them too."""
    return any(raw.readable(k := case.kind(s), v) and raw.line_of(k, v) is None for s, v in _goals(case))


def not_readable_as_running(case: Case, _: RuleRefused) -> bool:
    return any(
        running(case, s) is None or any(not raw.readable(case.kind(s), v) for v in everything(case, s))
        for s, _ in _goals(case)
    )


def running_line_unknown(case: Case, _: RuleRefused) -> bool:
    """Something of a subject that is to move (emptying a node moves everybody's proxies) is of a line that no row
    knows, or no version at all."""
    whose = case.roles if any(case.kind(s) == "kubernetes" for s, _ in _goals(case)) else dict(_goals(case))
    unknown = any(
        not raw.readable(k := case.kind(s), v) or raw.line_of(k, v) is None
        for s in whose
        for v in everything(case, s)
    )
    apart = (
        version
        for s in whose
        for component, versions in component_versions(case, s).items()
        if not _alike(case, s, component)
        for version in versions
    )
    return unknown or any(not raw.readable("consul", version) for version in apart)


def agents_unseen(case: Case, _: RuleRefused) -> bool:
    """A component that moves node by node, and of which no instance was seen."""
    for subject, _version in _goals(case):
        seen = component_versions(case, subject)
        expected = {kind.component for kind in case.roles[subject].agents()}
        expected |= {"kubelet"} if case.kind(subject) == "kubernetes" else set()
        if any(not seen.get(component) for component in expected - {"preflight"}):
            return True
    return False


def goes_down(case: Case, _: RuleRefused) -> bool:
    return any(_below(case, s, v) for s, v in _goals(case))


def chart_pending(case: Case, _: RuleRefused) -> bool:
    return any(
        chart.status.startswith("pending")
        for s, _ in _goals(case)
        for mine in case.roles[s].charts()
        for chart in case.observed.charts
        if (chart.namespace, chart.release) == (mine.namespace, mine.release)
    )


def node_marked(case: Case, _: RuleRefused) -> bool:
    return any(node.cordoned or node.excluded for node in case.observed.nodes)


def cannot_withdraw(case: Case, _: RuleRefused) -> bool:
    """MetalLB is older than the exclude label."""
    since = next(row["since"] for row in raw.rows("drain") if row["lever"] == "exclude-label")
    return raw.place("metallb", case.site.metallb.version) < raw.place("metallb", since)


def too_few_gateways(case: Case, _: RuleRefused) -> bool:
    """A planner that has two of them and still finds N-1 broken in its own order has a bug."""
    return len(case.site.gateway_nodes) < 2


def short_join(case: Case, _: RuleRefused) -> bool:
    """Of the gateway nodes, the ones in their own ToR's table that have a Ready pod, and are not told to leave, are not
    all of them."""
    return any(_serving(case, gateway.name) < len(case.site.gateway_nodes) for gateway in case.site.gateways)


def _serving(case: Case, name: str) -> int:
    vip = case.site.gateway(name).vip
    count = 0
    for rack in case.site.racks:
        hops = [e.next_hops for e in case.observed.rib if (e.switch, e.vip) == (rack.switch.name, vip)]
        for node in rack.nodes:
            routed = any(node.fabric_address in found for found in hops)
            pods = [p for p in case.observed.proxies if (p.gateway, p.node) == (name, node.name)]
            stays = not any(state.excluded for state in case.observed.nodes if state.name == node.name)
            count += node.gateway and routed and stays and any(p.ready and not p.terminating for p in pods)
    return count


def domain_and_one_more(case: Case, _: RuleRefused) -> bool:
    """With one gateway node out, losing some failure domain leaves none of the others."""
    domain = {n.name: rack.failure_domain for rack in case.site.racks for n in rack.nodes if n.gateway}
    return len(set(domain.values())) > 1 and any(
        not [other for other in domain if domain[other] != lost and other != out]
        for lost in set(domain.values())
        for out in domain
    )


def limit_names_nobody(case: Case, _: RuleRefused) -> bool:
    """A name that the site lacks; or terms that take away everything that they name."""
    terms = case.limit.split(",")
    groups = {f"rack:{r.name}": {n.name for n in r.nodes} for r in case.site.racks}
    known = groups | {n.name: {n.name} for n in case.site.nodes}
    if case.limit and any(term.lstrip("!") not in known for term in terms):
        return True
    terms = [term for term in terms if term]
    taken = [known[term[1:]] for term in terms if term.startswith("!")]
    added = [known[term] for term in terms if not term.startswith("!")]
    left = set().union(*added) if added else {n.name for n in case.site.nodes}
    return not left - set().union(*taken)


def no_command(case: Case, _: RuleRefused) -> bool:
    nothing = not "".join(case.argv[:1]).strip()
    return case.undone is None and nothing and (bool(case.argv) or not case.reboot)


def command_reboots(case: Case, _: RuleRefused) -> bool:
    return case.undone is None and any(word.endswith("reboot") for word in case.argv)


def nothing_to_go_back_to(case: Case, _: RuleRefused) -> bool:
    undone = case.undone
    return undone is not None and (
        not undone.targets
        or any(t.before is None or running(case, t.subject) is None for t in undone.targets)
    )


def never(case: Case, _: RuleRefused) -> bool:
    """The planner never makes such a plan: to refuse its own work would be a bug."""
    del case
    return False


def chart_unnumbered(case: Case, _: RuleRefused) -> bool:
    """No pin of the site says which chart carries a version that runs or is asked for."""
    for subject, version in _goals(case):
        mesh = next((m for m in case.site.meshes if m.name == subject), None)
        pinned = {pin.version for pin in mesh.releases} if mesh else set()
        now = running(case, subject)
        if mesh and mesh.kind is not MeshKind.ISTIO and not {version, *([now] if now else [])} <= pinned:
            return True
    return False


def no_backup(case: Case, _: RuleRefused) -> bool:
    asked = {s for s, _ in _goals(case)}
    return any(m.kind is MeshKind.CONSUL and m.name in asked and not m.backup for m in case.site.meshes)


def no_way_to_move_kubernetes(case: Case, _: RuleRefused) -> bool:
    said = case.site.kubernetes
    complete = said.control_plane and said.upgrade_control_plane and said.upgrade_node
    return any(case.kind(s) == "kubernetes" for s, _ in _goals(case)) and not complete


def two_schemes(case: Case, _: RuleRefused) -> bool:
    """Linkerd's edge and numbered releases have no common order."""
    return any(
        case.kind(s) == "linkerd" and v.startswith("edge-") != (running(case, s) or "").startswith("edge-")
        for s, v in _goals(case)
    )


def no_compatibility(case: Case, _: RuleRefused) -> bool:
    asked = {s for s, _ in _goals(case)}
    meshes = [m for m in case.site.meshes if m.kind is MeshKind.CILIUM and m.name in asked]
    return any("upgradeCompatibility" not in repr(getattr(m, "values", ())) for m in meshes)


def no_way(case: Case, _: RuleRefused) -> bool:
    """Looking over release lines only, breadth first, finds no order of hops either; or what runs is so mixed that
    lines do not tell the whole story."""
    movers = [s for s, _ in _goals(case)]
    mixed = any(len({raw.place(case.kind(s), v)[0] for v in _placed(case, s)}) > 1 for s in movers)
    return mixed or not _reachable(case, movers)


def _reachable(case: Case, movers: list[str]) -> bool:
    start = tuple(_line(case, s, running(case, s) or "") for s in movers)
    goal = tuple(_line(case, s, v) for s, v in _goals(case))
    seen, queue = {start}, [start]
    while queue:
        position = queue.pop(0)
        if position == goal:
            return True
        for then in _hops(case, movers, position, goal):
            if then not in seen:
                seen.add(then)
                queue.append(then)
    return False


def _line(case: Case, subject: str, version: str) -> int:
    kind = case.kind(subject)
    return [row["line"] for row in raw.lines(kind)].index(raw.line_of(kind, version))


def _hops(
    case: Case, movers: list[str], position: tuple[int, ...], goal: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    for index, subject in enumerate(movers):
        way = 1 if goal[index] > position[index] else -1
        for line in range(position[index] + way, goal[index] + way, way):
            then = (*position[:index], line, *position[index + 1 :])
            if _may_jump(case, subject, position[index], line) and _supported(case, movers, position, then):
                yield then


def _may_jump(case: Case, subject: str, before: int, after: int) -> bool:
    kind, method = case.kind(subject), _method(case, subject)
    known = [f"{row['line']}.0" for row in raw.lines(kind)]
    step = raw.place(kind, known[after])[0] - raw.place(kind, known[before])[0]
    bounds = [r for r in raw.rows("jump") if r["subject"] == kind and r["method"] in (method, "any")]
    return all(-(row.get("down") or 0) <= step <= row["up"] for row in bounds)


def _supported(case: Case, movers: list[str], *positions: tuple[int, ...]) -> bool:
    """Each mesh's line before and after the hop, on Kubernetes before and after it; the meshes that stay, too."""
    kubernetes = {case.observed.kubernetes} if case.observed.kubernetes else set()
    if "kubernetes" in movers:
        at = movers.index("kubernetes")
        kubernetes = {raw.lines("kubernetes")[p[at]]["line"] for p in positions}
    rows = [
        raw.lines(case.kind(s))[p[i]] for i, s in enumerate(movers) for p in positions if s != "kubernetes"
    ]
    for subject in case.roles.keys() - set(movers) - {"kubernetes"}:
        kind = case.kind(subject)
        if "kubernetes" in movers:
            found = {raw.line_of(kind, version) for version in _placed(case, subject)}
            rows += [row for row in raw.lines(kind) if row["line"] in found]
    return all(raw.allows(row, k) for row in rows for k in kubernetes)


def unnamed_release(case: Case, _: RuleRefused) -> bool:
    """Some line between what runs and what is asked for has no release that the data knows."""
    return any(
        "latest" not in row
        for s, v in _goals(case)
        for low, high in [sorted((_line(case, s, running(case, s) or ""), _line(case, s, v)))]
        for row in raw.lines(case.kind(s))[low:high]
    )


OURS: Mapping[str, Oracle] = {
    "PLAN-SUBJECT-01": subject_unknown,
    "PLAN-VERSION-01": version_unreadable,
    "PLAN-VERSION-02": line_unknown,
    "PLAN-OBSERVED-01": not_readable_as_running,
    "PLAN-OBSERVED-02": running_line_unknown,
    "PLAN-OBSERVED-03": agents_unseen,
    "PLAN-DOWN-01": goes_down,
    "PLAN-BACK-01": goes_down,
    "PLAN-CHART-01": chart_pending,
    "PLAN-OWNED-01": node_marked,
    "PLAN-DRAIN-01": cannot_withdraw,
    "PLAN-N1-01": too_few_gateways,
    "PLAN-N1-02": short_join,
    "PLAN-N1-03": domain_and_one_more,
    "PLAN-LIMIT-01": limit_names_nobody,
    "PLAN-COMMAND-01": no_command,
    "PLAN-COMMAND-02": command_reboots,
    "PLAN-ROLLBACK-01": nothing_to_go_back_to,
    "PLAN-PATH-01": no_way,
    "PLAN-PATH-02": unnamed_release,
    "PLAN-WINDOW-01": never,
    "PLAN-CHART-02": chart_unnumbered,
    "PLAN-BACKUP-01": no_backup,
    "PLAN-CONSTRAINT-01": no_way_to_move_kubernetes,
    "PLAN-METHOD-01": two_schemes,
    "PLAN-VALUES-01": no_compatibility,
}
