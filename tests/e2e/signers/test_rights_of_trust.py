"""The shipped ClusterRole ``rackroll-trust``, beside ``rackroll-runner``, is what handing trust over needs: no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lab.control.plane import ControlPlane
from lab.signers import objects
from roles.kubernetes.rights import runner_rights
from rollout.adapters.kube.api import KubeApi, connect
from rollout.adapters.kube.rights import KubeRights
from rollout.adapters.trust.objects import KubeTrust
from rollout.engine.trust import Declared
from rollout.errors import RackrollError
from rollout.model.rekey import Signer
from rollout.model.rights import Right
from rollout.model.site import Kubernetes, Site
from tests.e2e.scale.rights import Rule, grant, trust_rules
from tests.e2e.signers.rotation import kube_trust, site_of
from tests.real.fleet import eventually
from tests.unit import subject_sites
from tests.unit.mesh_keys import keys_of

OLD = Signer(1, 1)


def rights(rules: list[Rule]) -> tuple[Right, ...]:
    return tuple(
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


RUNNER = runner_rights()
OWN = tuple(right for right in rights(trust_rules()) if right not in RUNNER)


@dataclass(frozen=True, slots=True)
class Meshes:
    """Istio's and Linkerd's trust in a namespace that is not there yet, as this user hands it over."""

    istio: KubeTrust
    linkerd: KubeTrust

    def calls(self) -> Iterator[Callable[[], object]]:
        """Everything that the engine asks of them, in the order in which a rotation does."""
        for trust in (self.istio, self.linkerd):
            yield lambda trust=trust: trust.hand_over((1,), OLD)  # type: ignore[misc]
            yield trust.declared
            yield trust.sight
        yield lambda: self.istio.restart_control_plane("one")
        yield self.istio.control_plane_lacks

    def refusals(self) -> list[RackrollError]:
        found: list[RackrollError] = []
        for call in self.calls():
            try:
                call()
            except RackrollError as error:
                found.append(error)
        return found


def meshes(
    admin: KubeApi, plane: ControlPlane, folder: Path, name: str, allowed: tuple[Right, ...]
) -> Meshes:
    rules = [{"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]} for r in allowed]
    kubeconfig = plane.user(name)
    grant(admin, name, rules)
    istiod(admin, name)
    api = connect(Kubernetes(kubeconfig, None, "1.35"))

    def trust(site: Site, kind: str) -> KubeTrust:
        mesh = next(mesh for mesh in site.meshes if mesh.name == kind)
        own = site_of(replace(mesh, namespace=name))
        eventually(lambda: KubeRights(own, allowed, api).missing() == (), f"the rights of {name}")
        return kube_trust(own, keys_of(kind, folder, 1), api)

    return Meshes(trust(subject_sites.istio(), "istio"), trust(subject_sites.linkerd(), "linkerd"))


def istiod(admin: KubeApi, namespace: str) -> None:
    """One that never gets a pod; its webhooks are nobody's either."""
    objects.make_namespace(admin, namespace)
    labels = {"app": "istiod"}
    pod = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "d", "image": "played.example/d:1"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    meta = {"name": "istiod", "namespace": namespace, "labels": labels}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/istiod"
    objects.apply(
        admin, path, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    )


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a refusal is doubted is not the question here."""
    monkeypatch.setattr("rollout.adapters.kube.api.DOUBT", ())


def test_both_shipped_roles_are_enough_to_hand_trust_over_and_to_look_at_it(
    api: KubeApi, plane: ControlPlane, tmp_path: Path
) -> None:
    made = meshes(api, plane, tmp_path, "may-hand-over", (*RUNNER, *OWN))
    assert made.refusals() == []
    for trust in (made.istio, made.linkerd):
        assert trust.declared() == Declared(trust.anchors((1,)), trust.authority(OLD))
        assert trust.sight().signer == trust.authority(OLD)


@pytest.mark.parametrize("lost", OWN, ids=str)
def test_without_one_verb_of_it_something_fails_and_names_it(
    api: KubeApi, plane: ControlPlane, tmp_path: Path, lost: Right
) -> None:
    allowed = tuple(right for right in (*RUNNER, *OWN) if right != lost)
    found = meshes(api, plane, tmp_path, f"lacks-{OWN.index(lost)}", allowed).refusals()
    assert found, f"nothing notices that the user may not {lost}"
    for error in found:
        assert re.search(rf"\b{lost.verb}\b.*{re.escape(lost.resource)}\b", error.message), error.message
        assert "runner-rbac.yaml" in error.hint
