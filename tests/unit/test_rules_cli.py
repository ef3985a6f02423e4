"""``rackroll rules``: every row is shown and explained, readable at 100 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from rollout.cli.rules import rules
from rollout.rules.book import book

INVENTORY = Path(__file__).parents[2] / "inventory" / "fra1"


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(rules, arguments)


def test_show_lists_every_row_within_100_columns() -> None:
    text = asked("show").stdout
    assert [id_ for id_ in book().ids if id_ not in text] == []
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("id_", book().ids)
def test_every_row_is_explained_with_source_date_and_confidence(id_: str) -> None:
    row = book().find(id_)
    assert row is not None
    lines = asked("explain", id_.lower()).stdout.splitlines()
    text = " ".join(" ".join(lines).split())
    assert " ".join(row.source.split()) in text
    assert f"{row.date.isoformat()}, {row.confidence}" in text
    assert " ".join(row.conflict.split()) in text
    assert max(map(len, lines)) <= 100


def test_show_can_be_narrowed_to_a_subject_and_to_a_kind_of_row() -> None:
    listed = json.loads(asked("show", "--kind", "linkerd", "--kind", "support", "-o", "json").stdout)
    assert [row["id"] for row in listed["rows"]] == [f"LINKERD-REL-2{n}" for n in (17, 18, 19, 20)]
    assert listed["asOf"] == {"linkerd": "2026-08-20"}


def test_json_and_yaml_say_the_same() -> None:
    as_json = json.loads(asked("show", "--kind", "jump", "-o", "json").stdout)
    assert yaml.safe_load(asked("show", "--kind", "jump", "-o", "yaml").stdout) == as_json


def test_explain_shows_both_sides_of_the_boundary() -> None:
    told = json.loads(asked("explain", "ISTIO-SKEW-01", "-o", "json").stdout)
    assert [example["verdict"] for example in told["examples"]] == ["holds", "refuses", "refuses"]


def test_with_a_site_the_view_says_what_is_supported_there() -> None:
    told = json.loads(asked("show", "-i", str(INVENTORY), "-o", "json").stdout)
    assert {row["subject"] for row in told["rows"]} == {"istio", "metallb", "kubernetes"}
    public = next(one for one in told["supported"] if one["subject"] == "public")
    assert (public["kind"], public["verdict"]) == ("istio", "supported")
    assert "1.31.1" in {hop["to"] for hop in public["hops"]}


def test_an_unknown_id_gets_the_nearest_ones() -> None:
    result = asked("explain", "ISTIO-K8S-13")
    assert "did you mean" in str(result.exception)
    assert "ISTIO-K8S-130" in str(result.exception)
    assert "docs/checks.md#plan-n1-01" in str(asked("explain", "PLAN-N1-01").exception)
