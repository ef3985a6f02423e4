"""What upstream says, written down by hand a second time: a mistyped row must fail here.

The expected verdicts were read from the facts (matrix.yaml and its sources), never from the rules' data files.
"""

from __future__ import annotations

from datetime import date

import pytest

from rollout.rules.book import book
from rollout.rules.evaluate import (
    RuleVerdict,
    artifact_verdicts,
    jump_verdicts,
    new_behaviours,
    order_of,
    skew_verdicts,
    support_verdicts,
)

OK, WARN, NO = "ok", "warn", "no"


def worst(verdicts: tuple[RuleVerdict, ...]) -> str:
    if any(verdict.refuses for verdict in verdicts):
        return NO
    return WARN if any(verdict.warns for verdict in verdicts) else OK


SKEWS = [
    ("istio", {"istiod": "1.31.1", "proxy": "1.30.3"}, OK),
    ("istio", {"istiod": "1.31.1", "proxy": "1.29.6"}, NO),
    ("istio", {"istiod": "1.30.3", "proxy": "1.31.0"}, NO),
    ("istio", {"proxy": "1.27.0 1.31.0"}, OK),
    ("istio", {"istiod": "1.30.3 1.31.1", "proxy": "1.30.3"}, OK),
    ("istio", {"istiod": "1.30.3 1.31.1", "proxy": "1.31.1"}, NO),
    ("istio", {"istiod": "1.30.3 1.31.1", "proxy": "1.29.6"}, NO),
    ("istio-ambient", {"istiod": "1.31.1", "cni": "1.31.1", "ztunnel": "1.30.3"}, OK),
    ("istio-ambient", {"istiod": "1.31.1", "cni": "1.30.3", "ztunnel": "1.31.1"}, OK),
    ("istio-ambient", {"istiod": "1.31.1", "cni": "1.29.6", "ztunnel": "1.31.1"}, NO),
    ("istio-ambient", {"istiod": "1.31.1", "ztunnel": "1.29.6"}, NO),
    ("istio-ambient", {"istiod": "1.31.1", "cni": "1.29.6"}, NO),
    ("istio-ambient", {"istiod": "1.30.3", "proxy": "1.31.1"}, NO),
    ("istio-ambient", {"istiod": "1.31.1", "proxy": "1.30.3"}, OK),
    ("linkerd", {"control-plane": "edge-26.6.3", "proxy": "edge-25.10.7"}, OK),
    ("linkerd", {"control-plane": "edge-26.6.3", "proxy": "edge-25.10.6"}, NO),
    ("linkerd", {"control-plane": "edge-25.10.7", "proxy": "edge-26.6.3"}, NO),
    ("linkerd", {"control-plane": "enterprise-2.19.1", "proxy": "edge-25.4.4"}, OK),
    ("consul", {"server": "2.0.1", "dataplane": "1.8.4"}, OK),
    ("consul", {"server": "2.0.1", "dataplane": "1.7.4"}, NO),
    ("consul", {"server": "1.22.7", "dataplane": "1.7.4"}, OK),
    ("consul", {"server": "1.22.7", "dataplane": "2.0.0"}, NO),
    ("consul", {"server": "1.21.5", "dataplane": "1.6.0"}, OK),
    ("consul", {"server": "1.21.5", "dataplane": "1.9.0"}, NO),
    ("consul", {"server": "1.20.6", "dataplane": "1.5.9"}, OK),
    ("consul", {"server": "1.20.6", "dataplane": "1.8.0"}, NO),
    ("consul", {"server": "1.22.7 2.0.1", "dataplane": "1.9.0"}, OK),
    ("consul", {"server": "1.22.7 2.0.1", "dataplane": "1.7.0"}, NO),
    ("consul", {"server": "1.22.7 2.0.1"}, OK),
    ("consul", {"server": "1.21.5 2.0.1"}, NO),
    ("consul", {"server": "1.21.7-ent 2.0.1-ent"}, OK),
    ("consul", {"server": "1.21.6-ent 2.0.1-ent"}, NO),
    ("consul", {"server": "1.22.7", "control-plane": "1.9.0"}, OK),
    ("consul", {"server": "1.21.5", "control-plane": "2.0.0"}, NO),
    ("consul", {"server": "1.21.7-ent", "control-plane": "2.0.0"}, OK),
    ("consul", {"chart": "1.9.1", "control-plane": "1.9.4"}, OK),
    ("consul", {"chart": "1.9.1", "control-plane": "1.8.4"}, NO),
    ("kubernetes", {"apiserver": "1.36.0", "kubelet": "1.33.4"}, OK),
    ("kubernetes", {"apiserver": "1.37.0", "kubelet": "1.33.4"}, NO),
    ("kubernetes", {"apiserver": "1.35.0", "kubelet": "1.36.0"}, NO),
    ("kubernetes", {"apiserver": "1.35.0 1.36.0", "kubelet": "1.35.0"}, OK),
    ("kubernetes", {"apiserver": "1.35.0 1.36.0", "kubelet": "1.36.0"}, NO),
    ("kubernetes", {"apiserver": "1.36.0 1.37.0", "kubelet": "1.33.4"}, NO),
    ("kubernetes", {"apiserver": "1.26.0", "kubelet": "1.24.0"}, OK),
    ("kubernetes", {"apiserver": "1.27.0", "kubelet": "1.24.0"}, NO),
    ("kubernetes", {"apiserver": "1.28.0", "kubelet": "1.25.0"}, OK),
    ("kubernetes", {"apiserver": "1.34.1 1.36.0"}, NO),
    ("kubernetes", {"kubelet": "1.33.0", "kube-proxy": "1.36.0"}, OK),
    ("kubernetes", {"kubelet": "1.33.0", "kube-proxy": "1.37.0"}, NO),
    ("kubernetes", {"kubelet": "1.22.0", "kube-proxy": "1.24.0"}, OK),
    ("kubernetes", {"apiserver": "1.36.0", "kube-scheduler": "1.35.0"}, OK),
    ("kubernetes", {"apiserver": "1.36.0", "kube-controller-manager": "1.34.0"}, NO),
    ("kubernetes", {"apiserver": "1.36.0", "cloud-controller-manager": "1.37.0"}, NO),
    ("kubernetes", {"apiserver": "1.36.0", "kubectl": "1.37.0"}, OK),
    ("kubernetes", {"apiserver": "1.35.0 1.36.0", "kubectl": "1.37.0"}, NO),
]


