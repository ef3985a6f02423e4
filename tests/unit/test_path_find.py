"""Ways over several minors and subjects: legal at every step, the shortest, and a core where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rollout.model.plan import Hop
from rollout.model.proof import ProvenSubject
from rollout.planner.crossing import Crossings
from rollout.planner.movers import Standing, movers_of
from rollout.planner.path import core_of, find
from rollout.planner.refuse import RuleRefused
from rollout.rules.book import RuleBook, book
from rollout.rules.rows import AnyRow, JumpRow, SkewRow, SupportRow

ISTIO = ProvenSubject("istio", "istio", "in-place")
KUBERNETES = ProvenSubject("kubernetes", "kubernetes", "any")
VIA = {
    "istio": ["1.28.1", "1.29.2", "1.30.3"],
    "kubernetes": ["1.33.4", "1.34.1", "1.35.1", "1.36.0"],
}

SUPPORTED = {27: (29, 33), 28: (30, 34), 29: (31, 35), 30: (32, 36), 31: (32, 37)}
"""Istio minor to Kubernetes minors, written down here a second time: the search is not asked about itself."""


def standing(istio: int, proxy: int, apiserver: int, kubelet: int) -> tuple[Standing, ...]:
    mesh = {"istiod": (f"1.{istio}.0",), "proxy": (f"1.{proxy}.0",)}
    cluster = {"apiserver": (f"1.{apiserver}.0",), "kubelet": (f"1.{kubelet}.0",)}
    return Standing(ISTIO, mesh), Standing(KUBERNETES, cluster)


def way(start: tuple[int, int, int, int], goal: dict[str, str]) -> tuple[Hop, ...]:
    return find(book(), standing(*start), goal, VIA)


def asked(start: tuple[int, int, int, int], goal: dict[str, str]) -> tuple[Hop, ...] | str:
    """The way, or the id of the rule that refuses."""
    try:
        return way(start, goal)
    except RuleRefused as refused:
        return refused.rule


def minor(version: str) -> int:
    return int(version.split(".")[1])


def walked(start: tuple[int, int, int, int], hops: tuple[Hop, ...]) -> tuple[int, int, int, int]:
    """Follows the hops and asserts by hand that each mix on the way is legal; gives where it ends."""
    istio, proxy, api, kubelet = start
    for hop in hops:
        after = minor(hop.after)
        match hop.subject, hop.component:
            case "istio", "":
                assert minor(hop.before) == istio
                assert after - istio in (0, 1)
                assert after - proxy <= 1, "the control plane would be two ahead of what it leaves behind"
                for version in (istio, after):
                    assert SUPPORTED[version][0] <= api <= SUPPORTED[version][1]
                istio = proxy = after
            case "kubernetes", "apiserver":
                assert after - api == 1
                assert SUPPORTED[istio][0] <= api <= SUPPORTED[istio][1]
                assert SUPPORTED[istio][0] <= after <= SUPPORTED[istio][1]
                assert after - kubelet <= 3
                api = after
            case "kubernetes", "kubelet":
                assert kubelet < after <= api
                kubelet = after
            case _:
                raise AssertionError(hop)
    return istio, proxy, api, kubelet


def test_istio_goes_four_minors_while_kubernetes_goes_three() -> None:
    start = (27, 27, 33, 33)
    hops = way(start, {"istio": "1.31.1", "kubernetes": "1.36.2"})
    assert walked(start, hops) == (31, 31, 36, 36)
    assert len(hops) == 4 + 3 + 1, "kubelets may trail by three minors, so they walk the nodes once"
    assert hops[-1].after == "1.36.2"


def test_kubernetes_waits_for_istio_where_istio_does_not_run_on_the_next_one() -> None:
    start = (28, 28, 34, 34)
    hops = way(start, {"kubernetes": "1.36.2", "istio": "1.31.1"})
    assert walked(start, hops) == (31, 31, 36, 36)
    assert hops[0].subject == "istio", "Istio 1.28 ends at Kubernetes 1.34"


def test_a_data_plane_that_was_left_behind_is_brought_up_first() -> None:
    hops = way((30, 29, 34, 34), {"istio": "1.31.1"})
    assert [(hop.before, hop.after) for hop in hops] == [("1.30.0", "1.30.0"), ("1.30.0", "1.31.1")]


def test_what_is_there_needs_no_hop() -> None:
    assert way((31, 31, 36, 36), {"istio": "1.31.0"}) == ()


def test_a_line_without_a_known_release_is_asked_for_by_name() -> None:
    unseen = tuple(replace(r, latest=None) if isinstance(r, SupportRow) else r for r in book().rows)
    with pytest.raises(RuleRefused) as caught:
        find(RuleBook(unseen, "test"), standing(27, 27, 33, 33), {"istio": "1.30.3"})
    assert caught.value.rule == "PLAN-PATH-02"
    assert "--via istio=1.28.<patch> --via istio=1.29.<patch>" in caught.value.hint


def test_a_subject_that_stays_and_forbids_it_is_named_with_its_source() -> None:
    with pytest.raises(RuleRefused) as caught:
        way((27, 27, 33, 33), {"kubernetes": "1.34.1"})
    assert caught.value.rule == "PLAN-PATH-01"
    assert "ISTIO-K8S-127" in str(caught.value)
    assert "1.29 to 1.33" in str(caught.value)
    assert "endoflife" in str(caught.value)


def test_kubernetes_never_goes_down() -> None:
    with pytest.raises(RuleRefused, match="K8S-JUMP-01"):
        way((30, 30, 35, 34), {"kubernetes": "1.34.1"})


def test_istio_goes_down_one_line_at_a_time() -> None:
    hops = way((31, 31, 35, 35), {"istio": "1.29.2"})
    assert [minor(hop.after) for hop in hops] == [30, 29]


def test_an_unknown_goal_is_refused_with_the_known_lines() -> None:
    with pytest.raises(RuleRefused, match="PLAN-VERSION-02"):
        way((30, 30, 35, 35), {"istio": "1.99.0"})


def test_the_same_question_has_the_same_answer() -> None:
    goal = {"kubernetes": "1.36.2", "istio": "1.31.1"}
    assert way((28, 28, 33, 32), goal) == way((28, 28, 33, 32), goal)


def legal(istio: int, trail: int, api: int, kubelet: int) -> tuple[int, int, int, int]:
    low, high = SUPPORTED[istio]
    cluster = min(max(api, low, 33), high)
    return istio, max(istio - trail, 27), cluster, max(cluster - kubelet, 33)


starts = st.builds(legal, st.integers(27, 31), st.integers(0, 1), st.integers(33, 36), st.integers(0, 3))
"""Legal: Istio within itself and on this Kubernetes, and Kubernetes within itself."""


@settings(max_examples=60, deadline=None)
@given(start=starts, minors=st.integers(0, 4), clusters=st.integers(0, 3))
def test_every_way_is_legal_by_hand_and_ends_at_the_goal(
    start: tuple[int, int, int, int], minors: int, clusters: int
) -> None:
    istio, cluster = min(start[0] + minors, 31), min(start[2] + clusters, 36)
    goal = {"istio": f"1.{istio}.0", "kubernetes": f"1.{cluster}.0"}
    found = asked(start, goal)
    low, high = SUPPORTED[istio]
    if isinstance(found, str):
        assert found == "PLAN-PATH-01"
        assert not low <= cluster <= high, "refused although the goal itself is legal"
    else:
        assert walked(start, found) == (istio, istio, cluster, cluster)


def fewest(start: tuple[int, int, int, int], istio: int, cluster: int) -> int:
    """Breadth first over (istio, api, kubelet) by the numbers above; proxies follow in the same hop."""
    here = {(start[0], start[1], start[2], start[3])}
    for hops in range(12):
        if (istio, istio, cluster, cluster) in here:
            return hops
        here |= {then for one in here for then in onwards(*one)}
    raise AssertionError("further than any case here")


def onwards(istio: int, proxy: int, api: int, kubelet: int) -> Iterator[tuple[int, int, int, int]]:
    def runs(version: int, cluster: int) -> bool:
        return version in SUPPORTED and SUPPORTED[version][0] <= cluster <= SUPPORTED[version][1]

    for after in (istio, istio + 1):
        if (after, proxy) != (istio, istio) and after - proxy <= 1 and runs(after, api):
            yield after, after, api, kubelet
    if runs(istio, api + 1) and api + 1 - kubelet <= 3:
        yield istio, proxy, api + 1, kubelet
    for version in range(kubelet + 1, api + 1):
        yield istio, proxy, api, version


@settings(max_examples=60, deadline=None)
@given(start=starts, minors=st.integers(0, 4), clusters=st.integers(0, 3))
def test_no_way_is_shorter(start: tuple[int, int, int, int], minors: int, clusters: int) -> None:
    istio, cluster = min(start[0] + minors, 31), min(start[2] + clusters, 36)
    found = asked(start, {"istio": f"1.{istio}.0", "kubernetes": f"1.{cluster}.0"})
    assume(not isinstance(found, str))
    assert len(found) == fewest(start, istio, cluster)


def test_edges_of_linkerd_go_by_line_and_a_lines_first_edge_is_good_enough() -> None:
    linkerd = ProvenSubject("linkerd", "linkerd", "any")
    here = Standing(linkerd, {"control-plane": ("edge-24.11.8",), "proxy": ("edge-24.11.8",)})
    hops = find(book(), (here,), {"linkerd": "edge-26.6.3"})
    assert [hop.after for hop in hops] == ["edge-25.4.4", "edge-25.10.7", "edge-26.6.3"]


def test_a_revision_may_skip_a_minor_and_a_named_release_is_used() -> None:
    rev = ProvenSubject("istio", "istio", "revision")
    here = Standing(rev, {"istiod": ("1.28.1",), "proxy": ("1.28.1",)})
    assert len(find(book(), (here,), {"istio": "1.30.3"})) == 1
    hops = find(book(), (here,), {"istio": "1.31.1"}, {"istio": ["1.29.2"]})
    assert [hop.after for hop in hops] == ["1.29.2", "1.31.1"]


def only(rules: frozenset[str]) -> RuleBook:
    """The same lines, but of all rules that forbid something only these."""
    rows: list[AnyRow] = []
    for row in book().rows:
        match row:
            case SupportRow() if row.id not in rules:
                rows.append(replace(row, kubernetes=None, claims=(), code_floor=None))
            case JumpRow() | SkewRow() if row.id not in rules:
                pass
            case _:
                rows.append(row)
    return RuleBook(tuple(rows), "test")


@settings(max_examples=40, deadline=None)
@given(start=starts, istio=st.integers(27, 31), cluster=st.integers(33, 37))
def test_a_core_forbids_by_itself_and_without_any_one_of_its_rules_there_is_a_way(
    start: tuple[int, int, int, int], istio: int, cluster: int
) -> None:
    goal = {"istio": f"1.{istio}.0", "kubernetes": f"1.{cluster}.0"}
    crossings = Crossings(book(), movers_of(book(), standing(*start), goal, VIA))
    assume(isinstance(asked(start, goal), str))
    core = core_of(crossings)
    assert core
    with pytest.raises(RuleRefused, match="PLAN-PATH-01"):
        find(only(core), standing(*start), goal, VIA)
    for rule in core:
        find(only(core - {rule}), standing(*start), goal, VIA)
