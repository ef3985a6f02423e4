"""Which components a kind of subject has, by the part they play. The words are those of the rules' data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KUBERNETES = "kubernetes"

CONTROL: Mapping[str, str] = MappingProxyType(
    {
        "istio": "istiod",
        "istio-ambient": "istiod",
        "linkerd": "control-plane",
        "cilium": "operator",
        "consul": "control-plane",
        "metallb": "controller",
        "kubernetes": "apiserver",
    }
)
"""What AwaitControlPlane waits for."""

IDENTITY: Mapping[str, tuple[str, ...]] = MappingProxyType({"consul": ("server",)})
"""Further components that issue identities: they move with no wave that takes every gateway in hand."""

LEADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "istio": ("istiod",),
        "istio-ambient": ("istiod",),
        "linkerd": ("control-plane",),
        "cilium": ("agent", "operator"),
        "consul": ("server",),
        "metallb": ("controller",),
        "kubernetes": ("apiserver",),
    }
)
"""Components whose version is the subject's own: support tables and jump rules speak of these."""

PROXY: Mapping[str, str] = MappingProxyType({"consul": "dataplane"})
"""What Evict replaces, where it is not called proxy."""

INJECTED = frozenset({"istio", "istio-ambient", "linkerd"})
"""Kinds whose new proxies get the control plane's own version unless a chart pins another."""


CHART_NUMBERED = frozenset({"consul"})
"""Kinds whose control plane carries its chart's number: the chart alone says where it goes, and when."""


def proxy_of(kind: str) -> str:
    return PROXY.get(kind, "proxy")


def control_of(kind: str) -> tuple[str, ...]:
    """Components that PLAN-WINDOW-01 counts as control plane or identity."""
    return (CONTROL.get(kind, "control-plane"), *IDENTITY.get(kind, ()))


HOP_ORDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "istio": ("istiod", "proxy"),
        "istio-ambient": ("istiod", "cni", "ztunnel", "proxy"),
        "linkerd": ("control-plane", "proxy"),
        "cilium": ("operator", "agent"),
        "consul": ("server",),
        "metallb": ("controller", "speaker"),
    }
)
"""Components that carry the subject's own version, in the order in which a hop upwards moves them.

Kubernetes is not here: its API servers and its kubelets move apart. What is numbered apart (Consul's dataplane)
is not here either: the proof of the plan asks about it.
"""
