"""Whether the gateways and nodes can bear the plan at all, with the arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rollout.model.mesh import Gateway
from rollout.model.plan import PlanKind, Wave
from rollout.model.step import Cordon, DrainGateways, ReplaceAgents, Withdraw
from rollout.planner.refuse import refuse
from rollout.planner.request import Request
from rollout.planner.serving import in_rib, ready, serving
from rollout.rules.evaluate import drain_levers
from rollout.rules.n1 import arithmetic
from rollout.rules.version import VersionInvalid


def require_enough(
    request: Request, kind: PlanKind, waves: tuple[Wave, ...], hurt: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Asked of the waves as built, so that only what they take out counts. Returns warnings.

    ``hurt``: gateway nodes that may be missing, because the plan takes them first and brings them back.
    """
    touched, withdrawn = _touched(waves)
    warnings: list[str] = []
    _nodes_are_free(request, touched)
    if withdrawn:
        warnings += _metallb_can_withdraw(request)
        _enough_gateways(request, hurt & withdrawn)
        warnings += _one_more_may_fail(request, kind, withdrawn)
    return tuple(warnings)


def _touched(waves: tuple[Wave, ...]) -> tuple[frozenset[str], frozenset[str]]:
    effects = [step.effect for wave in waves for stage in wave.stages for step in stage.steps]
    taken = {e.node for e in effects if isinstance(e, DrainGateways | Withdraw | Cordon | ReplaceAgents)}
    return frozenset(taken), frozenset(e.node for e in effects if isinstance(e, Withdraw))


def _metallb_can_withdraw(request: Request) -> Iterator[str]:
    version = request.site.metallb.version
    try:
        levers = drain_levers(request.book, "metallb", version)
    except VersionInvalid as error:
        raise refuse(
            "PLAN-VERSION-01", str(error), fix="give MetalLB a full version in the site file"
        ) from None
    if not any(row.lever == "exclude-label" for row in levers):
        text = f"MetalLB {version} does not obey the exclude label"
        raise refuse("PLAN-DRAIN-01", text, fix="bring MetalLB to 0.14.0 or newer first")
    for row in levers:
        if row.lever == "cordon":
            yield f"{row.id}: MetalLB {version}: {row.note} [{row.provenance.source}]"


def missing_gateways(request: Request) -> tuple[str, ...]:
    """Gateway nodes that do not serve every VIP, in the site's order."""
    site, observed = request.site, request.observed
    served = [serving(site, observed, gateway) for gateway in site.gateways]
    return tuple(node.name for node in site.gateway_nodes if any(node.name not in found for found in served))


def _enough_gateways(request: Request, hurt: frozenset[str]) -> None:
    nodes = frozenset(node.name for node in request.site.gateway_nodes)
    if len(nodes) < 2:
        text = f"{len(nodes)} gateway node: moving it leaves 0 serving"
        raise refuse("PLAN-N1-01", text, fix="label a second node as gateway, in another failure domain")
    for gateway in request.site.gateways:
        missing = nodes - (serving(request.site, request.observed, gateway) - _told_to_leave(request))
        if missing - hurt or len(missing) > 1:
            raise _short(request, gateway, sorted(missing), len(nodes))


def _one_more_may_fail(request: Request, kind: PlanKind, withdrawn: Collection[str]) -> Iterator[str]:
    """While one gateway node is out by our hand, the next failure is not ours to choose: a whole domain may go.

    A rollback is warned and not refused: to stay with what fails is the greater risk.
    """
    site = request.site
    domains = {node.name: rack.failure_domain for rack in site.racks for node in rack.nodes if node.gateway}
    if len(set(domains.values())) == 1:
        yield (
            f"PLAN-N1-03: all {len(domains)} gateway nodes are in failure domain {next(iter(domains.values()))}: "
            "losing it empties every VIP, with or without this plan"
        )
        return
    for domain in dict.fromkeys(domains.values()):
        left = {name for name, where in domains.items() if where != domain}
        for out in (name for name in domains if name in withdrawn and left <= {name}):
            text = _loss(request, domain, out, len(domains), len(left))
            if kind is PlanKind.ROLLBACK:
                yield f"PLAN-N1-03: {text}"
                continue
            if not request.options.break_glass:
                fix = "add a gateway in another failure domain, or give a reason with --break-glass"
                raise refuse("PLAN-N1-03", text, fix=fix)
            yield f"PLAN-N1-03 overridden by break-glass: {text}"


def _loss(request: Request, domain: str, out: str, total: int, elsewhere: int) -> str:
    racks = ", ".join(rack.name for rack in request.site.racks if rack.failure_domain == domain)
    inside = total - elsewhere
    return (
        f"{total} gateway nodes, {inside} of them in failure domain {domain} (rack {racks}): "
        f"while {out} is out, losing {domain} leaves {total} - {inside} - 1 = {elsewhere - 1} of them, "
        "1 must be left for every VIP"
    )


def _short(request: Request, gateway: Gateway, missing: list[str], total: int) -> Exception:
    routed, alive = in_rib(request.site, request.observed, gateway), ready(request.observed, gateway)
    leaving = _told_to_leave(request)
    why = "; ".join(f"{n} {_why(n in routed, n in alive, n in leaving)}" for n in missing)
    left = total - len(missing)
    text = f"{arithmetic(left, total)} and the next move would leave {left - 1}: {why}"
    fix = "bring those gateways back first (or resume the run that holds them), then plan again"
    return refuse("PLAN-N1-02", text, where=f"gateway {gateway.name}, VIP {gateway.vip}", fix=fix)


def _told_to_leave(request: Request) -> frozenset[str]:
    """Nodes that carry the exclude label: one that still announces will stop."""
    return frozenset(state.name for state in request.observed.nodes if state.excluded)


def _why(routed: bool, alive: bool, leaving: bool) -> str:
    if routed and alive:
        return "is excluded from load balancers and about to go" if leaving else "serves"
    return {
        (False, False): "is neither in its ToR's RIB nor Ready",
        (False, True): "is not in its ToR's RIB",
        (True, False): "is not Ready",
    }[routed, alive]


def _nodes_are_free(request: Request, names: Collection[str]) -> None:
    for state in request.observed.nodes:
        if state.name in names and (state.cordoned or state.excluded):
            mark = "cordoned" if state.cordoned else "excluded from load balancers"
            owner = f"by rackroll run {state.owner}" if state.owner else "by someone else"
            fix = f"resume run {state.owner}" if state.owner else "ask who did it; undo it, then plan again"
            raise refuse("PLAN-OWNED-01", f"node {state.name} is {mark} {owner}", fix=fix)
