"""Every rule on both sides of each of its boundaries."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rollout.rules.book import book
from rollout.rules.evaluate import (
    UnknownLine,
    downgrade_verdicts,
    drain_levers,
    jump_verdicts,
    line_row,
    place,
    skew_verdicts,
    support_verdicts,
)
from rollout.rules.examples import examples, skew_cases
from rollout.rules.n1 import floor, next_hop_nodes
from rollout.rules.rows import AnyRow, BehaviourRow, OrderRow, SkewRow, SupportRow
from rollout.rules.support import ends, kubernetes_verdict, strictest_range
from rollout.rules.version import VersionInvalid, minor_pair, parse
from rollout.rules.words import statement
from tests.unit.sites import site


@pytest.mark.parametrize(
    ("leader", "follower", "holds"),
    [
        ("1.31.1", "1.31.1", True),
        ("1.31.1", "1.31.9", True),
        ("1.31.1", "1.30.7", True),
        ("1.31.1", "1.29.9", False),
        ("1.30.7", "1.31.0", False),
    ],
)
def test_istio_data_plane_may_trail_by_one_minor_and_never_leads(
    leader: str, follower: str, holds: bool
) -> None:
    verdict = skew_verdicts(book(), "istio", {"istiod": [leader], "proxy": [follower]})[0]
    assert (verdict.rule, verdict.holds) == ("ISTIO-SKEW-01", holds)
    assert leader in verdict.arithmetic
    assert follower in verdict.arithmetic


@pytest.mark.parametrize(
    ("before", "after", "holds"),
    [
        ("1.30.3", "1.30.7", True),
        ("1.30.3", "1.31.1", True),
        ("1.29.3", "1.31.1", False),
        ("1.31.1", "1.30.3", True),
        ("1.31.1", "1.29.3", False),
    ],
)
def test_istio_in_place_goes_one_minor_either_way(before: str, after: str, holds: bool) -> None:
    (verdict,) = jump_verdicts(book(), "istio", "in-place", before, after)
    assert (verdict.rule, verdict.holds) == ("ISTIO-JUMP-01", holds)


@pytest.mark.parametrize(
    ("running", "after", "holds"),
    [("1.30.3", "1.30.3", True), ("1.30.3", "1.30.2", False), ("1.31.0", "1.31.0-rc.1", False)],
)
def test_istio_never_goes_below_what_runs(running: str, after: str, holds: bool) -> None:
    (verdict,) = downgrade_verdicts(book(), "istio", running, after)
    assert verdict.holds is holds


@pytest.mark.parametrize(
    ("minor", "low", "high"),
    [
        ("1.27", "1.29", "1.33"),
        ("1.28", "1.30", "1.34"),
        ("1.29", "1.31", "1.35"),
        ("1.30", "1.32", "1.36"),
        ("1.31", "1.32", "1.37"),
    ],
)
def test_istio_support_range_is_inclusive_on_both_ends(minor: str, low: str, high: str) -> None:
    below, above = f"1.{int(low[2:]) - 1}.9", f"v1.{int(high[2:]) + 1}.0"
    asked = [
        support_verdicts(book(), "istio", f"{minor}.0", k8s) for k8s in (below, low, f"v{high}.4+k3s1", above)
    ]
    assert [verdict.refuses for (verdict,) in asked] == [True, False, False, True]


@pytest.mark.parametrize(("kind", "text"), [("istio", "1.26.0"), ("istio", "1.32.0"), ("istio", "2.0.0")])
def test_an_unknown_release_line_has_no_place(kind: str, text: str) -> None:
    with pytest.raises(UnknownLine, match=r"known lines: 1\.27, 1\.28, 1\.29, 1\.30, 1\.31"):
        place(book(), kind, text)


def test_metallb_has_no_kubernetes_range_and_therefore_none_to_break() -> None:
    (verdict,) = support_verdicts(book(), "metallb", "0.16.1", "1.99")
    assert verdict.holds
    assert line_row(book(), "metallb", "0.12") is None


def test_a_cordon_withdraws_in_metallb_0_14_9_and_no_other() -> None:
    versions = ["0.13.12", "0.14.0", "0.14.8", "0.14.9", "0.15.0", "0.16.1"]
    levers = {
        version: {row.lever for row in drain_levers(book(), "metallb", version)} for version in versions
    }
    assert [version for version, found in levers.items() if "cordon" in found] == ["0.14.9"]
    assert [version for version, found in levers.items() if "exclude-label" not in found] == ["0.13.12"]


TELLING = (OrderRow, BehaviourRow)
"""Kinds that only tell: nothing is compared, so there is no boundary."""


@pytest.mark.parametrize("row", book().rows, ids=lambda row: row.id)
def test_every_row_that_decides_does_so_on_both_sides_of_its_boundary(row: AnyRow) -> None:
    verdicts = {example.verdict for example in examples(book(), row)}
    if isinstance(row, TELLING) or _decides_nothing(row):
        assert "refuses" not in verdicts
        return
    assert "holds" in verdicts
    assert verdicts & {"refuses", "warns"}


def _decides_nothing(row: AnyRow) -> bool:
    if isinstance(row, SkewRow):
        return row.max_behind is None and row.max_ahead is None and not row.table
    return isinstance(row, SupportRow) and row.kubernetes is None and ends(row) is None


DISTANT = [(row, follower) for row in book().skews if not row.table for follower in row.followers]


@pytest.mark.parametrize(("row", "follower"), DISTANT, ids=lambda value: getattr(value, "id", value))
def test_a_skew_row_holds_up_to_its_numbers_and_not_one_minor_further(row: SkewRow, follower: str) -> None:
    for behind, verdict in skew_cases(book(), row, follower, at_rest=True):
        if row.leader == follower and row.max_behind is not None:
            assert verdict.holds == (abs(behind) <= row.max_behind), verdict.arithmetic
        elif row.narrower is None:
            low = -100 if row.max_ahead is None else -row.max_ahead
            high = 100 if row.max_behind is None else row.max_behind
            assert verdict.holds == (low <= behind <= high), verdict.arithmetic


RANGES = [row for row in book().support if row.kubernetes is not None]


@pytest.mark.parametrize("row", RANGES, ids=lambda row: row.id)
def test_a_support_row_is_inclusive_on_both_ends_and_ends_there(row: SupportRow) -> None:
    span = strictest_range(row)
    assert span is not None
    (major, low), (_, high) = minor_pair(span[0]), minor_pair(span[1])
    asked = [(f"v{major}.{low - 1}.9", False), (f"{major}.{low}", True)]
    asked += [(f"v{major}.{high}.4+k3s1", True), (f"{major}.{high + 1}.0", False)]
    for kubernetes, holds in asked:
        assert kubernetes_verdict(row, row.subject, kubernetes).holds is holds


def test_rows_have_unique_ids_a_source_and_a_date() -> None:
    ids = book().ids
    assert len(ids) == len(set(ids)) >= 40
    for row in book().rows:
        assert row.source
        assert row.date >= date(2026, 1, 1)
        assert row.confidence in {"official", "secondary", "derived"}


def test_docs_say_of_each_row_what_the_row_says() -> None:
    text = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    wanted = [f'| <a id="{row.id.lower()}"></a>{row.id} | {statement(row)} |' for row in book().rows]
    assert [line for line in wanted if line not in text] == []


@pytest.mark.parametrize(("total", "must"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_all_gateways_but_one_must_serve_and_never_none(total: int, must: int) -> None:
    assert floor(total) == must


def test_a_next_hop_counts_at_its_own_tor_only() -> None:
    small = site((1, 1))
    r1n1, r2n1 = small.gateway_nodes
    seen = {r1n1.fabric_address, r2n1.fabric_address, small.node("r1n2").fabric_address}
    assert next_hop_nodes(small, "tor-r1", seen) == {"r1n1"}


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.30", "latest", "stable", "master", "1.30.x", "1.30.3 ", "^1.30.3", "1.-3.0", "1.30.3-"],
)
def test_what_floats_is_no_version(text: str) -> None:
    if text.strip() == "1.30.3":
        assert str(parse(text)) == "1.30.3"
        return
    with pytest.raises(VersionInvalid):
        parse(text)


def test_versions_order_by_number_and_a_release_follows_its_candidates() -> None:
    texts = ["1.9.0", "1.10.0-alpha.2", "1.10.0-alpha.10", "1.10.0-rc.1", "1.10.0", "1.10.1", "2.0.0"]
    versions = [parse(text) for text in texts]
    assert sorted(versions) == versions
    assert [str(version) for version in versions] == texts


def test_kubernetes_versions_are_compared_by_major_and_minor() -> None:
    assert minor_pair("v1.35.4+k3s1") == (1, 35)