@pytest.mark.parametrize(("kind", "running", "expected"), SKEWS)
def test_what_may_run_beside_what(kind: str, running: dict[str, str], expected: str) -> None:
    versions = {component: texts.split() for component, texts in running.items()}
    assert worst(skew_verdicts(book(), kind, versions)) == expected


@pytest.mark.parametrize(
    ("agents", "rolling", "resting"),
    [("1.20.3", OK, OK), ("1.19.7 1.20.3", OK, NO), ("1.18.14 1.20.3", NO, NO)],
)
def test_cilium_minors_mix_only_while_they_roll_and_only_neighbours(
    agents: str, rolling: str, resting: str
) -> None:
    versions = {"agent": agents.split(), "operator": ["1.20.3"]}
    assert worst(skew_verdicts(book(), "cilium", versions)) == rolling
    assert worst(skew_verdicts(book(), "cilium", versions, at_rest=True)) == resting


def test_the_next_chart_of_consul_is_expected_while_servers_roll_and_not_at_rest() -> None:
    versions = {"server": ["1.21.5"], "control-plane": ["1.9.0"]}
    assert worst(skew_verdicts(book(), "consul", versions)) == OK
    assert worst(skew_verdicts(book(), "consul", versions, at_rest=True)) == NO


def test_a_proxy_with_a_revision_of_its_own_answers_to_that_one_only() -> None:
    two_apart = {"istiod": ["1.29.6", "1.31.1"], "proxy": ["1.29.6", "1.31.1"]}
    assert worst(skew_verdicts(book(), "istio", two_apart)) == NO
    assert worst(skew_verdicts(book(), "istio", two_apart, revisions=True)) == OK
    orphan = {**two_apart, "proxy": ["1.27.9"]}
    assert worst(skew_verdicts(book(), "istio", orphan, revisions=True)) == NO


