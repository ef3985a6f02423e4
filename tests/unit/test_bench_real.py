"""The report of the benchmark on a real cluster: per node, side by side, and a missed target called missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bench.real.jobs import Measured
from bench.real.report import REAL, as_markdown, as_table, listing
from bench.real.run import Cost, Scale
from bench.report import END, PAGE

OURS = Cost(Measured(10.0, 20, 90.0), Counter({"get nodes": 100, "patch nodes": 40}))
THEIRS = Cost(Measured(40.0, 20, 0.0), Counter({"get pods": 280}))
LIST = Cost(Measured(0.8, 0, 95.0, "5,000 pods"), Counter())
COSTS = {"drain": OURS, "kubectl": THEIRS, "pods": LIST}


def test_times_and_requests_are_told_per_node_and_as_a_ratio() -> None:
    rows = [line.split() for line in as_table(COSTS).splitlines()]
    assert ["seconds", "per", "node", "0.50", "2.00", "0.25"] in rows
    assert ["API", "requests", "per", "node", "7.00", "14.00", "0.50"] in rows


def test_a_list_beyond_its_target_is_called_missed() -> None:
    assert listing(COSTS).endswith("ok.")
    slow = replace(LIST, measured=replace(LIST.measured, seconds=1.1))
    assert listing({**COSTS, "pods": slow}).endswith("MISSED.")


def test_the_page_has_the_marks_that_writing_needs_and_the_figures_name_their_size() -> None:
    text = PAGE.read_text()
    assert text.index(REAL) < text.rindex(END)
    assert "1,000 nodes in 40 racks" in as_markdown(Scale(), COSTS)
