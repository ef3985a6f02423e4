"""Which pods of the simulated cluster are run as the drill's programs, and what each of them is to be. Pure.

istiod stays pretended where there is no Secret ``cacerts`` when it starts: the demo has none and does not change.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from lab.kube.objects import Obj, annotations_of, labels_of
from lab.mesh.surroundings import Part
from lab.real.programs import Start, repository

PAIR_IMAGE = "rackroll-lab/pair"
MESH_OF_PROXY = {"istio-proxy": "istio", "linkerd-proxy": "linkerd", "consul-dataplane": "consul"}
SIGNER_SERVICE = {"istio": "istiod", "linkerd": "linkerd-identity", "consul": "consul-server"}
COMPONENT = "linkerd.io/control-plane-component"
LAG = "lab.rackroll.io/volume-lag"
"""Annotation of a pod: seconds after which its volumes follow the API, at most. A real kubelet takes up to a minute."""

LAG_SECONDS = 1.0
_PAIR = (sys.executable, "-m", "lab.mesh.pair")
_IDLE = ("/bin/sleep", "infinity")


@dataclass(frozen=True, slots=True)
class StandIn:
    """``real`` are the containers that the one process stands for; ``version`` is the tag of the proxy, or signer."""

    mesh: str
    start: Start
    real: frozenset[str]
    version: str
    part: Part

    @property
    def told(self) -> str:
        """For the pod's annotation: what it says must not be taken for upstream's."""
        module = next((word for word in self.start.argv if word.startswith("lab.")), "volumes only")
        return f"{', '.join(sorted(self.real))} by {module}"


Exists = Callable[[str, str], bool]
"""(namespace, name) -> whether there is such a Secret."""


def stand_in(pod: Obj, secret: Exists) -> StandIn | None:
    """What runs in the place of the pod's containers; None for a pod that is not the drill's."""
    containers = pod["spec"]["containers"]
    named = {container["name"]: container for container in containers}
    found = next((c for c in containers if repository(c).endswith(PAIR_IMAGE)), None)
    if found is not None:
        return _pair(containers, found)
    match named:
        case {"discovery": one} if repository(one).endswith("/pilot"):
            return _signer("istio", one) if secret(pod["metadata"]["namespace"], "cacerts") else None
        case {"identity": one} if _is_linkerd(pod, "identity", one):
            return _signer("linkerd", one, also=frozenset({"linkerd-proxy"} & named.keys()))
        case {"proxy-injector": one} if _is_linkerd(pod, "proxy-injector", one):
            return StandIn(
                "linkerd", Start(one, _IDLE), frozenset({"proxy-injector"}), _tag(one), Part.VOLUMES
            )
        case {"consul": one} if labels_of(pod).get("component") == "server":
            return _signer("consul", one) if repository(one).endswith("hashicorp/consul") else None
        case _:
            return None


def _pair(containers: list[Obj], application: Obj) -> StandIn | None:
    """None outside a mesh: there is nothing then that it could stand for."""
    proxy = next((c for c in containers if c["name"] in MESH_OF_PROXY), None)
    if proxy is None:
        return None
    both = {
        "name": application["name"],
        "env": [*(proxy.get("env") or ()), *(application.get("env") or ())],
        "volumeMounts": [*(proxy.get("volumeMounts") or ()), *(application.get("volumeMounts") or ())],
    }
    real = frozenset({application["name"], proxy["name"]})
    return StandIn(MESH_OF_PROXY[proxy["name"]], Start(both, _PAIR), real, _tag(proxy), Part.PAIR)


def _signer(mesh: str, container: Obj, also: frozenset[str] = frozenset()) -> StandIn:
    argv = (sys.executable, "-m", "lab.mesh.signer")
    return StandIn(mesh, Start(container, argv), also | {container["name"]}, _tag(container), Part.SIGNER)


def _is_linkerd(pod: Obj, component: str, container: Obj) -> bool:
    image = repository(container).endswith("linkerd/controller")
    return image and labels_of(pod).get(COMPONENT) == component


def _tag(container: Obj) -> str:
    return (
        str(container["image"]).rpartition("@")[0].rpartition(":")[2]
        or (str(container["image"]).rpartition(":")[2])
    )


def lag(pod: Obj) -> float:
    """Raises ValueError for an annotation that is no number."""
    return float(annotations_of(pod).get(LAG) or LAG_SECONDS)
