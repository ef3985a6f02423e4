"""Every mistake in a site file is answered with its line, its field, what is wrong and what would be right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from rollout.errors import SiteInvalid
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, edited, line_of, written


@dataclass(frozen=True)
class Case:
    """``edits`` spoil the lab's file; the complaint must be about ``field``, on the line that holds ``at``.

    A word ``@marker`` stands for the line number of the other place that the complaint has to name.
    """

    name: str
    edits: tuple[tuple[str, str], ...]
    field: str
    at: str
    words: tuple[str, ...]


def _cases() -> tuple[Case, ...]:
    table = yaml.safe_load((Path(__file__).parent / "site_refusals.yaml").read_text(encoding="utf-8"))
    return tuple(
        Case(row["case"], tuple(map(tuple, row["edits"])), row["field"], row["at"], tuple(row["words"]))
        for row in table
    )


CASES = _cases()


@pytest.mark.parametrize("spoiled", CASES, ids=lambda spoiled: spoiled.name)
def test_a_mistake_is_answered_with_line_field_and_remedy(spoiled: Case, tmp_path: Path) -> None:
    text = edited(*spoiled.edits)
    with pytest.raises(SiteInvalid) as caught:
        load_site(written(tmp_path, text))
    said = str(caught.value)
    about = [line for line in said.splitlines() if f": {spoiled.field}: " in line]
    assert about, f"nothing about {spoiled.field} in:\n{said}"
    words = [f"(line {line_of(text, word[1:])})" if word.startswith("@") else word for word in spoiled.words]
    complaint = next((line for line in about if all(word in line for word in words)), "")
    assert complaint, f"not all of {words} in:\n{said}"
    assert complaint.startswith(f"{tmp_path}/site.yaml:{line_of(text, spoiled.at)}: ")
    assert "; expected " in complaint
    assert "next: " in said
    assert "Traceback" not in said


def test_the_unspoiled_file_is_accepted(tmp_path: Path) -> None:
    """Negative control: the complaints above come from the edits."""
    assert load_site(written(tmp_path, LAB)).name == "lab"


def test_each_case_spoils_one_thing(tmp_path: Path) -> None:
    """A case whose complaint hides among ten others would prove little about its message."""
    for spoiled in CASES:
        with pytest.raises(SiteInvalid) as caught:
            load_site(written(tmp_path, edited(*spoiled.edits)))
        complaints = [line for line in str(caught.value).splitlines() if "; expected " in line]
        assert len(complaints) <= 3, (spoiled.name, complaints)


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = edited(
        ("version: 1.30.3", "version: 1.30.3\n    colour: red"),
        ("asn: 64501", "asn: 64601"),
        ("nodeAsn: 64601", "nodeAsn: 64601\n  speed: 9"),
    )
    with pytest.raises(SiteInvalid) as caught:
        load_site(written(tmp_path, text))
    fields = [line.split(": ")[1] for line in str(caught.value).splitlines() if "; expected " in line]
    assert fields == ["bgp.speed", "meshes[0].colour", "racks[0].tor.asn"]
    assert "next: correct these 3 places" in str(caught.value)