JUMPS = [
    ("istio", "in-place", "1.30.3", "1.31.1", OK),
    ("istio", "in-place", "1.29.6", "1.31.1", NO),
    ("istio", "in-place", "1.31.1", "1.30.3", OK),
    ("istio", "in-place", "1.31.1", "1.29.6", NO),
    ("istio", "revision", "1.29.6", "1.31.1", OK),
    ("istio", "revision", "1.28.1", "1.31.1", NO),
    ("istio", "revision", "1.31.1", "1.30.3", OK),
    ("istio", "revision", "1.31.1", "1.28.1", NO),
    ("istio", "revision", "1.31.1", "1.31.0", OK),
    ("istio-ambient", "any", "1.30.3", "1.31.1", OK),
    ("istio-ambient", "revision", "1.29.6", "1.31.1", NO),
    ("istio-ambient", "in-place", "1.31.1", "1.30.3", NO),
    ("linkerd", "any", "edge-25.10.7", "edge-26.6.3", OK),
    ("linkerd", "any", "edge-25.10.6", "edge-26.6.3", NO),
    ("linkerd", "any", "edge-26.6.3", "edge-25.10.7", NO),
    ("linkerd", "any", "edge-26.9.1", "edge-26.6.3", OK),
    ("cilium", "any", "1.19.7", "1.20.3", OK),
    ("cilium", "any", "1.19.6", "1.20.3", WARN),
    ("cilium", "any", "1.18.14", "1.20.3", NO),
    ("cilium", "any", "1.20.3", "1.19.7", OK),
    ("cilium", "any", "1.20.3", "1.18.14", NO),
    ("consul", "any", "1.22.7", "2.0.3", OK),
    ("consul", "any", "1.21.5", "1.22.7", OK),
    ("consul", "any", "1.21.7", "2.0.3", NO),
    ("consul", "any", "1.21.7+ent", "2.0.3+ent", OK),
    ("consul", "any", "1.21.6+ent", "2.0.3+ent", NO),
    ("consul", "any", "1.21.7+ent", "2.0.3", NO),
    ("consul", "any", "2.0.3", "1.22.7", NO),
    ("metallb", "any", "0.15.3", "0.16.1", OK),
    ("metallb", "any", "0.14.9", "0.16.1", NO),
    ("metallb", "any", "0.14.8", "0.15.3", OK),
    ("metallb", "any", "0.16.1", "0.15.3", NO),
    ("linkerd", "any", "edge-25.10.8", "edge-26.6.3", OK),
    ("consul", "any", "1.21.4", "1.22.7", OK),
    ("kubernetes", "any", "v1.35.4+k3s1", "v1.36.0+k3s1", OK),
    ("kubernetes", "any", "1.34.1", "1.36.0", NO),
    ("kubernetes", "any", "1.36.0", "1.35.4", NO),
]


@pytest.mark.parametrize(("kind", "method", "before", "after", "expected"), JUMPS)
def test_how_far_one_hop_may_go(kind: str, method: str, before: str, after: str, expected: str) -> None:
    verdicts = jump_verdicts(book(), kind, method, before, after)
    assert verdicts
    assert worst(verdicts) == expected


SUPPORT = [
    ("istio", "1.27.9", "1.28", NO),
    ("istio", "1.27.9", "1.33", OK),
    ("istio", "1.28.1", "1.34", OK),
    ("istio", "1.28.1", "1.35", NO),
    ("istio", "1.29.6", "1.30", NO),
    ("istio", "1.29.6", "1.35", OK),
    ("istio", "1.30.3", "1.31", NO),
    ("istio", "1.30.3", "1.36", OK),
    ("istio", "1.30.3", "1.37", NO),
    ("istio", "1.31.1", "1.36", OK),
    ("istio", "1.31.1", "1.37", WARN),
    ("istio", "1.31.1", "1.38", NO),
    ("istio-ambient", "1.31.1", "1.31", NO),
    ("istio-ambient", "1.31.1", "1.32", OK),
    ("linkerd", "2.17.0", "1.31", OK),
    ("linkerd", "2.17.0", "1.32", WARN),
    ("linkerd", "edge-25.4.4", "1.32", OK),
    ("linkerd", "edge-25.10.7", "1.34", OK),
    ("linkerd", "edge-25.10.7", "v1.35.0", WARN),
    ("linkerd", "edge-25.10.7", "1.28", WARN),
    ("linkerd", "edge-26.6.3", "1.35", OK),
    ("linkerd", "edge-26.6.3", "1.36", WARN),
    ("linkerd", "edge-26.6.3", "1.30", NO),
    ("cilium", "1.17.18", "1.99", OK),
    ("cilium", "1.18.14", "1.33", OK),
    ("cilium", "1.18.14", "1.34", WARN),
    ("cilium", "1.19.7", "1.30", WARN),
    ("cilium", "1.20.3", "1.33", OK),
    ("cilium", "1.20.3", "1.36", OK),
    ("cilium", "1.20.3", "1.37", WARN),
    ("consul", "1.22.7", "1.35", OK),
    ("consul", "2.0.3", "1.36", NO),
    ("consul", "2.0.3", "1.29", NO),
    ("metallb", "0.16.1", "1.99", OK),
]


