"""Charts, objects, control planes, and gateways as a whole."""

from __future__ import annotations

from rollout.engine.context import Run
from rollout.engine.join import routed
from rollout.engine.outcome import Done, Word
from rollout.engine.ports import ChartRequest
from rollout.errors import StepFailed
from rollout.model.mesh import Gateway
from rollout.model.role import ChartStep, SubjectRole
from rollout.model.step import ApplyObjects, AwaitControlPlane, AwaitGateways, InstallChart, RemoveChart


def install_chart(run: Run, effect: InstallChart) -> Done:
    """Always asked: the adapter compares version and values and writes no revision where both are as wanted.

    So a pin of the data plane that comes or goes is a change although the version stays.
    """
    role = run.world.roles[effect.subject]
    chart = _chart(role, effect)
    before = _revision(run, chart)
    request = ChartRequest(
        source=role.source(),
        release=chart.release,
        namespace=chart.namespace,
        chart=chart.chart,
        version=effect.version,
        values=role.values(chart, role.carried(chart, effect.version), effect.data_plane),
    )
    state = run.world.charts.install(request)
    if (state.version, state.status) != (effect.version, "deployed"):
        text = f"release {chart.release} is {state.status} at {state.version}, wanted {effect.version}"
        raise StepFailed(text, where=f"helm, namespace {chart.namespace}", hint="see `helm history`")
    return Done(Word.ALREADY if before == state.revision else Word.DONE, f"revision {state.revision}")


def _revision(run: Run, chart: ChartStep) -> int | None:
    releases = run.world.charts.releases()
    return next(
        (r.revision for r in releases if (r.namespace, r.release) == (chart.namespace, chart.release)), None
    )


def _chart(role: SubjectRole, effect: InstallChart) -> ChartStep:
    try:
        chart = role.chart(effect.release)
    except KeyError:
        chart = None
    if chart is not None and (chart.namespace, chart.chart) == (effect.namespace, effect.chart):
        return chart
    text = f"{effect.subject} has no release {effect.namespace}/{effect.release} of chart {effect.chart}"
    raise StepFailed(text, hint="the site changed under the plan: plan again")


def remove_chart(run: Run, effect: RemoveChart) -> Done:
    gone = run.world.charts.remove(effect.namespace, effect.release)
    return Done(Word.DONE if gone else Word.ALREADY)


def apply_objects(run: Run, effect: ApplyObjects) -> Done:
    """Server-side apply is its own look: applying what is there changes nothing.

    MetalLB's pools are refused until its webhook serves, and the controller's Deployment is ready before that. What
    went through before such a refusal was new then, whatever the next try finds.
    """
    objects = run.world.roles[effect.subject].objects(effect.part)
    new: set[int] = set()

    def look() -> None:
        for number, item in enumerate(objects):
            if run.world.cluster.apply([item]):
                new.add(number)

    run.until(f"objects {effect.part} of {effect.subject}", look, hint="see what the Kubernetes API says")
    return Done(Word.DONE if new else Word.ALREADY, f"{len(new)} of {len(objects)} objects changed")


def await_control_plane(run: Run, effect: AwaitControlPlane) -> Done:
    role = run.world.roles[effect.mesh]
    namespace, name = role.control_plane(effect.version)

    def look() -> str | None:
        ready, detail = run.world.cluster.deployment_ready(namespace, name)
        return None if ready else f"{namespace}/{name}: {detail}"

    hint = f"kubectl -n {namespace} describe deployment {name}"
    already = run.until(f"{effect.mesh}'s control plane", look, hint=hint)
    releases = run.world.charts.releases()
    if not role.deployed(releases, effect.version):
        found = role.installed_version(releases)
        text = f"the control plane answers at {found or 'no version'}, wanted {effect.version}"
        raise StepFailed(
            text, where=effect.mesh, hint="someone else changed it: see `helm history`, plan again"
        )
    return Done(Word.ALREADY if already else Word.DONE)


def await_gateways(run: Run, effect: AwaitGateways) -> Done:
    gateway = run.site.gateway(effect.gateway)
    hint = f"kubectl -n {gateway.namespace} get pods -o wide; on the ToR `show ip bgp {gateway.vip}/32`"
    already = run.until(f"gateway {gateway.name}", lambda: _unserved(run, gateway), hint=hint)
    return Done(Word.ALREADY if already else Word.DONE)


def _unserved(run: Run, gateway: Gateway) -> str | None:
    wanted = frozenset(node.name for node in run.site.gateway_nodes)
    unready = sorted(wanted - run.world.cluster.ready_gateway_nodes(gateway))
    if unready:
        return f"not Ready on {', '.join(unready)}"
    absent = sorted(wanted - routed(run.world, gateway))
    return f"{', '.join(absent)} not in the ToR's RIB for {gateway.vip}" if absent else None
