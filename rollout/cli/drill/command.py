"""``rackroll drill``: rehearse the change that operators fear most, on a lab, under traffic, with figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import output_option
from rollout.cli.output import emit, say

if TYPE_CHECKING:
    from rollout.cli.drill.faults import Fault
    from rollout.cli.drill.ground import Ground
    from rollout.cli.drill.score import DrillScore
    from rollout.model.mesh import MeshKind

LABS = ("embedded", "vm")
MESHES = ("istio", "linkerd", "consul")
FAULTS = ("skewed-clock", "stuck-pod", "dying-signer", "crash", "full-conntrack", "tampered-trust")
_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
_LOOPBACK = re.compile(r"127\.([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-4])\.")


@click.group()
def drill() -> None:
    """Rotate a mesh's root on a lab, and count every handshake that fails."""


def _name(ctx: click.Context, option: click.Parameter, value: str) -> str:
    del ctx, option
    if not _NAME.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is no name of a lab: a letter, then letters and digits, at most 12"
        )
    return value


def _loopback(ctx: click.Context, option: click.Parameter, value: str) -> str:
    del ctx, option
    if not _LOOPBACK.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no such range: 127. and a number and a dot, like 127.86.")
    return value


@drill.command()
@click.option("--mesh", type=click.Choice(MESHES), required=True, help="Whose root is replaced.")
@click.option(
    "--lab",
    type=click.Choice(LABS),
    default=LABS[0],
    show_default=True,
    help="Network namespaces, or virtual machines with kernels and clocks of their own (vagrant/).",
)
@click.option("--naive/--no-naive", default=True, help="Also swap a root in one step, as a negative control.")
@click.option("--fault", type=click.Choice(FAULTS), help="Make this go wrong, and see that it is noticed.")
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="So many, each on a fresh lab; the worst is shown.",
)
@click.option("--keep", is_flag=True, help="Leave the lab up, to look around; the next drill removes it.")
@click.option(
    "--again",
    is_flag=True,
    help="On the lab that --keep --no-naive has left, from the root that it has now; the control leaves a rotation "
    "half done, which would be taken to its end first.",
)
@click.option(
    "--name",
    callback=_name,
    default="drill",
    show_default=True,
    help="The lab's name, if two are to run at once.",
)
@click.option(
    "--loopback",
    callback=_loopback,
    default="127.86.",
    show_default=True,
    help="Where its hosts are reached; likewise.",
)
@output_option
@click.pass_context
def rotate(
    ctx: click.Context,
    mesh: str,
    lab: str,
    naive: bool,
    fault: str | None,
    runs: int,
    keep: bool,
    again: bool,
    name: str,
    loopback: str,
    output: str,
) -> None:
    """Lab up, mesh up, pairs shaking hands; rotate; census; the same in one step; lab down. Kept in the history.

    Exit code 1 if a handshake failed, a leaf of the old root lives, or the negative control broke nothing.
    """
    from rollout.cli.drill.history import history_file
    from rollout.model.mesh import MeshKind

    _require_namespaces()
    kind, ground = MeshKind(mesh), _ground(lab, name, loopback)
    _fault(fault, kind, ground)
    scores = []
    for number in range(1, runs + 1):
        if runs > 1:
            say(f"drill {number} of {runs}")
        stay = keep or (again and number < runs)
        scores.append(_once(kind, fault, ground, naive=naive, keep=stay, again=again))
    worst = max(scores, key=lambda score: score.badness)
    emit(worst.printed(), output, lambda: _card(worst, history_file()))
    if any(score.broken_promises() for score in scores):
        ctx.exit(1)


def _require_namespaces() -> None:
    from rollout.cli.demo.capability import why_no_namespaces
    from rollout.errors import RackrollError

    why = why_no_namespaces()
    if why:
        raise RackrollError(
            f"the drill needs network-namespace hosts: {why}", where="drill", hint="run it as root on Linux"
        )


def _ground(lab: str, name: str, loopback: str) -> Ground:
    from rollout.cli.drill.ground import Ground, machines
    from rollout.errors import RackrollError

    if lab == LABS[0]:
        return Ground(name, loopback)
    if (name, loopback) != (Ground().name, Ground().loopback):
        raise RackrollError(
            "the machines have the name and the addresses of vagrant/topology.yaml",
            where="--name, --loopback",
            hint="leave them out, or change that file",
        )
    return machines()


def _once(
    kind: MeshKind, fault: str | None, ground: Ground, *, naive: bool, keep: bool, again: bool
) -> DrillScore:
    from rollout.cli.drill.acts import play
    from rollout.cli.drill.history import keep as remember

    score = play(kind, say, _fault(fault, kind, ground), ground=ground, naive=naive, keep=keep, again=again)
    remember(score.document())
    for promise in score.broken_promises():
        say(f"rackroll: not kept: {promise}")
    return score


def _fault(name: str | None, kind: MeshKind, ground: Ground) -> Fault | None:
    """A new one for each drill: it remembers what it did."""
    from rollout.cli.drill.menu import faults
    from rollout.errors import RackrollError

    if name is None:
        return None
    known = faults(vm=ground.vm)
    if name not in known:
        raise RackrollError(
            f"{name} is made from outside the node, and a virtual machine has no outside",
            where="--fault",
            hint=f"faults on virtual machines: {', '.join(known)}",
        )
    found = known[name]()
    if kind not in found.meshes:
        fits = ", ".join(sorted(found.meshes))
        raise RackrollError(
            f"{name} cannot befall {kind}'s rotation, which restarts no pod",
            where="--fault",
            hint=f"meshes that it can befall: {fits}",
        )
    return found


def _card(score: DrillScore, file: Path) -> str:
    from rollout.cli.drill.table import card

    return card(score, file)


@drill.command()
@click.option("--mesh", type=click.Choice(MESHES), help="Only this mesh's drills.")
@output_option
def history(mesh: str | None, output: str) -> None:
    """The drills so far, by quarter: what failed most, the longest error window, the slowest."""
    from rollout.cli.drill.history import read, trend
    from rollout.cli.drill.table import trend as shown

    entries = read(mesh)
    rows = trend(entries)
    emit({"drills": list(entries), "trend": list(rows)}, output, lambda: shown(rows))
