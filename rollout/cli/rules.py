"""``rackroll rules``: what the planner knows about versions, who said so, and when. Contacts nothing."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import output_option
from rollout.cli.output import emit, say
from rollout.errors import RackrollError
from rollout.rules.rows import KINDS, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.rules.book import RuleBook
    from rollout.rules.rows import AnyRow

_site_option = click.option(
    "-i",
    "--inventory",
    type=click.Path(path_type=Path),
    envvar="RACKROLL_INVENTORY",
    help="Site folder: its own rules too. Also RACKROLL_INVENTORY.",
)


@click.group()
def rules() -> None:
    """Show the skew, jump, order, support and drain facts that plans are proven with."""


@rules.command()
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([*SUBJECTS, *KINDS]),
    help="Only a subject (istio, ...) or a kind of row (skew, ...); may be repeated.",
)
@_site_option
@output_option
def show(kinds: tuple[str, ...], inventory: Path | None, output: str) -> None:
    """List the rows in force; with -i those of the site's subjects, and what is supported there."""
    from rollout.rules.document import to_document
    from rollout.rules.render import table

    if inventory is None:
        from rollout.rules.book import rulebook

        book = rulebook()
        rows = tuple(_chosen(book, kinds, SUBJECTS))
        emit(to_document(book, rows), output, lambda: table(book, rows))
        return
    _show_site(kinds, inventory, output)


def _show_site(kinds: tuple[str, ...], inventory: Path, output: str) -> None:
    from datetime import UTC, datetime

    from rollout.rules.age import age_warning
    from rollout.rules.book import rulebook
    from rollout.rules.document import to_document
    from rollout.rules.render import table
    from rollout.rules.standing import render_standings, standings, subjects_of
    from rollout.site.load import load_site

    site = load_site(inventory)
    book = rulebook(site.folder)
    today = datetime.now(UTC).date()
    found = standings(book, site, today)
    subjects = tuple(dict.fromkeys(kind for _, kind, _, _ in subjects_of(site)))
    old = age_warning(book, subjects, today, site.policy.rules_max_age)
    if old is not None:
        say(f"warning: {old}")
    rows = tuple(_chosen(book, kinds, subjects))
    value = {"site": site.name, "supported": [one.document() for one in found], **to_document(book, rows)}
    emit(value, output, lambda: f"{render_standings(site, found)}\n\n{table(book, rows)}")


def _chosen(book: RuleBook, kinds: tuple[str, ...], subjects: tuple[str, ...]) -> Iterator[AnyRow]:
    """Rows by subject, then by kind, in the files' order; a subject's family lends it its releases."""
    from rollout.rules.rows import FAMILY, kind_of

    wanted = {kind for kind in kinds if kind in SUBJECTS}
    kept = {kind for kind in kinds if kind in KINDS} or set(KINDS)
    families = (
        {FAMILY[s] for s in subjects if s in FAMILY} if not wanted else {FAMILY.get(w, w) for w in wanted}
    )
    for subject in SUBJECTS:
        whole = subject in (wanted or subjects)
        for kind in KINDS:
            if kind in kept and (
                whole or (subject in families and kind in ("support", "behaviour", "artifact"))
            ):
                yield from (row for row in book.rows if (row.subject, kind_of(row)) == (subject, kind))


@rules.command()
@click.argument("rule_id", metavar="ID")
@_site_option
@output_option
def explain(rule_id: str, inventory: Path | None, output: str) -> None:
    """One rule: in words, on both sides of its boundaries, with its source, date and who differs."""
    from rollout.rules.book import rulebook
    from rollout.rules.document import explained
    from rollout.rules.render import explain as in_words

    folder = None
    if inventory is not None:
        from rollout.site.load import load_site

        folder = load_site(inventory).folder
    book = rulebook(folder)
    row = book.find(rule_id.upper()) or book.find(rule_id)
    if row is None:
        raise _unknown(book, rule_id)
    emit(explained(book, row), output, lambda: in_words(book, row))


def _unknown(book: RuleBook, rule_id: str) -> RackrollError:
    near = difflib.get_close_matches(rule_id.upper(), book.ids, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`rackroll rules show` lists them"
    if rule_id.upper().startswith(("PLAN-", "RUN-", "GW-")):
        hint = f"this is a check or a rule of rackroll's own: docs/checks.md#{rule_id.lower()}"
    return RackrollError(f"no row of the rules' data has the id {rule_id!r}", hint=hint)
