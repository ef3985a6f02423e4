"""Every number of the support tables and of Consul's tables, written down by hand a second time.

Read from the facts and their sources, never from the rules' data files: one mistyped digit there fails here.
"""

from __future__ import annotations

from datetime import date

import pytest

from rollout.rules.book import book
from rollout.rules.evaluate import (
    artifact_verdicts,
    latest_patch,
    line_row,
    lines,
    skew_verdicts,
    support_verdicts,
)
from rollout.rules.support import ends

LINES = """
istio       1.27  1.27.9       2026-04-07  refuse  1.29  1.33
istio       1.28  1.28.10      2026-07-01  refuse  1.30  1.34
istio       1.29  1.29.6       2026-08-31  refuse  1.31  1.35
istio       1.30  1.30.7       2026-11-30  refuse  1.32  1.36
istio       1.31  1.31.1       -           refuse  1.32  1.37
linkerd     2.17  -            -           warn    1.22  1.31
linkerd     2.18  -            -           warn    1.22  1.32
linkerd     2.19  -            -           warn    1.29  1.34
linkerd     2.20  edge-26.9.1  -           floor   1.31  1.35
cilium      1.17  1.17.18      2026-07-29  -       -     -
cilium      1.18  1.18.14      -           warn    1.30  1.33
cilium      1.19  1.19.7       -           warn    1.31  1.34
cilium      1.20  1.20.3       -           warn    1.33  1.36
consul      1.20  1.20.6       2026-05-24  -       -     -
consul      1.21  1.21.5       -           refuse  1.30  1.35
consul      1.22  1.22.7       -           refuse  1.30  1.35
consul      2.0   2.0.3        -           refuse  1.30  1.35
metallb     0.13  0.13.12      2024-01-29  -       -     -
metallb     0.14  0.14.9       2025-06-03  -       -     -
metallb     0.15  0.15.3       2026-05-20  -       -     -
metallb     0.16  0.16.1       -           -       -     -
kubernetes  1.22  1.22.17      2022-10-28  -       -     -
kubernetes  1.23  1.23.17      2023-02-28  -       -     -
kubernetes  1.24  1.24.17      2023-07-28  -       -     -
kubernetes  1.25  1.25.16      2023-10-27  -       -     -
kubernetes  1.26  1.26.15      2024-02-28  -       -     -
kubernetes  1.27  1.27.16      2024-06-28  -       -     -
kubernetes  1.28  1.28.15      2024-10-28  -       -     -
kubernetes  1.29  1.29.15      2025-02-28  -       -     -
kubernetes  1.30  1.30.14      2025-07-15  -       -     -
kubernetes  1.31  1.31.14      2025-11-11  -       -     -
kubernetes  1.32  1.32.13      2026-02-28  -       -     -
kubernetes  1.33  1.33.13      2026-06-28  -       -     -
kubernetes  1.34  1.34.11      2026-10-27  -       -     -
kubernetes  1.35  1.35.8       2027-02-28  -       -     -
kubernetes  1.36  1.36.4       2027-06-28  -       -     -
kubernetes  1.37  -            2027-10-28  -       -     -
"""
"""Kind, line, newest seen release, end of support; then what happens outside of the Kubernetes range, and its ends.

``floor``: refused below (the chart itself does), a warning above.
"""

TABLE = [tuple(line.split()) for line in LINES.strip().splitlines()]


def answer(kind: str, line: str, kubernetes: str, chart: str | None = None) -> str:
    verdicts = support_verdicts(book(), kind, f"{line}.0", kubernetes, chart=chart)
    return (
        "refuse" if any(v.refuses for v in verdicts) else "warn" if any(v.warns for v in verdicts) else "ok"
    )


def minor(line: str, by: int = 0) -> str:
    major, _, number = line.partition(".")
    return f"{major}.{int(number) + by}"


@pytest.mark.parametrize("kind", sorted({row[0] for row in TABLE}))
def test_no_line_is_missing_from_the_table_and_none_is_invented(kind: str) -> None:
    assert list(lines(book(), kind)) == [row[1] for row in TABLE if row[0] == kind]


@pytest.mark.parametrize(("kind", "line", "latest", "end"), [row[:4] for row in TABLE])
def test_the_newest_seen_release_and_the_end_of_support(kind: str, line: str, latest: str, end: str) -> None:
    assert (latest_patch(book(), kind, line) or "-") == latest
    row = line_row(book(), kind, line)
    assert row is not None
    assert str(ends(row) or "-") == end


@pytest.mark.parametrize(
    ("kind", "line", "outside", "low", "high"), [(*row[:2], *row[4:]) for row in TABLE if row[4] != "-"]
)
def test_the_kubernetes_range_ends_where_its_source_says(
    kind: str, line: str, outside: str, low: str, high: str
) -> None:
    below = "refuse" if outside == "floor" else outside
    above = "warn" if outside == "floor" else outside
    inside = ("ok", "warn") if (kind, line) == ("istio", "1.31") else ("ok", "ok")
    asked = [answer(kind, line, at) for at in (minor(low, -1), low, high, minor(high, 1))]
    assert asked == [below, *inside, above]


