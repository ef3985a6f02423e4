"""``rackroll drill``: rehearse the change that operators fear most, on a lab, under traffic, with figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import output_option
from rollout.cli.output import emit, say

if TYPE_CHECKING:
    from rollout.cli.drill.score import DrillScore

MESHES = ("istio", "linkerd", "consul")
FAULTS = ("skewed-clock", "stuck-pod", "dying-signer", "crash", "full-conntrack", "tampered-trust")


@click.group()
def drill() -> None:
    """Rotate a mesh's root on the embedded lab, and count every handshake that fails."""


@drill.command()
@click.option("--mesh", type=click.Choice(MESHES), required=True, help="Whose root is replaced.")
@click.option("--naive/--no-naive", default=True, help="Also swap a root in one step, as a negative control.")
@click.option("--fault", type=click.Choice(FAULTS), help="Make this go wrong, and see that it is noticed.")
@click.option("--keep", is_flag=True, help="Leave the lab up, to look around; the next drill removes it.")
@output_option
@click.pass_context
def rotate(ctx: click.Context, mesh: str, naive: bool, fault: str | None, keep: bool, output: str) -> None:
    """Lab up, mesh up, pairs shaking hands; rotate; census; the same in one step; lab down. Kept in the history."""
    from rollout.cli.demo.capability import why_no_namespaces
    from rollout.cli.drill.acts import play
    from rollout.cli.drill.faults import faults
    from rollout.cli.drill.history import keep as remember
    from rollout.errors import RackrollError
    from rollout.model.site import MeshKind

    why = why_no_namespaces()
    if why:
        raise RackrollError(f"the drill needs network-namespace hosts: {why}", hint="run it as root on Linux")
    wrong = faults()[fault]() if fault else None
    score = play(MeshKind(mesh), say, wrong, naive=naive, keep=keep)
    file = remember(score.document())
    emit(score.document(), output, lambda: _table(score, file))
    broken = score.broken_promises()
    for promise in broken:
        say(f"rackroll: not kept: {promise}")
    if broken:
        ctx.exit(1)


@drill.command()
@click.option("--mesh", type=click.Choice(MESHES), help="Only this mesh's drills.")
@output_option
def history(mesh: str | None, output: str) -> None:
    """The drills so far, by quarter: what failed most, the longest error window, the slowest."""
    from rollout.cli.drill.history import read, trend

    entries = read(mesh)
    rows = trend(entries)
    emit({"drills": list(entries), "trend": list(rows)}, output, lambda: _trend(rows))


def _trend(rows: tuple[dict[str, Any], ...]) -> str:
    if not rows:
        return "no drill was finished on this machine yet: rackroll drill rotate --mesh istio"
    head = ("MESH", "QUARTER", "DRILLS", "FAILED (MOST)", "ERROR WINDOW", "SLOWEST")
    table = [head] + [
        (
            row["mesh"],
            row["quarter"],
            str(row["drills"]),
            str(row["failed_most"]),
            f"{row['error_window_ms_longest']:g} ms",
            f"{row['seconds_slowest']:g} s",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _table(score: DrillScore, file: Path) -> str:
    found = score.document()
    racks = ", ".join(f"{rack} {ms:g} ms" for rack, ms in found["error_window_ms"]["by_rack"].items())
    lines = [
        f"Rotation drill: {score.mesh} ({found['lab']})",
        f"  handshakes       {score.good.tried} tried, {score.good.failed} failed",
        f"  error window     {found['error_window_ms']['longest']:g} ms longest ({racks})",
        f"  old root         {score.old_root_leaves} live leaves left, {score.proxies} proxies seen",
        f"  wall clock       {score.seconds:.1f} s: "
        + ", ".join(f"{each.name} {each.seconds:g}" for each in score.phases),
    ]
    if score.gateways_min is not None:
        lines.append(f"  gateways in RIB  {score.gateways_min} of {score.gateways_total} at least")
    if score.fault is not None:
        lines.append(
            "  fault            " + ", ".join(f"{key} {value}" for key, value in score.fault.items())
        )
    if score.naive is not None:
        naive = score.naive
        lines.append(
            f"  naive (control)  {naive.failed} of {naive.tried} failed, "
            f"{naive.error_window_ms.longest:g} ms longest window"
        )
    return "\n".join([*lines, f"  kept in          {file}"])
