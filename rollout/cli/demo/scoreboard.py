"""The scoreboard a newcomer sees at the end of the demo."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.table import Table

from rollout.cli.demo.score import Score

WIDTH = 92


def render_scoreboard(score: Score, *, colour: bool) -> str:
    """Two columns side by side: rackroll's rollout and the naive one on a fresh lab of the same kind."""
    title = f"{score.before}  →  {score.after}"
    table = Table(
        title=f"SIMULATED: {title}" if score.simulated else title, title_justify="left", width=WIDTH
    )
    table.add_column("")
    table.add_column("rackroll", justify="right")
    table.add_column("naive: all racks at once", justify="right")
    table.add_row("requests lost (new connections)", _count(score.lost), _bad(score.naive_lost))
    table.add_row(
        "requests lost (20 kept-alive)", _count(score.keepalive_lost), _bad(score.naive_keepalive_lost)
    )
    table.add_row("new connections sent", f"{score.sent}", f"{score.naive_sent}")
    table.add_row(
        "fewest gateways in the ToR RIBs",
        f"{score.gateways_min_in_rib} of {score.gateways_total}",
        f"{score.naive_min_in_rib} of {score.gateways_total}",
    )
    table.add_section()
    table.add_row(
        "hosts changed, then unchanged again",
        f"{score.hosts_changed}, {score.hosts_unchanged_second_run}",
        "",
    )
    table.add_row("ToR lines applied", f"{score.tor_lines_applied}", "")
    table.add_row("second ToR diff", "empty" if score.tor_second_diff_empty else "[red]NOT EMPTY[/]", "")
    table.add_row("lab up / bringup / upgrade", _seconds(score), "")
    return _to_text(table, colour)


def _seconds(score: Score) -> str:
    return f"{score.seconds_lab_up:.1f} / {score.seconds_bringup:.1f} / {score.seconds_upgrade:.1f} s"


def _count(lost: int | None) -> str:
    if lost is None:
        return "not modelled"
    return f"[green]{lost}[/]" if lost == 0 else f"[red]{lost}[/]"


def _bad(lost: int | None) -> str:
    if lost is None:
        return "not modelled"
    return f"[red]{lost}[/]" if lost else f"[yellow]{lost}[/]"


def _to_text(table: Table, colour: bool) -> str:
    console = Console(file=StringIO(), force_terminal=colour, width=WIDTH, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
