"""What a drill's lines add up to: counts, classes, and windows from the last good to the first good."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.mesh.records import Attempt, End, Outcome, Recorder, read
from lab.mesh.tally import tally

A, B, C = End("pair-a", "r1n1", "r1"), End("pair-b", "r1n2", "r1"), End("pair-c", "r2n1", "r2")


def line(at: float, client: End = A, server: End = C, outcome: Outcome = Outcome.OK, ms: float = 5) -> str:
    return Attempt(at, client, server, outcome, ms).line()


def test_nothing_tried_is_nothing_failed() -> None:
    found = tally([])
    assert (found.tried, found.failed, found.error_window_ms.longest) == (0, 0, 0.0)


def test_a_window_goes_from_the_last_good_to_the_first_good() -> None:
    found = tally(
        [
            line(1.0),
            line(1.1),
            line(1.2, outcome=Outcome.VERIFY),
            line(1.3, outcome=Outcome.VERIFY),
            line(1.6),
        ]
    )
    assert (found.tried, found.failed) == (5, 2)
    assert found.error_window_ms.longest == pytest.approx(500)
    assert found.error_window_ms.by_pair == {("r1n1", "r2n1"): pytest.approx(500)}


def test_the_longest_of_a_pairs_windows_counts_not_their_sum() -> None:
    bad = Outcome.REJECTED
    found = tally([line(1), line(1.1, outcome=bad), line(1.2), line(2, outcome=bad), line(3.2)])
    assert found.error_window_ms.longest == pytest.approx(2000)


def test_a_window_that_is_open_at_the_end_lasts_until_the_end() -> None:
    lines = [line(1.0), line(2.0, outcome=Outcome.EXPIRY), line(9.0, A, B)]
    assert tally(lines).error_window_ms.by_pair["r1n1", "r2n1"] == pytest.approx(8005)
    assert tally(lines, until=20.0).error_window_ms.by_pair["r1n1", "r2n1"] == pytest.approx(19000)


def test_a_pair_that_never_worked_has_a_window_from_its_first_try() -> None:
    found = tally([line(3.0, outcome=Outcome.TIMEOUT, ms=1000)])
    assert found.error_window_ms.longest == pytest.approx(1000)


def test_one_pairs_good_handshake_closes_no_other_pairs_window() -> None:
    found = tally(
        [line(1, A, B), line(1, A, C), line(1.1, A, B, Outcome.VERIFY), line(1.2, A, C), line(5, A, B)]
    )
    assert found.error_window_ms.by_pair == {("r1n1", "r1n2"): pytest.approx(4000), ("r1n1", "r2n1"): 0.0}


def test_a_racks_window_is_the_longest_that_it_has_an_end_of() -> None:
    found = tally([line(1, A, B), line(1.1, A, B, Outcome.VERIFY), line(2, A, B), line(1, C, B)])
    assert found.error_window_ms.by_rack == {"r1": pytest.approx(1000), "r2": 0.0}


def test_another_pod_on_the_same_node_closes_the_window() -> None:
    after = End("pair-new", "r2n1", "r2")
    found = tally([line(1), line(1.1, outcome=Outcome.RESET), line(1.5, server=after)])
    assert found.error_window_ms.longest == pytest.approx(500)


def test_every_failure_counts_and_only_those_of_trust_are_tls_errors() -> None:
    found = tally(line(n, outcome=outcome) for n, outcome in enumerate(Outcome))
    assert found.failed == len(Outcome) - 1
    assert found.tls_errors == 4
    assert found.by_class == dict.fromkeys(Outcome, 1)


def test_lines_of_many_files_are_put_in_order_and_half_a_line_is_left_out() -> None:
    found = tally([line(2.0), line(1.1, outcome=Outcome.VERIFY), line(1.0), line(5.0)[:20], ""])
    assert (found.tried, found.failed) == (3, 1)
    assert found.error_window_ms.longest == pytest.approx(1000)


def test_only_what_began_within_the_given_time_counts() -> None:
    assert tally([line(1), line(2), line(3)], since=2, until=3).tried == 1


def test_a_line_reads_back_as_it_was() -> None:
    attempt = Attempt(1764340000.25, A, C, Outcome.NOT_YET_VALID, 3.5)
    assert read(attempt.line()) == attempt


def test_a_full_file_makes_room_and_the_lines_before_are_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "mesh" / "p.jsonl", largest=3 * len(line(1)))
    for number in range(4):
        recorder.add(Attempt(number, A, C, Outcome.OK, 5))
    kept = [read(row) for name in ("p.jsonl.1", "p.jsonl") for row in (tmp_path / "mesh" / name).open()]
    assert [one.at for one in kept if one] == [0, 1, 2, 3]