@pytest.mark.parametrize(("kind", "line"), [row[:2] for row in TABLE if row[4] == "-"])
def test_without_a_published_range_no_kubernetes_is_refused(kind: str, line: str) -> None:
    assert [answer(kind, line, kubernetes) for kubernetes in ("1.10", "1.99")] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("line", "chart", "low", "high"),
    [
        ("1.21", "1.7", "1.30", "1.33"),
        ("1.21", "1.8", "1.30", "1.35"),
        ("1.22", "1.9", "1.30", "1.35"),
        ("2.0", "2.0", "1.30", "1.35"),
    ],
)
def test_the_kubernetes_range_of_each_consul_chart(line: str, chart: str, low: str, high: str) -> None:
    asked = [
        [v.rule for v in support_verdicts(book(), "consul", f"{line}.0", at, chart=f"{chart}.0") if v.refuses]
        for at in (minor(low, -1), low, high, minor(high, 1))
    ]
    chart_row = f"CONSUL-CHART-{line.replace('.', '')}"
    assert [chart_row in rules for rules in asked] == [True, False, False, True]


CHARTS = {"1.21": {"1.7", "1.8"}, "1.22": {"1.9"}, "2.0": {"2.0"}}
DATAPLANES = {
    "1.20": {"1.5", "1.6", "1.7"},
    "1.21": {"1.6", "1.7", "1.8"},
    "1.22": {"1.7", "1.8", "1.9"},
    "2.0": {"1.8", "1.9", "2.0"},
}


@pytest.mark.parametrize(
    ("component", "table"),
    [("control-plane", CHARTS), ("dataplane", DATAPLANES)],
    ids=["charts", "dataplanes"],
)
def test_consuls_tables_cell_by_cell(component: str, table: dict[str, set[str]]) -> None:
    for server, partners in table.items():
        for line in ("1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "2.0", "2.1"):
            running = {"server": [f"{server}.0"], component: [f"{line}.0"]}
            verdicts = skew_verdicts(book(), "consul", running, at_rest=True)
            assert any(v.refuses for v in verdicts) == (line not in partners), (server, line)


PAIRS = """
istio          istiod        proxy                     1  0
istio-ambient  istiod        cni                       1  0
istio-ambient  istiod        ztunnel                   1  0
istio-ambient  istiod        proxy                     1  0
istio-ambient  cni           ztunnel                   1  1
cilium         agent         operator                  0  0
cilium         agent         envoy                     0  0
cilium         agent         hubble-relay              0  0
kubernetes     apiserver     kubelet                   3  0
kubernetes     apiserver     kube-proxy                3  0
kubernetes     kubelet       kube-proxy                3  3
kubernetes     apiserver     kube-controller-manager   1  0
kubernetes     apiserver     kube-scheduler            1  0
kubernetes     apiserver     cloud-controller-manager  1  0
kubernetes     apiserver     kubectl                   1  1
linkerd        control-plane proxy                     1  0
"""
"""Kind, leader, follower, lines that it may trail and lead by, at rest."""


@pytest.mark.parametrize(
    ("kind", "leader", "follower", "behind", "ahead"), [x.split() for x in PAIRS.strip().splitlines()]
)
def test_how_far_apart_two_components_may_be(
    kind: str, leader: str, follower: str, behind: str, ahead: str
) -> None:
    known = [line for line in lines(book(), kind) if kind != "kubernetes" or int(line[2:]) >= 25]
    for high in known:
        for low in known:
            apart = known.index(high) - known.index(low)
            running = {leader: [f"{high}.0"], follower: [f"{low}.0"]}
            verdicts = skew_verdicts(book(), kind, running, at_rest=True)
            legal = -int(ahead) <= apart <= int(behind)
            assert any(v.refuses for v in verdicts) == (not legal), (high, low)


@pytest.mark.parametrize(
    ("kind", "component", "apart"),
    [("kubernetes", "apiserver", 1), ("consul", "server", 1), ("cilium", "agent", 0)],
)
def test_how_far_apart_instances_of_one_component_may_be(kind: str, component: str, apart: int) -> None:
    known = lines(book(), kind)
    for distance in (0, 1, 2):
        running = {component: [f"{known[-1]}.0", f"{known[-1 - distance]}.0"]}
        verdicts = skew_verdicts(book(), kind, running, at_rest=True)
        assert any(v.refuses for v in verdicts) == (distance > apart)


@pytest.mark.parametrize(
    ("kubelet", "proxy", "legal"),
    [
        ("1.26", "1.24", True),
        ("1.27", "1.24", False),
        ("1.22", "1.24", True),
        ("1.28", "1.25", True),
        ("1.22", "1.25", True),
    ],
)
def test_kube_proxies_below_1_25_stay_closer_to_their_kubelet(kubelet: str, proxy: str, legal: bool) -> None:
    running = {"kubelet": [f"{kubelet}.0"], "kube-proxy": [f"{proxy}.0"]}
    assert any(v.refuses for v in skew_verdicts(book(), "kubernetes", running)) == (not legal)


@pytest.mark.parametrize(
    ("kind", "location", "last_quiet_day"),
    [
        ("istio", "gcr.io/istio-release", date(2026, 9, 8)),
        ("istio", "registry.istio.io/release", date(2026, 9, 8)),
        ("istio", "istio-release.storage.googleapis.com", date(2026, 9, 8)),
        ("linkerd", "https://helm.linkerd.io/stable", date(2023, 11, 21)),
    ],
)
def test_a_location_warns_from_ninety_days_before_its_end(
    kind: str, location: str, last_quiet_day: date
) -> None:
    (quiet,) = artifact_verdicts(book(), kind, location, last_quiet_day)
    (warned,) = artifact_verdicts(book(), kind, location, date.fromordinal(last_quiet_day.toordinal() + 1))
    assert (quiet.holds, warned.holds) == (True, False)
    assert not warned.refuses
