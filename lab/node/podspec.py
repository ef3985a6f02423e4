"""What a pod asks of its node: which container is an Envoy, how it drains, when it counts as ready.

A pod whose ``istio-proxy`` is its only container is a gateway; beside other containers it is a sidecar,
and those others are simulated. Drain settings are read where Istio reads them: the pod's
``proxy.istio.io/config`` annotation, and the container's environment, which wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from lab.node.facts import Json, seconds

PROXY = "istio-proxy"
_DEFAULT_GRACE = 30


class ProxyKind(StrEnum):
    GATEWAY = "gateway"
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class Drain:
    """pilot-agent's way out, in seconds: ``minimum`` applies only with ``exit_on_zero``, else ``duration``."""

    duration: float = 5.0
    minimum: float = 5.0
    exit_on_zero: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """When a failing probe unreadies a pod, as a kubelet does it. Istio injects 15 s times 4 where none is set."""

    period: float = 15.0
    failures: int = 4


@dataclass(frozen=True, slots=True)
class PreStop:
    """A container's preStop hook as far as the lab runs it: a sleep, or a request to Envoy's admin."""

    sleep: float = 0.0
    request: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Proxy:
    kind: ProxyKind
    image: str
    drain: Drain
    readiness: Readiness

    @property
    def istio(self) -> str:
        return self.image.rpartition(":")[2].partition("@")[0]


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    image: str


@dataclass(frozen=True, slots=True)
class PodSpec:
    namespace: str
    name: str
    uid: str
    labels: tuple[tuple[str, str], ...]
    host_network: bool
    grace: float
    containers: tuple[Container, ...]
    proxy: Proxy | None
    app_ports: tuple[int, ...]
    pre_stop: tuple[PreStop, ...]
    real: frozenset[str] = frozenset()
    stand_in: str = ""
    """What of a pod that runs for real is not what its image says, in words; empty where nothing is."""

    @property
    def simulated(self) -> tuple[str, ...]:
        """Containers that are only pretended to run."""
        return tuple(c.name for c in self.containers if c.name not in self.real)


def read_pod(pod: Json) -> PodSpec:
    meta, spec = pod["metadata"], pod["spec"]
    containers = spec.get("containers") or ()
    proxy = next((c for c in containers if c["name"] == PROXY), None)
    others = [c for c in containers if c["name"] != PROXY]
    kind = ProxyKind.SIDECAR if others else ProxyKind.GATEWAY
    grace = spec.get("terminationGracePeriodSeconds")
    return PodSpec(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        labels=tuple(sorted((meta.get("labels") or {}).items())),
        host_network=bool(spec.get("hostNetwork")),
        grace=float(_DEFAULT_GRACE if grace is None else grace),
        containers=tuple(Container(c["name"], c.get("image", "")) for c in containers),
        proxy=None if proxy is None else _proxy(proxy, kind, meta.get("annotations") or {}),
        app_ports=tuple(p["containerPort"] for c in others for p in c.get("ports") or ()) or (8080,),
        pre_stop=tuple(hook for c in containers if (hook := _pre_stop(c)) is not None),
        real=frozenset() if proxy is None else frozenset({PROXY}),
    )


def _proxy(container: Json, kind: ProxyKind, annotations: Mapping[str, str]) -> Proxy:
    return Proxy(
        kind, container.get("image", ""), drain_settings(container, annotations), _readiness(container)
    )


def drain_settings(container: Json, annotations: Mapping[str, str]) -> Drain:
    config = yaml.safe_load(annotations.get("proxy.istio.io/config") or "") or {}
    settings: dict[str, Any] = dict(config.get("proxyMetadata") or {})
    settings |= {e["name"]: e.get("value", "") for e in container.get("env") or () if "value" in e}
    base = Drain()
    duration = config.get("terminationDrainDuration")
    return Drain(
        duration=base.duration if duration is None else seconds(str(duration)),
        minimum=seconds(str(settings.get("MINIMUM_DRAIN_DURATION") or f"{base.minimum}s")),
        exit_on_zero=str(settings.get("EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "")).lower() == "true",
    )


def _readiness(container: Json) -> Readiness:
    probe = container.get("readinessProbe")
    if not probe:
        return Readiness()
    return Readiness(float(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3))


def _pre_stop(container: Json) -> PreStop | None:
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if "sleep" in hook:
        return PreStop(sleep=float(hook["sleep"].get("seconds") or 0))
    words = " ".join((hook.get("exec") or {}).get("command") or ())
    request = re.search(r"pilot-agent request (GET|POST) (\S+)", words)
    sleep = re.search(r"\bsleep (\d+(?:\.\d+)?)", words)
    if not request and not sleep:
        return None
    return PreStop(
        sleep=float(sleep.group(1)) if sleep else 0.0,
        request=(request.group(1), "/" + request.group(2).strip("'\"/")) if request else None,
    )
