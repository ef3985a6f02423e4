"""The contract's table: what is counted, and that nothing bad is hidden in it."""

from __future__ import annotations

import json

from tests.contract.table import Run, read, render


def line(call: str, test: str, outcome: str = "passed", why: str = "") -> str:
    return json.dumps({"call": call, "test": test, "outcome": outcome, "why": why})


def row_of(page: str, call: str) -> list[str]:
    found = next(text for text in page.splitlines() if text.startswith(f"| {call} |"))
    return [part.strip() for part in found.strip("|").split("|")][1:]


def test_a_cell_counts_the_tests_of_its_call() -> None:
    run = read("simulated", [line("GET", "a"), line("GET", "b"), line("PUT", "c")])
    page = render([run])
    assert (row_of(page, "GET"), row_of(page, "PUT")) == (["2 pass"], ["1 pass"])
    assert row_of(page, "**tests that passed**") == ["3 of 3"]


def test_a_test_that_fails_is_named() -> None:
    page = render([read("simulated", [line("GET", "a", "failed"), line("GET", "b")])])
    assert row_of(page, "GET") == ["1 pass, **fails**: a"]


def test_a_test_that_passes_and_then_cannot_clean_up_has_failed() -> None:
    run = read("simulated", [line("GET", "a"), line("GET", "a", "failed")])
    assert run.failed == ("a",)


def test_a_difference_that_is_meant_has_its_reason_below() -> None:
    page = render([read("simulated", [line("exec", "a", "differs", "nothing runs here")])])
    assert row_of(page, "exec") == ["1 differs [1]"]
    assert "1. nothing runs here" in page


def test_a_target_that_was_not_built_says_so_and_its_version_where_it_was() -> None:
    runs = [
        read("real-1.35", [json.dumps({"version": "v1.35.8"}), line("GET", "a")]),
        Run("real-1.36", missing="there is no kube-apiserver"),
    ]
    page = render(runs)
    assert "| call | real 1.35 (v1.35.8) | real 1.36 |" in page
    assert row_of(page, "GET") == ["1 pass", "not built"]
