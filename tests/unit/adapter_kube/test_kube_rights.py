"""What our user may do in Kubernetes: asked one by one, told as a check, and named when the API refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import yaml

from roles.kubernetes.rights import MANIFEST, runner_rights
from rollout.adapters.kube.cluster import KubeCluster
from rollout.adapters.kube.rights import KubeRights
from rollout.checks.catalogue import catalogue
from rollout.engine.check import check_site
from rollout.errors import StepFailed, Unreachable
from rollout.model.gate import Verdict
from rollout.model.observed import NodeState
from rollout.model.rights import Right
from rollout.model.site import Site
from tests.unit.fake_world import FakeRack, running
from tests.unit.kubeapi import FakeApi, status
from tests.unit.sites import site as small_site

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
CHECK = catalogue()["KUBE-RIGHTS"]


def test_each_right_is_asked_of_the_server_and_what_it_denies_is_missing(api: FakeApi, site: Site) -> None:
    wanted = (Right("", "nodes", "patch"), Right("", "pods/eviction", "create"))
    api.on(f"POST {REVIEWS}", {"status": {"allowed": True}}, {"status": {"allowed": False}})
    assert KubeRights(site, wanted).missing() == wanted[1:]
    asked = [each.body["spec"]["resourceAttributes"] for each in api.sent("POST")]
    assert asked[1] == {"group": "", "resource": "pods", "subresource": "eviction", "verb": "create"}


def test_a_server_that_does_not_review_is_no_grant(api: FakeApi, site: Site) -> None:
    api.on(f"POST {REVIEWS}", status(403, "Forbidden", "you may not even ask"))
    with pytest.raises(StepFailed, match="you may not even ask"):
        KubeRights(site, (Right("", "nodes", "patch"),)).missing()


@dataclass
class Said:
    answer: tuple[Right, ...] | Exception

    def missing(self) -> tuple[Right, ...]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        ((), Verdict.OPEN, "may do all"),
        (
            (Right("policy", "poddisruptionbudgets", "list"),),
            Verdict.CLOSED,
            "list poddisruptionbudgets.policy",
        ),
        (Unreachable("did not answer", where="api"), Verdict.INCONCLUSIVE, "did not answer"),
    ],
)
def test_the_check_names_what_is_missing_and_silence_is_no_right(
    answer: tuple[Right, ...] | Exception, verdict: Verdict, words: str
) -> None:
    _, world = running(small_site())
    (finding,) = check_site(replace(world, rights=Said(answer)), (CHECK,))
    assert finding.verdict is verdict
    assert words in finding.detail


def test_a_simulation_has_no_user_to_ask_about() -> None:
    _, world = running(small_site())
    (finding,) = check_site(world, (CHECK,))
    assert (finding.verdict, finding.detail.split(":")[0]) == (Verdict.OPEN, "simulated")


def test_what_is_forbidden_says_which_manifest_grants_it(api: FakeApi, site: Site) -> None:
    api.on("GET /api/v1/nodes", status(403, "Forbidden", 'cannot list resource "nodes"'))
    with pytest.raises(StepFailed, match='list resource "nodes"') as caught:
        KubeCluster(site).nodes()
    assert "runner-rbac.yaml" in caught.value.hint
    assert "KUBE-RIGHTS" in caught.value.hint


def test_an_api_server_that_has_not_read_its_roles_yet_is_asked_again(api: FakeApi, site: Site) -> None:
    """Seen on a real one, right after its start: 403 for everything, for a moment."""
    api.on("GET /version", status(403, "Forbidden", "not yet"), {"gitVersion": "v1.35.8"})
    assert KubeCluster(site).version() == "v1.35.8"


def test_the_manifest_grants_no_wildcard_to_the_runner_and_no_right_twice() -> None:
    rights = runner_rights()
    assert len(set(rights)) == len(rights)
    assert not [right for right in rights if "*" in (right.group, right.resource, right.verb)]
    kinds = {document["kind"] for document in yaml.safe_load_all(MANIFEST.read_text())}
    assert kinds == {"ClusterRole"}, "whom to bind it to is the site's own word"


@dataclass
class Narrow:
    """A cluster that remembers which nodes it was asked for."""

    rack: FakeRack
    asked: list[str | None]

    def nodes(self, name: str | None = None) -> tuple[NodeState, ...]:
        self.asked.append(name)
        return tuple(state for state in self.rack.nodes.values() if name in (None, state.name))


def test_a_gate_of_one_node_asks_for_no_other() -> None:
    """Listing a thousand nodes before each of a thousand nodes moves was a third of a run's time."""
    rack, world = running(small_site())
    cluster = Narrow(rack, [])
    node = next(iter(rack.nodes))
    check = (catalogue()["NODE-FREE"],)
    (finding,) = check_site(replace(world, cluster=cluster), check, node)  # type: ignore[arg-type]
    assert (finding.verdict, cluster.asked) == (Verdict.OPEN, [node])
    check_site(replace(world, cluster=cluster), check)  # type: ignore[arg-type]
    assert cluster.asked == [node, None]
