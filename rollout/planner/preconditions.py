"""What must hold before a plan exists. One function per question, each refusing with its rule."""

from __future__ import annotations

from rollout.model.observed import Observed
from rollout.model.plan import Target
from rollout.model.site import Node, Site
from rollout.planner.move import Move, pinned
from rollout.planner.refuse import refuse, require
from rollout.planner.serving import in_rib, ready, serving
from rollout.rules.book import book
from rollout.rules.evaluate import downgrades, drain_levers, jumps, known_lines, support_row, supports
from rollout.rules.n1 import arithmetic
from rollout.rules.version import Version


def upgrade_preconditions(move: Move, nodes: tuple[Node, ...]) -> None:
    """All of them, cheapest first. ``nodes`` are those that will be taken out of service."""
    _line_is_known(move.mesh.kind.value, move.target)
    _goes_up(move)
    _jump_is_legal(move)
    _kubernetes_is_supported(move.mesh.kind.value, move.target, move.observed)
    _charts_are_at_rest(move)
    if any(move.moves_gateway(node) for node in nodes):
        _metallb_can_withdraw(move.site)
        _enough_gateways(move)
    _nodes_are_free(move, nodes)


def naive_preconditions(move: Move) -> None:
    """The negative control breaks N-1 on purpose, but not the skew rules."""
    _line_is_known(move.mesh.kind.value, move.target)
    _goes_up(move)
    _jump_is_legal(move)


def bringup_preconditions(site: Site, observed: Observed, target: Target) -> None:
    kind = next((m.kind.value for m in site.meshes if m.name == target.subject), target.subject)
    version = pinned(target.after)
    _line_is_known(kind, version)
    _kubernetes_is_supported(kind, version, observed)
    if target.before is not None and target.before != target.after:
        text = f"{target.subject} {target.before} runs, the site says {target.after}"
        fix = (
            f"set {target.subject}'s version in the site file to {target.before}, "
            f"or run `rackroll plan upgrade --to {target.subject}={target.after}`"
        )
        raise refuse("PLAN-VERSION-03", text, fix=fix)


def _line_is_known(kind: str, version: Version) -> None:
    if support_row(book(), kind, version) is None:
        known = ", ".join(known_lines(book(), kind)) or "none"
        text = f"{kind} {version.line} has no support row; known lines: {known}"
        raise refuse("PLAN-VERSION-02", text, fix="choose a known line, or add its row to the rules' data")


def _goes_up(move: Move) -> None:
    running = max((move.control, *move.data_plane()))
    for verdict in downgrades(book(), move.mesh.kind.value, running, move.target):
        require(verdict, where=move.mesh.name)


def _jump_is_legal(move: Move) -> None:
    for verdict in jumps(book(), move.mesh.kind.value, move.control, move.target):
        require(verdict, where=move.mesh.name)


def _kubernetes_is_supported(kind: str, version: Version, observed: Observed) -> None:
    row = support_row(book(), kind, version)
    if row is not None and observed.kubernetes is not None:
        require(supports(row, version, observed.kubernetes), where=kind)


def _charts_are_at_rest(move: Move) -> None:
    for chart in move.role.charts():
        found = move.observed.chart(chart.namespace, chart.release)
        if found is not None and found.status.startswith("pending"):
            text = f"Helm release {chart.namespace}/{chart.release} is {found.status} at revision {found.revision}"
            fix = "resume the run that did it, or `helm rollback` it, then plan again"
            raise refuse("PLAN-CHART-01", text, fix=fix)


def _metallb_can_withdraw(site: Site) -> None:
    levers = drain_levers(book(), "metallb", pinned(site.metallb.version))
    if not any(row.lever == "exclude-label" for row in levers):
        text = f"MetalLB {site.metallb.version} does not obey the exclude label"
        raise refuse("PLAN-DRAIN-01", text, fix="bring MetalLB to 0.14.0 or newer first")


def _enough_gateways(move: Move) -> None:
    nodes = frozenset(node.name for node in move.site.gateway_nodes)
    if len(nodes) < 2:
        text = f"{len(nodes)} gateway node: moving it leaves 0 serving"
        raise refuse("PLAN-N1-01", text, fix="label a second node as gateway, in another failure domain")
    for gateway in move.site.gateways:
        missing = sorted(nodes - serving(move.site, move.observed, gateway))
        if missing:
            routed, alive = in_rib(move.site, move.observed, gateway), ready(move.observed, gateway)
            why = "; ".join(f"{n} {_why(n in routed, n in alive)}" for n in missing)
            left = len(nodes) - len(missing)
            text = f"{arithmetic(left, len(nodes))} and the next move would leave {left - 1}: {why}"
            fix = "bring those gateways back first (or resume the run that holds them), then plan again"
            raise refuse("PLAN-N1-02", text, where=f"gateway {gateway.name}, VIP {gateway.vip}", fix=fix)


def _why(routed: bool, alive: bool) -> str:
    return {
        (False, False): "is neither in its ToR's RIB nor Ready",
        (False, True): "is not in its ToR's RIB",
        (True, False): "is not Ready",
        (True, True): "serves",
    }[routed, alive]


def _nodes_are_free(move: Move, nodes: tuple[Node, ...]) -> None:
    names = {node.name for node in nodes}
    for state in move.observed.nodes:
        if state.name in names and (state.cordoned or state.excluded):
            mark = "cordoned" if state.cordoned else "excluded from load balancers"
            owner = f"by rackroll run {state.owner}" if state.owner else "by someone else"
            fix = f"resume run {state.owner}" if state.owner else "ask who did it; undo it, then plan again"
            raise refuse("PLAN-OWNED-01", f"node {state.name} is {mark} {owner}", fix=fix)
