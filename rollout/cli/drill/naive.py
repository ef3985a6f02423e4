"""NEGATIVE CONTROL: the new root swapped in at one stroke, as procedures without a census do it. Drills only.

Trust and signer change together, the control plane is restarted so that it takes them, and the workloads are restarted
one after the other as their budgets allow: between the first and the last, half of the mesh does not believe the other.
"""

from __future__ import annotations

import time

from roles.consul.trust import next_configuration
from rollout.adapters.trust.consul import ConsulTrust
from rollout.cli.drill.stage import DrillStage
from rollout.engine.trust import MeshTrust
from rollout.model.rekey import Signer

LASTS = 20.0
"""Seconds that it is watched for after the last restart."""


def swap(stage: DrillStage) -> Signer:
    """Everything at once; returns the new signer. Nothing here is guarded, on purpose."""
    trust = stage.trust
    newest = max(trust.signers())
    new = Signer(newest.generation + 1, 1)
    trust.mint(new)
    if isinstance(trust, ConsulTrust):
        _force(trust, new)
    else:
        trust.hand_over((new.generation,), new)
        _restart_control_plane(stage, trust)
    for party in trust.sight().parties:
        _restart(stage, party.namespace, party.name)
    time.sleep(LASTS)
    return new


def _force(trust: ConsulTrust, new: Signer) -> None:
    """Consul asks for this word before it replaces a root that nothing will cross-sign."""
    wanted = next_configuration(trust.ca.configuration(), trust.keys.material(new))
    trust.ca.configure({**wanted, "ForceWithoutCrossSigning": True})


def _restart_control_plane(stage: DrillStage, trust: MeshTrust) -> None:
    if trust.way.control_plane:
        trust.restart_control_plane("naive")
        while trust.control_plane_lacks():
            time.sleep(0.5)
        return
    namespace = stage.site.mesh(stage.mesh).namespace
    for agent in stage.world.cluster.agents(subject=stage.mesh):
        if agent.namespace == namespace and agent.component == "istiod":
            stage.world.cluster.delete_pod(agent.namespace, agent.pod)
    time.sleep(5.0)


def _restart(stage: DrillStage, namespace: str, pod: str) -> None:
    deadline = time.monotonic() + 60
    while not stage.world.cluster.evict(namespace, pod) and time.monotonic() < deadline:
        time.sleep(0.5)
