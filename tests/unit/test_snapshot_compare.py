"""Two snapshots compared: everything that differs is listed, and what the plan did not ask for stands out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rollout.engine import snapshot
from rollout.engine.compare import Change, Difference, Topic, compare
from rollout.engine.context import Run
from rollout.engine.journal import MemoryJournal
from rollout.engine.observe import observe
from rollout.engine.outcome import Word
from rollout.engine.run import apply
from rollout.model.plan import Plan
from rollout.model.snapshot import Serving, ServingCertificate, Snapshot
from rollout.planner.request import asked
from rollout.planner.upgrade import plan_upgrade
from tests.unit.fake_world import TEMPO, running
from tests.unit.sites import site

LEAF = ServingCertificate("CN=shop", "CN=issuer-1", datetime(2027, 1, 1, tzinfo=UTC), "ab" * 32)


def upgraded() -> tuple[Snapshot, Snapshot, Plan]:
    rack, live = running(site())
    run = Run("run-1", live, clock=rack)
    before = snapshot.take(run, "before")
    plan = plan_upgrade(asked(live.site, observe(live), live.roles, ("istio", "1.31.1")))
    assert apply(live, plan, MemoryJournal(), clock=rack, tempo=TEMPO).word is Word.DONE
    return before, snapshot.take(run, "after"), plan


def of(found: tuple[Difference, ...], topic: Topic) -> list[Difference]:
    return [difference for difference in found if difference.topic is topic]


def test_an_upgrade_changes_versions_and_charts_and_nothing_that_was_not_planned() -> None:
    found = compare(*upgraded())
    assert {d.topic for d in found} == {Topic.CHART, Topic.VERSION}
    assert [d for d in found if not d.planned] == []
    moved = {(d.subject, d.change) for d in of(found, Topic.VERSION)}
    assert ("istio ingress-1 1.30.3", Change.REMOVED) in moved
    assert ("istio ingress-1 1.31.1", Change.ADDED) in moved


def test_the_same_snapshot_twice_differs_in_nothing() -> None:
    before, _, plan = upgraded()
    assert compare(before, replace(before, name="after"), plan) == ()


def test_a_mark_that_stays_a_lost_next_hop_and_a_lost_endpoint_are_unplanned() -> None:
    before, after, plan = upgraded()
    cordoned = replace(after.nodes[0], cordoned=True, owner="run-1")
    after = replace(
        after,
        nodes=(cordoned, *after.nodes[1:]),
        next_hops=(replace(after.next_hops[0], addresses=()), *after.next_hops[1:]),
        endpoints=tuple(replace(e, nodes=e.nodes[1:]) for e in after.endpoints),
    )
    odd = [d for d in compare(before, after, plan) if not d.planned]
    assert [d.topic for d in odd] == [Topic.ENDPOINTS, Topic.NEXT_HOPS, Topic.NODE]
    assert odd[-1].after == "Ready, cordoned by run run-1, kubelet v1.35.2"


def test_a_version_that_is_no_target_and_a_chart_that_no_step_installs_are_unplanned() -> None:
    before, after, plan = upgraded()
    other = replace(
        after.versions[0], subject="istio", component="sidecars", version="1.29.9", count=1, ready=1
    )
    chart = replace(after.charts[0], release="somebody-elses", version="1.0.0")
    after = replace(after, versions=(*after.versions, other), charts=(*after.charts, chart))
    odd = [d for d in compare(before, after, plan) if not d.planned]
    assert [(d.topic, d.change) for d in odd] == [(Topic.CHART, Change.ADDED), (Topic.VERSION, Change.ADDED)]


def test_a_new_leaf_is_shown_with_its_issuer_and_is_not_what_an_upgrade_asks_for() -> None:
    before, after, plan = upgraded()
    renewed = replace(LEAF, issuer="CN=issuer-2", sha256="cd" * 32)
    before = replace(before, serving=(Serving("ingress-1", LEAF),))
    after = replace(after, serving=(Serving("ingress-1", renewed),))
    (leaf,) = of(compare(before, after, plan), Topic.CERTIFICATE)
    assert leaf.before == "CN=shop from CN=issuer-1 until 2027-01-01 00:00 (abababababab)"
    assert "CN=issuer-2" in (leaf.after or "")
    assert not leaf.planned
