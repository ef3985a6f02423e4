"""From the world to findings: each fact asked for once, silence named, and one way for gates and ``rackroll check``."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rollout.checks.catalogue import catalogue
from rollout.checks.facts import Absent, Unknown
from rollout.engine import check as engine_check
from rollout.engine import gates
from rollout.engine.aims import Aims, aims
from rollout.engine.check import check_site
from rollout.engine.context import Run
from rollout.engine.gather import gather
from rollout.engine.ports import NoCommands
from rollout.errors import StepFailed, Unreachable
from rollout.model.gate import Verdict
from rollout.model.policy import AlertSource, Policy
from rollout.model.site import ControlPlaneHost
from rollout.model.step import Cordon, Evict, EvictAll, ReplaceAgents, Step
from rollout.model.workload import Budget, NodeImages, PodState, Selector
from tests.unit.check_world import (
    EVICT,
    NO_PATIENCE,
    SHUT,
    Prometheus,
    Shelf,
    Spoken,
    found,
    plan,
    pod,
    world,
)
from tests.unit.fake_vitals import UNSYNCHRONISED, tracking
from tests.unit.fake_world import running
from tests.unit.sites import site as small_site


def test_only_what_a_check_needs_is_asked_and_each_only_once() -> None:
    shelf, hosts, prometheus = Shelf((pod("a"),)), Spoken(), Prometheus()
    made = world(Policy(alerts=AlertSource("http://p")), workloads=shelf, commands=hosts, metrics=prometheus)
    check_site(made, [catalogue()["NODE-FREE"], catalogue()["WINDOW-OPEN"]], "r1n1")
    assert (shelf.asked, hosts.asked, prometheus.asked) == ([], [], 0)
    leaving = ["WINDOW-OPEN", "ALERTS-QUIET", "CLOCK-OFFSET", "CONNTRACK-ROOM", "PDB-ALLOWS"]
    check_site(made, [catalogue()[id] for id in leaving], "r1n1")
    assert shelf.asked == ["pods r1n1", "budgets"]
    assert [host for host, _ in hosts.asked] == ["r1n1", "r1n1"]
    assert prometheus.asked == 1


def test_a_gate_and_a_check_come_to_the_same_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """One set of facts, both ways: whatever the world says, neither can know more than the other."""
    made = world(
        SHUT,
        commands=Spoken(clock=UNSYNCHRONISED, table=Unreachable("no route to host")),
        workloads=Shelf((pod("a", version=None),)),
    )
    ids = tuple(catalogue())
    once = gather(Run("", made), list(catalogue().values()), "r1n1", probes=3)
    monkeypatch.setattr(engine_check, "gather", lambda *_, **__: once)
    asked = check_site(made, list(catalogue().values()), "r1n1")
    held = gates.ask_gates(Run("", made, tempo=NO_PATIENCE), Step("s", Cordon("r1n1"), ids, "r1n1")).held
    assert held == tuple(finding for finding in asked if finding.verdict is not Verdict.OPEN)
    assert {finding.verdict for finding in asked} == set(Verdict), "all three were compared"


def test_a_clock_is_read_on_the_node_and_site_wide_also_on_the_control_plane() -> None:
    hosts = Spoken()
    made = world(commands=hosts)
    kubernetes = replace(
        made.site.kubernetes, control_plane=(ControlPlaneHost("cp1", made.site.nodes[0].ssh),)
    )
    made = replace(made, site=replace(made.site, kubernetes=kubernetes))
    assert found("CLOCK-OFFSET", made).verdict is Verdict.OPEN
    assert [host for host, _ in hosts.asked] == ["r1n1"]
    hosts.asked.clear()
    assert found("CLOCK-OFFSET", made, node=None).verdict is Verdict.OPEN
    assert {host for host, _ in hosts.asked} == {*(node.name for node in made.site.nodes), "cp1"}


@pytest.mark.parametrize(
    ("clock", "verdict", "words"),
    [
        (tracking(), Verdict.OPEN, "within"),
        (tracking(0.25), Verdict.CLOSED, "250.000 ms away from 10.255.0.5"),
        (tracking(updated=datetime.now(UTC) - timedelta(hours=9)), Verdict.CLOSED, "heard nothing"),
        (UNSYNCHRONISED, Verdict.CLOSED, "not synchronised"),
        ("506 Cannot talk to daemon", Verdict.INCONCLUSIVE, "506 Cannot talk to daemon"),
        ("", Verdict.INCONCLUSIVE, "it said nothing"),
        (f"Last login: today\n{tracking()}", Verdict.OPEN, "within"),
        (Unreachable("no route to host"), Verdict.INCONCLUSIVE, "no route to host"),
        (StepFailed("the command did not end"), Verdict.INCONCLUSIVE, "did not end"),
    ],
)
def test_a_clocks_answer(clock: str | Exception, verdict: Verdict, words: str) -> None:
    finding = found("CLOCK-OFFSET", world(commands=Spoken(clock=clock)))
    assert (finding.verdict, words in finding.detail) == (verdict, True), finding.detail


@pytest.mark.parametrize(
    ("table", "code", "verdict"),
    [
        ("10\n1000", 0, Verdict.OPEN),
        ("900\n1000", 0, Verdict.CLOSED),
        ("cat: /proc/sys/net/netfilter/nf_conntrack_count: No such file or directory", 1, Verdict.OPEN),
        ("cat: Permission denied", 1, Verdict.INCONCLUSIVE),
        ("900\n1000", 124, Verdict.INCONCLUSIVE),
        ("many\nmore", 0, Verdict.INCONCLUSIVE),
        ("", 0, Verdict.INCONCLUSIVE),
        (Unreachable("no route to host"), 0, Verdict.INCONCLUSIVE),
    ],
)
def test_a_connection_tables_answer(table: str | Exception, code: int, verdict: Verdict) -> None:
    assert found("CONNTRACK-ROOM", world(commands=Spoken(table=table, code=code))).verdict is verdict


def test_a_hung_program_on_a_host_is_cut_off_there() -> None:
    hosts = Spoken()
    found("CLOCK-OFFSET", world(commands=hosts))
    found("CONNTRACK-ROOM", world(commands=hosts))
    assert all(argv[:4] == ("env", "LC_ALL=C", "timeout", "5") for _, argv in hosts.asked)


def test_a_simulation_says_that_it_has_no_hosts() -> None:
    finding = found("CLOCK-OFFSET", world(commands=NoCommands()))
    assert finding.verdict is Verdict.OPEN
    assert finding.detail.startswith("simulated")


@pytest.mark.parametrize(
    ("firing", "verdict"),
    [
        ((), Verdict.OPEN),
        (({"alertname": "EtcdDown"},), Verdict.CLOSED),
        (Unreachable("does not answer", where="alerts http://p"), Verdict.INCONCLUSIVE),
    ],
)
def test_alerts_are_read_from_the_sites_server(firing: object, verdict: Verdict) -> None:
    made = world(Policy(alerts=AlertSource("http://p")), metrics=Prometheus(firing))  # type: ignore[arg-type]
    assert found("ALERTS-QUIET", made).verdict is verdict


def test_a_site_without_alerts_asks_nobody() -> None:
    prometheus = Prometheus(Unreachable("must not be asked"))
    assert found("ALERTS-QUIET", world(metrics=prometheus)).detail == "no alert source configured"
    assert prometheus.asked == 0


def test_a_server_that_nobody_was_wired_to_read_is_no_quiet_one() -> None:
    _, base = running(replace(small_site(), policy=Policy(alerts=AlertSource("http://p"))))
    assert found("ALERTS-QUIET", base).verdict is Verdict.INCONCLUSIVE


def test_a_plans_eviction_asks_budgets_only_about_what_it_evicts() -> None:
    stuck = Budget("shop", "db", Selector(), 0, 1, 1, 1)
    db, cart = pod("db", version=None), replace(pod("cart"), namespace="web")
    made = world(workloads=Shelf((db, cart), (stuck,)))
    assert found("PDB-ALLOWS", made).verdict is Verdict.CLOSED, "a drain would meet the database's budget"
    finding = found("PDB-ALLOWS", made, plan=plan(EVICT))
    assert (finding.verdict, finding.detail) == (Verdict.OPEN, "r1n1: 1 pods may leave")
    drained = plan(Step("e", EvictAll("r1n1"), node="r1n1"))
    assert found("PDB-ALLOWS", made, plan=drained).verdict is Verdict.CLOSED


def test_pods_that_are_at_the_target_or_on_their_way_out_do_not_leave_again() -> None:
    stuck = Budget("shop", "all", Selector(), 0, 1, 1, 1)
    pods = (pod("new", version="1.31.1"), pod("going", terminating=True), pod("far", node="r2n1"))
    made = world(workloads=Shelf(pods, (stuck,)))
    assert found("PDB-ALLOWS", made, plan=plan(EVICT)).detail == "no pod has to leave"


def test_agents_that_are_deleted_are_under_no_budget() -> None:
    stuck = Budget("shop", "all", Selector(), 0, 1, 1, 1)
    replaced = plan(Step("r", ReplaceAgents("r1n1", "istio", ("ztunnel",), "1.31.1"), node="r1n1"))
    made = world(workloads=Shelf((pod("ztunnel", evictable=False),), (stuck,)))
    assert found("PDB-ALLOWS", made, plan=replaced).verdict is Verdict.OPEN


def test_images_of_both_versions_must_be_there_where_the_site_asks_for_it() -> None:
    both = {f"docker.io/istio/proxyv2:{v}-distroless" for v in ("1.30.3", "1.31.1")}
    strict = Policy(images_required=True)
    shelf = Shelf((pod("a"), pod("other", version=None)), pulled=NodeImages(frozenset(both)))
    assert found("IMAGES-PRESENT", world(strict, workloads=shelf), plan=plan(EVICT)).verdict is Verdict.OPEN
    shelf.pulled = NodeImages(frozenset(both - {"docker.io/istio/proxyv2:1.31.1-distroless"}))
    finding = found("IMAGES-PRESENT", world(strict, workloads=shelf), plan=plan(EVICT))
    assert finding.detail == "r1n1 lacks docker.io/istio/proxyv2:1.31.1-distroless"
    shelf.asked.clear()
    assert found("IMAGES-PRESENT", world(workloads=shelf), plan=plan(EVICT)).verdict is Verdict.OPEN
    assert shelf.asked == [], "not required: nobody is asked"


def test_a_node_that_does_not_say_what_it_pulled_is_inconclusive() -> None:
    class Silent(Shelf):
        def images(self, node: str) -> NodeImages:
            raise Unreachable(f"node {node} did not answer")

    made = world(Policy(images_required=True), workloads=Silent((pod("a"),)))
    assert found("IMAGES-PRESENT", made, plan=plan(EVICT)).verdict is Verdict.INCONCLUSIVE


def test_a_workload_without_its_proxy_is_drift_unless_it_declined() -> None:
    made = world(workloads=Shelf((pod("a"), pod("bare", version=None))))
    finding = found("INJECTION-DRIFT", made, node=None)
    assert finding.verdict is Verdict.CLOSED
    assert "without a proxy: shop/bare" in finding.detail
    declined = (pod("a"), pod("bare", version=None, asked=False), pod("x", version=None, terminating=True))
    assert found("INJECTION-DRIFT", world(workloads=Shelf(declined)), node=None).verdict is Verdict.OPEN
    elsewhere = (replace(pod("bare", version=None), namespace="kube-system"),)
    assert found("INJECTION-DRIFT", world(workloads=Shelf(elsewhere)), node=None).verdict is Verdict.OPEN


def test_a_third_version_is_drift_in_a_check_and_both_of_a_plan_are_not() -> None:
    made = world(workloads=Shelf((pod("new", version="1.31.1"),)))
    assert "not at 1.30.3: shop/new at 1.31.1" in found("INJECTION-DRIFT", made, node=None).detail
    assert found("INJECTION-DRIFT", made, plan=plan(EVICT)).verdict is Verdict.OPEN


def test_a_silent_api_is_inconclusive_for_everything_that_asks_it() -> None:
    class Silent(Shelf):
        def pods(self, node: str | None = None) -> tuple[PodState, ...]:
            raise Unreachable(f"the API does not answer about {node}", where="kubernetes")

    made = world(Policy(images_required=True), workloads=Silent())
    for id in ("PDB-ALLOWS", "IMAGES-PRESENT", "INJECTION-DRIFT"):
        finding = found(id, made)
        assert (finding.verdict, finding.detail) == (
            Verdict.INCONCLUSIVE,
            "kubernetes: the API does not answer about r1n1",
        )


def test_a_simulation_without_pods_says_so() -> None:
    _, base = running(small_site())
    facts = gather(Run("", base), [catalogue()["PDB-ALLOWS"]], "r1n1", probes=1)
    assert isinstance(facts.leaving, Absent)
    assert found("PDB-ALLOWS", base).detail.startswith("simulated")


def test_what_was_not_asked_is_not_known() -> None:
    facts = gather(Run("", world()), [catalogue()["NODE-FREE"]], "r1n1", probes=1)
    assert isinstance(facts.alerts, Unknown)
    assert isinstance(facts.leaving, Unknown)


def test_a_plan_is_read_for_what_gates_must_know() -> None:
    whole = plan(EVICT, replace(EVICT, key="again"), Step("c", Cordon("r1n1")), reason="CVE-2026-1")
    assert aims(whole) == Aims(
        "CVE-2026-1",
        {"r1n1": (Evict("r1n1", "istio", "1.31.1"),)},
        {"istio": frozenset({"1.30.3", "1.31.1"})},
    )


def test_a_plans_break_glass_reaches_its_gates() -> None:
    made = world(SHUT)
    assert found("WINDOW-OPEN", made).verdict is Verdict.CLOSED
    finding = found("WINDOW-OPEN", made, plan=plan(EVICT, reason="CVE-2026-1"))
    assert finding.verdict is Verdict.OPEN
    assert "CVE-2026-1" in finding.detail
