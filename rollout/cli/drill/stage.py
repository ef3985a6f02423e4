"""The lab with its mesh up and its pairs shaking hands: what a rotation is drilled on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lab.mesh.drill import records
from lab.mesh.records import read
from lab.mesh.tally import Handshakes, tally
from rollout.checks.catalogue import catalogue
from rollout.cli.demo.stage import ECHO_APP
from rollout.cli.drill.ground import Ground, Say
from rollout.cli.drill.site import APPS, PAIRS, DrillSite
from rollout.cli.progress import Progress
from rollout.cli.world import build_world
from rollout.engine.check import check_site
from rollout.engine.course import handed
from rollout.engine.observe import observe
from rollout.engine.outcome import RunOutcome, Word
from rollout.engine.ports import World
from rollout.engine.run import apply
from rollout.engine.trust import MeshTrust
from rollout.errors import StepFailed, Unreachable
from rollout.model.gate import Verdict
from rollout.model.mesh import MeshKind
from rollout.model.rekey import Signer
from rollout.model.site import Site
from rollout.planner.bringup import plan_bringup
from rollout.planner.request import Request
from rollout.rules.book import rulebook
from rollout.site.load import load_site

FIRST = Signer(1, 1)
PODS = 4


@dataclass(frozen=True, slots=True)
class DrillStage:
    """``lab_up``: seconds that the lab took. ``signers``: those before the rotation; the newest is in force."""

    drill: DrillSite
    site: Site
    world: World
    lab_up: float
    signers: tuple[Signer, ...]

    @property
    def mesh(self) -> str:
        return self.drill.mesh

    @property
    def ground(self) -> Ground:
        return self.drill.ground

    @property
    def generation(self) -> int:
        """The one that the rotation is to replace."""
        return max(self.signers).generation

    @property
    def trust(self) -> MeshTrust:
        return self.world.trust[self.mesh]

    def until(self, look: Callable[[], str | None], what: str) -> None:
        await_true(look, what, self.ground.patience)

    def handshakes(self, since: float, until: float, *, without: str = "") -> Handshakes:
        """Seconds of the epoch. ``without``: a node; what its pods had a part in is left out."""
        lines = records(self.site.folder, self.site)
        return tally((line for line in lines if not _of(without, line)), since=since, until=until)


def _of(node: str, line: str) -> bool:
    attempt = read(line) if node else None
    return attempt is not None and node in (attempt.client.node, attempt.server.node)


def staged(drill: DrillSite, say: Say) -> DrillStage:
    """Lab up, first generation minted and handed over, mesh up, pairs ready and shaking hands."""
    site, began = load_site(drill.folder), time.monotonic()
    drill.ground.up(site, say)
    up = time.monotonic()
    world = build_world(site)
    signers = world.trust[drill.mesh].signers() if drill.again else (FIRST,)
    stage = DrillStage(drill, site, world, up - began, signers)
    if not drill.again:
        _first(stage, say)
    await_pairs(stage)
    if _one_root(stage) is not None:
        say("waiting until the mesh has pruned the root that it began with")
    stage.until(lambda: _one_root(stage), "one root alone in the mesh")
    say(f"every pair shakes hands, {time.monotonic() - began:.0f} s after the start")
    return stage


def _first(stage: DrillStage, say: Say) -> None:
    stage.trust.mint(FIRST)
    say(f"lab up in {stage.lab_up:.0f} s; bringing {stage.mesh} up with its first generation")
    began = time.monotonic()
    _mesh_up(stage)
    say(f"{stage.mesh} up in {time.monotonic() - began:.0f} s; starting the pairs")
    start_pairs(stage)


def start_pairs(stage: DrillStage) -> None:
    """The workload that shakes hands; its namespace must be one of the mesh's."""
    _apply(stage, f"pairs-{stage.mesh}.yaml")


def await_pairs(stage: DrillStage) -> None:
    """Returns once each pair has shaken hands with each other one. Raises StepFailed."""
    stage.until(lambda: _pairs(stage), "the pairs of the drill")
    stage.until(lambda: _shaking(stage), "handshakes between all pairs")


