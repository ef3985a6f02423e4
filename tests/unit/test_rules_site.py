"""A site's own rules: they extend and override ours, and one that does not fit is refused with file, row and reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from rollout.errors import SiteInvalid
from rollout.rules.age import age_warning
from rollout.rules.book import RuleBook, book, rulebook
from rollout.rules.evaluate import UnknownLine, jump_verdicts, lines, place, skew_verdicts, support_verdicts
from rollout.rules.render import explain, table
from rollout.rules.rows import SupportRow

ROW = """
source = "our vendor's contract"
date = 2026-11-01
confidence = "official"
"""
LINE = (
    f'[[support]]\nid = "SITE-REL-01"\nsubject = "istio"\nline = "1.32"\nkubernetes = ["1.33", "1.38"]\n{ROW}'
)
LONGER = f'[[support]]\nid = "ISTIO-K8S-130"\nsubject = "istio"\nline = "1.30"\nkubernetes = ["1.30", "1.40"]\n{ROW}'
EDGE = '[[support]]\nid = "SITE-REL-01"\nsubject = "linkerd"\nline = "2.21"\n'


def site(folder: Path, *texts: str) -> Path:
    (folder / "rules").mkdir()
    for number, text in enumerate(texts):
        (folder / "rules" / f"{number}.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_site_without_rules_has_ours(tmp_path: Path) -> None:
    assert rulebook(tmp_path) is book()
    assert rulebook(site(tmp_path)) is book()


def test_a_new_id_extends(tmp_path: Path) -> None:
    with pytest.raises(UnknownLine):
        place(book(), "istio", "1.32.0")
    extended = rulebook(site(tmp_path, LINE))
    assert lines(extended, "istio")[-1] == "1.32"
    assert place(extended, "istio", "1.32.0").index == place(extended, "istio", "1.31.0").index + 1
    assert support_verdicts(extended, "istio", "1.32.0", "1.32")[0].refuses
    assert support_verdicts(extended, "istio", "1.32.0", "1.38")[0].holds
    assert jump_verdicts(extended, "istio", "in-place", "1.31.1", "1.32.0")[0].holds
    assert extended.digest != book().digest


def test_a_known_id_overrides_and_both_values_are_shown(tmp_path: Path) -> None:
    ours = rulebook(site(tmp_path, LONGER))
    (verdict,) = support_verdicts(ours, "istio", "1.30.3", "1.40")
    assert verdict.holds
    assert verdict.provenance.origin == "rules/0.toml"
    assert support_verdicts(book(), "istio", "1.30.3", "1.40")[0].refuses
    row = ours.find("ISTIO-K8S-130")
    assert row is not None
    for text in (table(ours, [row]), explain(ours, row)):
        assert "1.30 to 1.40" in text
        assert "1.32 to 1.36" in text
        assert "rules/0.toml" in text


def test_an_overridden_skew_is_what_is_applied(tmp_path: Path) -> None:
    row = (
        '[[skew]]\nid = "ISTIO-SKEW-01"\nsubject = "istio"\nleader = "istiod"\nfollowers = ["proxy"]\n'
        f'max_behind = 2\nmax_ahead = 0\nfix = "ask the vendor"\n{ROW}'
    )
    versions = {"istiod": ["1.31.1"], "proxy": ["1.29.6"]}
    assert skew_verdicts(rulebook(site(tmp_path, row)), "istio", versions)[0].holds
    assert skew_verdicts(book(), "istio", versions)[0].refuses


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        ("this is not = = toml", "", "is not TOML"),
        ("x = 1", "[[x]]", "is no kind of row; expected one of: skew, jump"),
        ("support = 1", "[support]", "written [[support]]"),
        ("support = [1]", "[[support]] number 1", "expected a table"),
        (LINE.replace("line =", "lin ="), "SITE-REL-01", "lin: is no key of such a row; expected one of: id"),
        (LINE.replace('line = "1.32"\n', ""), "SITE-REL-01", "line: is missing, and required"),
        (LINE.replace('source = "our vendor\'s contract"', ""), "SITE-REL-01", "source: is missing"),
        (LINE.replace("our vendor's contract", " "), "SITE-REL-01", "expected where this was read"),
        (LINE.replace('subject = "istio"', 'subject = "nomad"'), "SITE-REL-01", "'istio', 'istio-ambient'"),
        (LINE.replace("official", "sure"), "SITE-REL-01", "confidence: Input should be 'official'"),
        (LINE.replace("2026-11-01", '"yesterday"'), "SITE-REL-01", "date: Input should be a valid date"),
        (LINE.replace('"1.32"', '"1.32.1"'), "SITE-REL-01", "is no release line: expected two numbers"),
        (LINE.replace('"1.33", "1.38"', '"1.38", "1.33"'), "SITE-REL-01", "the lower end comes first"),
        (LINE.replace('"1.33", "1.38"', '"1.33"'), "SITE-REL-01", "kubernetes"),
        (LINE.replace('"1.33", "1.38"', '"1.33", "latest"'), "SITE-REL-01", "is no release line"),
        (LINE.replace('"1.32"', '"1.30"'), "SITE-REL-01", "line 1.30 is ISTIO-K8S-130's; expected that id"),
        (
            LINE.replace("SITE-REL-01", "ISTIO-SKEW-01"),
            "ISTIO-SKEW-01",
            "has the id of our [[skew]] of istio",
        ),
        (LINE.replace("SITE-REL-01", "site rel"), "site rel", "expected capitals, digits and dashes"),
        (LINE + LINE, "SITE-REL-01", "stands in rules/0.toml already; expected one row per id"),
        (LINE + 'origin = "ours"\n', "SITE-REL-01", "is set by the program"),
        (LINE + 'edge = "edge-26.6.3"\n', "SITE-REL-01", "only Linkerd has edge releases"),
        (LINE + 'latest = "1.31.9"\n', "SITE-REL-01", "latest 1.31.9 is not of line 1.32"),
        (LINE + "[[support.claims]]\neol = 2027-01-01\n", "SITE-REL-01", "claims.0.source: is missing"),
        (EDGE + f'edge = "26.9"\n{ROW}', "SITE-REL-01", "expected a release such as"),
        (EDGE + f'edge = "edge-26.6.2"\n{ROW}', "SITE-REL-01", "expected a later edge"),
        (
            f'[[jump]]\nid = "SITE-JUMP-01"\nsubject = "istio"\nmethod = "any"\nup = -1\nfix = "x"\n{ROW}',
            "SITE-JUMP-01",
            "-1 is below 0",
        ),
        (
            f'[[drain]]\nid = "SITE-LEVER-01"\nsubject = "metallb"\nlever = "x"\nsince = "0.16"\n{ROW}',
            "SITE-LEVER-01",
            "'0.16' does not name one release",
        ),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_file_row_and_reason(
    tmp_path: Path, text: str, row: str, reason: str
) -> None:
    with pytest.raises(SiteInvalid) as caught:
        rulebook(site(tmp_path, text))
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "rules" / "0.toml"))
    assert row in message
    assert reason in message
    assert "next: " in message


def test_a_file_that_cannot_be_read_as_text_is_refused(tmp_path: Path) -> None:
    folder = site(tmp_path)
    (folder / "rules" / "0.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SiteInvalid, match="is not UTF-8"):
        rulebook(folder)


def test_a_folder_in_place_of_a_rule_file_is_refused_and_no_traceback(tmp_path: Path) -> None:
    folder = site(tmp_path)
    (folder / "rules" / "0.toml").mkdir()
    with pytest.raises(SiteInvalid, match="cannot be read"):
        rulebook(folder)


def aged(day: date) -> RuleBook:
    return RuleBook(tuple(replace(row, date=day) for row in book().rows), "aged")


def test_rules_older_than_the_limit_warn_and_name_the_subject_and_its_age() -> None:
    day, limit = date(2026, 11, 23), timedelta(days=90)
    assert age_warning(aged(day), ["istio", "consul"], day + limit, limit) is None
    text = age_warning(aged(day), ["istio", "consul"], day + limit + timedelta(days=1), limit)
    assert text is not None
    assert "istio of 2026-11-23 (91 days)" in text
    assert "consul" in text


def test_the_table_of_an_ended_line_does_not_age_the_book() -> None:
    rows = tuple(
        replace(row, date=date(2020, 1, 1), eol=date(2019, 1, 1))
        if isinstance(row, SupportRow) and row.line == "1.27"
        else row
        for row in book().rows
    )
    assert RuleBook(rows, "one old").as_of("istio") == book().as_of("istio")
    assert book().oldest(["istio", "kubernetes"]) == min(book().as_of("istio"), book().as_of("kubernetes"))
