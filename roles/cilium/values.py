"""Cilium's chart values: what the site installed it with, below what keeps an upgrade from rolling the fleet.

Keys: cilium install/kubernetes/cilium/values.yaml (updateStrategy, envoy.updateStrategy, rollOutCiliumPods,
operator.podDisruptionBudget, preflight).
"""

from __future__ import annotations

from rollout.model.role import Json

RELEASE_LABEL = "rackroll.io/release"
"""Cilium's Envoy image has numbers of its own; this label on its pods says which Cilium release it belongs to."""

_ON_DELETE: Json = {"type": "OnDelete"}


def cilium_values(version: str) -> Json:
    """``rollOutCiliumPods`` False: a changed ConfigMap must not restart agents either.

    ``upgradeCompatibility`` is not here: only the site knows which minor its cluster began with.
    """
    return {
        "updateStrategy": _ON_DELETE,
        "rollOutCiliumPods": False,
        "envoy": {
            "updateStrategy": _ON_DELETE,
            "rollOutPods": False,
            "podLabels": {RELEASE_LABEL: version},
        },
        "operator": {"replicas": 2, "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1}},
    }


def preflight_values() -> Json:
    """The same chart with everything off but the check: a DaemonSet that pulls the image on every node, and a
    Deployment that validates the cluster's policies against the new release."""
    return {
        "preflight": {"enabled": True},
        "agent": False,
        "operator": {"enabled": False},
        "envoy": {"enabled": False},
    }