def _mesh_up(stage: DrillStage) -> None:
    match stage.drill.kind:
        case MeshKind.ISTIO:
            stage.world.cluster.apply([doc for doc in yaml.safe_load_all(ECHO_APP.read_text("utf-8")) if doc])
            _bring_up(stage)
        case MeshKind.LINKERD:
            _hosts(stage)
            stage.trust.hand_over((1,), FIRST)
            _apply(stage, "linkerd.yaml")
            stage.until(stage.trust.control_plane_lacks, "Linkerd's control plane")
        case _:
            _hosts(stage)
            _apply(stage, "consul.yaml")
            stage.until(lambda: _configured(stage), "Consul's Connect CA")


def _hosts(stage: DrillStage) -> None:
    """Kernel and clock as the site says: a rotation asks the clocks before anything else."""
    stage.world.hosts.configure(stage.site.nodes, dry_run=False)
    stage.until(lambda: _clocks(stage), "the nodes' clocks")


def _clocks(stage: DrillStage) -> str | None:
    findings = check_site(stage.world, [catalogue()["CLOCK-OFFSET"]])
    return next((f.detail for f in findings if f.verdict is not Verdict.OPEN), None)


def _bring_up(stage: DrillStage) -> None:
    """The whole plan, as for a site: hosts, ToRs, MetalLB, mesh, gateways."""
    world = stage.world
    book = rulebook(stage.site.folder)
    plan = plan_bringup(Request(stage.site, observe(world), world.roles, book, trust=handed(world)))
    with Progress(f"bringup of {stage.site.name}: {plan.steps} steps") as progress:
        outcome = apply(world, plan, observer=progress.observe)
    require_done(outcome, "bringup")


def require_done(outcome: RunOutcome, what: str) -> None:
    """Ctrl-C reaches a run as a request to stop; here it ends the drill."""
    if outcome.word is Word.INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.word is not Word.DONE:
        raise StepFailed(f"the {what} ended as {outcome.word}: {outcome.detail}", where="drill")


def _configured(stage: DrillStage) -> str | None:
    """The server answers some seconds after its pod is there."""
    stage.trust.hand_over((1,), FIRST)
    return None


def _apply(stage: DrillStage, name: str) -> None:
    text = (APPS / name).read_text(encoding="utf-8")
    documents = [document for document in yaml.safe_load_all(text) if document]
    stage.world.cluster.apply([_paced(document, stage.ground.pairs) for document in documents])


def _paced(document: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """The pairs as fast as the ground bears."""
    if document["kind"] != "Deployment" or document["metadata"]["namespace"] != PAIRS:
        return document
    for container in document["spec"]["template"]["spec"]["containers"]:
        own = container.get("env") or ()
        container["env"] = [*own, *({"name": n, "value": v} for n, v in environment.items())]
    return document


def _pairs(stage: DrillStage) -> str | None:
    proxies = [p for p in stage.world.cluster.proxies() if p.namespace == PAIRS and p.ready]
    return None if len(proxies) >= PODS else f"{len(proxies)} of {PODS} are Ready"


def _shaking(stage: DrillStage) -> str | None:
    """Every ordered pair of nodes has a good handshake in the last seconds."""
    now = time.time()
    found = stage.handshakes(now - stage.ground.window, now)
    pairs = len(found.error_window_ms.by_pair)
    if pairs < PODS * (PODS - 1) or found.failed:
        return f"{pairs} of {PODS * (PODS - 1)} pairs, {found.failed} of {found.tried} handshakes failed"
    return None


def _one_root(stage: DrillStage) -> str | None:
    """Consul begins with a root of its own, which it prunes after twice the leaves' lifetime."""
    published = stage.trust.declared().published
    return None if len(published) == 1 else f"{len(published)} roots are published"


def await_true(look: Callable[[], str | None], what: str, within: float) -> None:
    """``look`` says what is missing, None for nothing. ``within``: seconds. Raises StepFailed."""
    deadline = time.monotonic() + within
    while True:
        try:
            missing = look()
        except (StepFailed, Unreachable) as error:
            missing = error.message
        except OSError as error:
            missing = str(error)
        if missing is None:
            return
        if time.monotonic() > deadline:
            raise StepFailed(f"{what}: not within {within:g} s; at last {missing}", where="drill")
        time.sleep(0.5)
