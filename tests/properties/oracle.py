"""For each rule that can refuse a plan: does it really fail here? Worked out again from the rules' TOML and from what
was observed, with none of the planner's or the evaluator's code. A rule without an oracle fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rollout.model.mesh import MeshKind
from rollout.planner.refuse import RuleRefused
from tests.properties import raw
from tests.properties.fleets import Case
from tests.properties.oracle_rows import BY_TABLE
from tests.properties.oracle_way import no_way, unnamed_release
from tests.properties.whatruns import (
    alike,
    below,
    component_versions,
    everything,
    goals,
    running,
)

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


def subject_unknown(case: Case, _: RuleRefused) -> bool:
    names = [subject for subject, _ in case.targets]
    return any(name not in case.roles for name in names) or len(set(names)) < len(names)


def version_unreadable(case: Case, _: RuleRefused) -> bool:
    targets = any(not raw.readable(case.kind(s), v) for s, v in goals(case))
    return targets or not raw.readable("metallb", case.site.metallb.version)


def line_unknown(case: Case, _: RuleRefused) -> bool:
    """What asks for a line that no row knows: an edge release older than all of them too."""
    return any(raw.readable(k := case.kind(s), v) and raw.line_of(k, v) is None for s, v in goals(case))


def not_readable_as_running(case: Case, _: RuleRefused) -> bool:
    return any(
        running(case, s) is None or any(not raw.readable(case.kind(s), v) for v in everything(case, s))
        for s, _ in goals(case)
    )


def running_line_unknown(case: Case, _: RuleRefused) -> bool:
    """Something of a subject that is to move (emptying a node moves everybody's proxies) is of a line that no row
    knows, or no version at all."""
    whose = case.roles if any(case.kind(s) == "kubernetes" for s, _ in goals(case)) else dict(goals(case))
    unknown = any(
        not raw.readable(k := case.kind(s), v) or raw.line_of(k, v) is None
        for s in whose
        for v in everything(case, s)
    )
    apart = (
        version
        for s in whose
        for component, versions in component_versions(case, s).items()
        if not alike(case, s, component)
        for version in versions
    )
    return unknown or any(not raw.readable("consul", version) for version in apart)


def agents_unseen(case: Case, _: RuleRefused) -> bool:
    """A component that moves node by node, and of which no instance was seen."""
    for subject, _version in goals(case):
        seen = component_versions(case, subject)
        expected = {kind.component for kind in case.roles[subject].agents()}
        expected |= {"kubelet"} if case.kind(subject) == "kubernetes" else set()
        if any(not seen.get(component) for component in expected - {"preflight"}):
            return True
    return False


def goes_down(case: Case, _: RuleRefused) -> bool:
    return any(below(case, s, v) for s, v in goals(case))


def chart_pending(case: Case, _: RuleRefused) -> bool:
    return any(
        chart.status.startswith("pending")
        for s, _ in goals(case)
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
    for subject, version in goals(case):
        mesh = next((m for m in case.site.meshes if m.name == subject), None)
        pinned = {pin.version for pin in mesh.releases} if mesh else set()
        now = running(case, subject)
        if mesh and mesh.kind is not MeshKind.ISTIO and not {version, *([now] if now else [])} <= pinned:
            return True
    return False


def no_backup(case: Case, _: RuleRefused) -> bool:
    asked = {s for s, _ in goals(case)}
    return any(m.kind is MeshKind.CONSUL and m.name in asked and not m.backup for m in case.site.meshes)


def no_way_to_move_kubernetes(case: Case, _: RuleRefused) -> bool:
    said = case.site.kubernetes
    complete = said.control_plane and said.upgrade_control_plane and said.upgrade_node
    return any(case.kind(s) == "kubernetes" for s, _ in goals(case)) and not complete


def two_schemes(case: Case, _: RuleRefused) -> bool:
    """Linkerd's edge and numbered releases have no common order."""
    return any(
        case.kind(s) == "linkerd" and v.startswith("edge-") != (running(case, s) or "").startswith("edge-")
        for s, v in goals(case)
    )


def no_compatibility(case: Case, _: RuleRefused) -> bool:
    asked = {s for s, _ in goals(case)}
    meshes = [m for m in case.site.meshes if m.kind is MeshKind.CILIUM and m.name in asked]
    return any("upgradeCompatibility" not in repr(getattr(m, "values", ())) for m in meshes)


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