@pytest.mark.parametrize(("kind", "version", "kubernetes", "expected"), SUPPORT)
def test_which_kubernetes_a_release_runs_on(kind: str, version: str, kubernetes: str, expected: str) -> None:
    assert worst(support_verdicts(book(), kind, version, kubernetes)) == expected


@pytest.mark.parametrize(("chart", "expected"), [("1.8.2", OK), ("1.7.2", NO)])
def test_consuls_older_chart_narrows_its_kubernetes(chart: str, expected: str) -> None:
    assert worst(support_verdicts(book(), "consul", "1.21.5", "1.34", chart=chart)) == expected
    assert worst(support_verdicts(book(), "consul", "1.21.5", "1.33", chart=chart)) == OK


@pytest.mark.parametrize(
    ("kind", "version", "last"), [("istio", "1.30.7", "2026-11-30"), ("metallb", "0.15.3", "2026-05-20")]
)
def test_the_end_of_support_warns_from_the_day_after_and_never_refuses(
    kind: str, version: str, last: str
) -> None:
    day = date.fromisoformat(last)
    assert worst(support_verdicts(book(), kind, version, None, today=day)) == OK
    later = date.fromordinal(day.toordinal() + 1)
    assert worst(support_verdicts(book(), kind, version, None, today=later)) == WARN


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("istio", "1.31.1"),
        ("linkerd", "edge-26.6.3"),
        ("cilium", "1.20.3"),
        ("consul", "2.0.3"),
        ("metallb", "0.16.1"),
    ],
)
def test_a_line_without_a_known_end_is_not_said_to_have_ended(kind: str, version: str) -> None:
    assert worst(support_verdicts(book(), kind, version, None, today=date(2030, 1, 1))) == OK


def test_conflicting_sources_are_both_in_the_sentence_that_warns() -> None:
    (verdict,) = support_verdicts(book(), "linkerd", "edge-25.10.7", "1.35.0")
    assert "tested on Kubernetes 1.29..1.34" in verdict.arithmetic
    assert "1.22..1.35" in verdict.arithmetic
    assert "the stricter is applied" in verdict.arithmetic


def test_the_earlier_of_two_ends_is_applied_and_the_other_named() -> None:
    (verdict,) = support_verdicts(book(), "istio", "1.29.6", None, today=date(2026, 9, 15))
    assert verdict.warns
    assert "2026-08-31" in verdict.arithmetic
    assert "2026-10-12" in verdict.arithmetic


@pytest.mark.parametrize(
    ("kind", "before", "later"),
    [
        ("istio", "istiod", "workloads"),
        ("istio-ambient", "istiod", "cni"),
        ("istio-ambient", "cni", "ztunnel"),
        ("istio-ambient", "ztunnel", "gateways"),
        ("linkerd", "crds", "control-plane"),
        ("linkerd", "control-plane", "extensions"),
        ("linkerd", "extensions", "workloads"),
        ("cilium", "preflight", "agents"),
        ("consul", "snapshot", "servers"),
        ("consul", "servers", "gateways"),
        ("metallb", "controller", "speakers"),
        ("kubernetes", "apiserver", "controllers"),
        ("kubernetes", "controllers", "kubelet"),
    ],
)
def test_upstreams_order(kind: str, before: str, later: str) -> None:
    steps = order_of(book(), kind, "any")
    assert steps.index(before) < steps.index(later)


@pytest.mark.parametrize(
    ("location", "day", "expected"),
    [
        ("gcr.io/istio-release", date(2026, 11, 23), WARN),
        ("oci://gcr.io/istio-release/charts", date(2027, 1, 1), WARN),
        ("https://istio-release.storage.googleapis.com/charts", date(2026, 11, 23), WARN),
        ("registry.istio.io/release", date(2026, 8, 1), OK),
        ("oci://ghcr.io/istio/release/charts", date(2027, 1, 1), OK),
        ("gcr.io/istio-release-mirror", date(2027, 1, 1), OK),
    ],
)
def test_retiring_istio_locations_warn_ahead_of_time(location: str, day: date, expected: str) -> None:
    assert worst(artifact_verdicts(book(), "istio-ambient", location, day)) == expected


def test_a_move_over_0_16_tells_that_the_bgp_backend_switches() -> None:
    assert "METALLB-BACKEND-01" in {row.id for row in new_behaviours(book(), "metallb", "0.15.3", "0.16.1")}
    assert not new_behaviours(book(), "metallb", "0.16.0", "0.16.1")
