"""The drill's manifests on a simulated cluster without machines, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.kube.objects import Obj
from lab.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PDBS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from lab.mesh.stand_ins import stand_in
from tests.unit.kube_world import World, workload

APPS = Path(__file__).resolve().parents[2] / "lab" / "apps"
KINDS: dict[str, Resource] = {
    one.kind: one for one in (NAMESPACES, SERVICE_ACCOUNTS, DEPLOYMENTS, STATEFUL_SETS, SERVICES, PDBS)
}
NODES = {name: f"10.9.{name[1]}.1{name[3]}" for name in ("r1n1", "r1n2", "r1n3", "r2n1", "r2n2", "r2n3")}


def apply(world: World, *names: str) -> None:
    for name in names:
        for item in yaml.safe_load_all((APPS / f"{name}.yaml").read_text()):
            world.make(KINDS[item["kind"]], item, 1.0)
    world.pass_time()


def istiod(world: World) -> None:
    world.make(NAMESPACES, {"metadata": {"name": "istio-system"}})
    body = workload("Deployment", "istiod", "docker.io/istio/pilot:1.30.3", replicas=1)
    body["metadata"] |= {"namespace": "istio-system", "labels": {"app": "istiod"}}
    body["spec"]["template"]["spec"]["containers"][0]["name"] = "discovery"
    world.make(DEPLOYMENTS, body)


def bundle(world: World, text: str) -> None:
    if world.store.get(NAMESPACES, None, "linkerd") is None:
        world.make(NAMESPACES, {"metadata": {"name": "linkerd"}})
    meta = {"name": "linkerd-identity-trust-roots", "namespace": "linkerd"}
    body = {"metadata": meta, "data": {"ca-bundle.crt": text}}
    if world.store.get(CONFIG_MAPS, "linkerd", meta["name"]) is None:
        world.make(CONFIG_MAPS, body)
    else:
        world.store.patch(CONFIG_MAPS, "linkerd", meta["name"], body)


def linkerd(world: World) -> None:
    bundle(world, "ONE")
    for item in yaml.safe_load_all((APPS / "linkerd.yaml").read_text()):
        if item["kind"] != "Namespace":
            world.make(KINDS[item["kind"]], item, 1.0)


def drill_pods(world: World) -> list[Obj]:
    return world.pods("pair", "drill")


def role(pod: Obj, *, cacerts: bool = True) -> Any:
    return stand_in(pod, lambda space, name: cacerts and (space, name) == ("istio-system", "cacerts"))


def start(world: World, mesh: str) -> None:
    match mesh:
        case "istio":
            istiod(world)
        case "linkerd":
            linkerd(world)
        case _:
            apply(world, "consul")
    apply(world, f"pairs-{mesh}")
