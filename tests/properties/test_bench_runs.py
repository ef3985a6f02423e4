"""The benchmark measures what it says: fleets of the shape asked for, every job to its end, figures against targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fleet import Shape, observed_of, site_text
from bench.jobs import JOBS, measure
from bench.report import BEGIN, END, PAGE, as_markdown, as_table
from bench.run import Row, Target, _verdict
from rollout.cli.world import roles_of
from rollout.planner.serving import serving
from rollout.site.load import load_site

SMALL = Shape(racks=8, nodes_per_rack=4, gateways_per_rack=1)


def test_a_made_site_file_is_valid_and_has_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(site_text(SMALL))
    site = load_site(tmp_path)
    assert (len(site.racks), len(site.nodes), len(site.gateway_nodes)) == (8, 32, 8)


def test_a_made_fleet_is_all_in_service(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(site_text(SMALL))
    site = load_site(tmp_path)
    found = observed_of(site, roles_of(site), {"metallb": "0.16.1", "istio": "1.30.3"}, sidecars=2)
    for gateway in site.gateways:
        assert serving(site, found, gateway) == {node.name for node in site.gateway_nodes}
    assert len(found.proxies) == 8 + 24 * 2


@pytest.mark.parametrize("job", JOBS)
def test_every_job_runs_and_says_what_it_did(job: str) -> None:
    figure = measure(job, SMALL)
    assert figure.seconds > 0
    assert figure.peak_mib > 10
    assert figure.detail[0].isdigit()


@pytest.mark.parametrize(
    ("seconds", "cpu", "mib", "word"),
    [(1.9, 1.8, 400, "ok"), (2.1, 2.1, 400, "MISSED"), (1.9, 1.8, 501, "MISSED"), (9.0, 1.8, 400, "busy")],
)
def test_a_figure_beyond_its_target_is_called_missed_and_a_busy_machine_busy(
    seconds: float, cpu: float, mib: float, word: str
) -> None:
    assert _verdict(Target(seconds=2.0, mib=500.0), seconds, cpu, mib) == word


def test_the_page_has_the_marks_that_writing_needs_and_the_table_shows_a_failure() -> None:
    assert PAGE.read_text().index(BEGIN) < PAGE.read_text().index(END)
    failed = Row("1,000", "plan", 0.0, 0.0, 0.0, "", "", "FAILED", "ValueError: no")
    assert "FAILED" in as_table([failed])
    assert "ValueError: no" in as_markdown([failed], 1)
