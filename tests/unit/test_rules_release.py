"""Versions find their place among their kind's releases, in every scheme, whatever they look like."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.rules.book import book
from rollout.rules.evaluate import Release, UnknownLine, VersionInvalid, distance, lines, place
from rollout.rules.rows import SUBJECTS

edges = st.tuples(st.integers(25, 99), st.integers(1, 12), st.integers(1, 40))
suffixes = st.sampled_from(["", "-rc.1", "-rc.2", "-rc.10", "-beta.3"])


def edge(numbers: tuple[int, int, int]) -> Release:
    return place(book(), "linkerd", "edge-{}.{}.{}".format(*numbers))


@given(edges, edges)
def test_edges_order_as_integers_and_never_as_text(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert (edge(one) < edge(other)) == (one < other)
    assert (edge(one) == edge(other)) == (one == other)


@given(edges, edges)
def test_a_later_edge_is_never_of_an_earlier_line(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    low, high = sorted((one, other))
    assert edge(low).index <= edge(high).index


@st.composite
def releases(draw: st.DrawFn) -> Release:
    kind = draw(st.sampled_from([subject for subject in SUBJECTS if subject != "linkerd"]))
    line, patch = draw(st.sampled_from(lines(book(), kind))), draw(st.integers(0, 40))
    build = draw(st.sampled_from(["", "+ent", "+k3s1"]))
    return place(book(), kind, f"{draw(st.sampled_from(['', 'v']))}{line}.{patch}{draw(suffixes)}{build}")


@given(releases(), releases(), releases())
def test_releases_of_a_kind_are_totally_ordered(a: Release, b: Release, c: Release) -> None:
    if not a.kind == b.kind == c.kind:
        return
    assert (a < b) + (a == b) + (a > b) == 1
    low, middle, high = sorted((a, b, c))
    assert low <= middle <= high
    assert low <= high
    assert low.index <= middle.index <= high.index


@given(releases())
def test_a_release_spells_itself_so_that_it_finds_the_same_place_again(release: Release) -> None:
    assert place(book(), release.kind, release.text) == release
    assert place(book(), release.kind, f" {release.text}\n") == release


@given(st.sampled_from(SUBJECTS), st.text(max_size=24))
def test_what_names_no_release_is_refused_and_never_placed_by_luck(kind: str, text: str) -> None:
    try:
        found = place(book(), kind, text)
    except (VersionInvalid, UnknownLine):
        return
    assert found.line in lines(book(), kind)


def test_kinds_have_no_order_among_each_other() -> None:
    with pytest.raises(TypeError, match="have no order"):
        assert place(book(), "istio", "1.30.0") < place(book(), "cilium", "1.20.0")


def test_consuls_lines_are_one_step_apart_across_the_major() -> None:
    placed = [place(book(), "consul", f"{line}.0") for line in ("1.20", "1.21", "1.22", "2.0")]
    assert [distance(low, high) for low, high in pairwise(placed)] == [1, 1, 1]
    assert distance(placed[3], placed[0]) == -3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("edge-24.11.8", "2.17"),
        ("edge-25.4.3", "2.17"),
        ("edge-25.4.4", "2.18"),
        ("edge-25.10.6", "2.18"),
        ("edge-25.10.7", "2.19"),
        ("edge-26.6.2", "2.19"),
        ("edge-26.6.3", "2.20"),
        ("edge-26.9.1", "2.20"),
        ("enterprise-2.19.1", "2.19"),
        ("enterprise-2.19.1-1", "2.19"),
        ("stable-2.18.0", "2.18"),
        ("2.20.0", "2.20"),
    ],
)
def test_a_linkerd_release_belongs_to_the_newest_line_that_had_started(text: str, line: str) -> None:
    assert place(book(), "linkerd", text).line == line


@pytest.mark.parametrize(
    ("kind", "written", "spelled"),
    [
        ("istio", "v1.30.3", "1.30.3"),
        ("istio", "1.30.3-distroless", "1.30.3"),
        ("istio-ambient", "1.31.1-debug", "1.31.1"),
        ("consul", "1.21.7-ent", "1.21.7+ent"),
        ("kubernetes", "v1.35.4+k3s1", "1.35.4+k3s1"),
        ("linkerd", "edge-26.06.3", "edge-26.6.3"),
        ("linkerd", "stable-2.18.0", "2.18.0"),
    ],
)
def test_image_tags_and_node_versions_are_spelled_one_way(kind: str, written: str, spelled: str) -> None:
    assert place(book(), kind, written).text == spelled


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("linkerd", "edge-24.11.7", "older than every known line"),
        ("linkerd", "2.14.10", "line 2.14"),
        ("istio", "1.32.0", "known lines: 1.27"),
        ("consul", "2.1.0", "line 2.1"),
        ("kubernetes", "1.21.14", "line 1.21"),
    ],
)
def test_a_line_that_no_row_knows_is_refused_by_name(kind: str, text: str, why: str) -> None:
    with pytest.raises(UnknownLine, match=why):
        place(book(), kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("linkerd", "edge-25.10"),
        ("linkerd", "edge-2025.10.7"),
        ("linkerd", "enterprise-3.1.1"),
        ("linkerd", "latest"),
        ("istio", "1.30"),
        ("istio", "１.30.3"),
        ("consul", "2.0"),
        ("metallb", "main"),
    ],
)
def test_what_floats_or_is_misspelt_names_no_release(kind: str, text: str) -> None:
    with pytest.raises(VersionInvalid, match="does not name one"):
        place(book(), kind, text)
