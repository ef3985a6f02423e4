"""``rackroll pki``: a mesh's own CA, from its first root to the day it runs out. No command ever shows a key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.census import census
from rollout.cli.options import inventory_option, output_option, yes_option
from rollout.cli.output import confirm, emit, say
from rollout.cli.pki_retire import retire

if TYPE_CHECKING:
    from datetime import datetime

    from pki.alerts.due import Watched
    from pki.home import PkiHome
    from rollout.model.mesh import Mesh
    from rollout.model.site import Site

_mesh_option = click.option(
    "--mesh", "name", metavar="NAME", help="One mesh only; else each with a pki section."
)


@click.group()
def pki() -> None:
    """Mint mesh CAs, check them with two verifiers, and see what runs out when."""


pki.add_command(census)
pki.add_command(retire)


@pki.command()
@_mesh_option
@inventory_option
@output_option
def init(name: str | None, inventory: Path, output: str) -> None:
    """Mint the first generation, a root and an issuer, for each mesh that has none yet."""
    from rollout.adapters.pki import pki_home
    from rollout.cli.pki_text import home_document, homes_table

    site = _site(inventory)
    for mesh in _meshes(site, name):
        home = pki_home(mesh)
        if home.generations():
            say(f"mesh {mesh.name}: there already, unchanged ({home.folder})")
            continue
        home.begin(_now(), after=0)
        say(f"mesh {mesh.name}: minted generation 1 ({home.folder})")
    homes = [(mesh, pki_home(mesh)) for mesh in _meshes(site, name)]
    value = {"site": site.name, "meshes": [home_document(mesh, home, _now()) for mesh, home in homes]}
    emit(value, output, lambda: homes_table(homes, _now()))


@pki.command()
@_mesh_option
@inventory_option
@output_option
def show(name: str | None, inventory: Path, output: str) -> None:
    """List the generations: roots and issuers, their fingerprints, how much of their life is left."""
    from rollout.adapters.pki import pki_home
    from rollout.cli.pki_text import home_document, homes_table

    site, now = _site(inventory), _now()
    homes = [(mesh, pki_home(mesh)) for mesh in _meshes(site, name)]
    value = {"site": site.name, "meshes": [home_document(mesh, home, now) for mesh, home in homes]}
    emit(value, output, lambda: homes_table(homes, now))


@pki.command()
@click.option("--issuer", is_flag=True, help="Only a further issuer under the newest root.")
@click.option(
    "--after",
    type=click.IntRange(0),
    metavar="N",
    help="For scripts: the number that is the newest now; said twice, it is minted once.",
)
@_mesh_option
@yes_option
@inventory_option
@output_option
def mint(issuer: bool, after: int | None, name: str | None, yes: bool, inventory: Path, output: str) -> None:
    """Mint the next generation of one mesh (or, with --issuer, its next issuer). The mesh itself is not touched."""
    from rollout.adapters.pki import pki_home
    from rollout.cli.pki_text import home_document, homes_table

    site = _site(inventory)
    meshes = _meshes(site, name)
    if len(meshes) > 1:
        listed = " or ".join(mesh.name for mesh in meshes)
        raise click.UsageError(f"which mesh? --mesh {listed}")
    [mesh] = meshes
    home = pki_home(mesh)
    if issuer:
        _mint_issuer(mesh, home, after, yes=yes)
    else:
        _mint_generation(mesh, home, after, yes=yes)
    value = home_document(mesh, home, _now())
    emit(value, output, lambda: homes_table([(mesh, home)], _now()))


def _mint_issuer(mesh: Mesh, home: PkiHome, after: int | None, *, yes: bool) -> None:
    from rollout.errors import RackrollError

    if not home.generations():
        raise RackrollError("has no root yet", where=f"mesh {mesh.name}", hint="rackroll pki init")
    newest = home.generations()[-1]
    if after is None:
        confirm(f"mint a further issuer under generation {newest.number} of {mesh.name}?", yes=yes)
    made = home.reissue(newest.number, _now(), after=after)
    say(
        f"mesh {mesh.name}: issuer {newest.number}.{made.number}; the mesh signs with it once it is handed over"
    )


def _mint_generation(mesh: Mesh, home: PkiHome, after: int | None, *, yes: bool) -> None:
    """Two generations are a rotation under way; a third would make every proxy trust three roots."""
    from rollout.errors import PlanRefused

    numbers = [each.number for each in home.generations()]
    if after is None and len(numbers) > 1:
        what = f"has generations {' and '.join(map(str, numbers))} already: its rotation is not finished"
        hint = "finish it, which retires the older one; `rackroll pki show` lists them"
        raise PlanRefused(what, where=f"mesh {mesh.name}", hint=hint)
    if after is None:
        confirm(f"mint a new root and issuer for {mesh.name} beside generation {numbers or 'none'}?", yes=yes)
    made = home.begin(_now(), after=after)
    say(f"mesh {mesh.name}: generation {made.number}; nothing trusts it before a rotation spreads it")


@pki.command()
@click.argument("chain", required=False, type=click.Path(path_type=Path), metavar="[CHAIN.pem]")
@click.option(
    "--anchors",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The bundle to check CHAIN.pem against; else the mesh's own roots.",
)
@click.option("--keys", is_flag=True, help="Open every key as well, and see that it is its certificate's.")
@_mesh_option
@inventory_option
@output_option
@click.pass_context
def verify(
    ctx: click.Context,
    chain: Path | None,
    anchors: Path | None,
    keys: bool,
    name: str | None,
    inventory: Path,
    output: str,
) -> None:
    """Check everything a mesh has, or CHAIN.pem (leaf or issuer first), with our verifier and with `openssl verify`.

    Also that no mesh root is a public or corporate CA, nor the reverse. Exit code 3: something is refused.
    """
    from rollout.cli.pki_check import check_chain, check_home
    from rollout.cli.pki_text import verdict_document, verdicts_table

    site = _site(inventory)
    meshes = _meshes(site, name)
    if anchors is not None and chain is None:
        raise click.UsageError("--anchors goes with a CHAIN.pem")
    if chain is not None and len(meshes) > 1:
        raise click.UsageError(f"which mesh's rules? --mesh {' or '.join(mesh.name for mesh in meshes)}")
    if chain is not None:
        found = check_chain(meshes[0], chain, anchors, _now())
    else:
        found = tuple(line for mesh in meshes for line in check_home(mesh, _now(), keys=keys))
    emit(verdict_document(site.name, found), output, lambda: verdicts_table(found))
    ctx.exit(3 if any(not line.good for line in found) else 0)


@pki.command()
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when something is due.")
@click.option("--rules", "form", flag_value="rules", help="Print Prometheus alerting rules instead.")
@click.option("--metrics", "form", flag_value="metrics", help="Print Prometheus metrics instead.")
@click.option("--ics", "form", flag_value="ics", help="Print an iCalendar file instead.")
@_mesh_option
@inventory_option
@output_option
@click.pass_context
def alerts(
    ctx: click.Context,
    detailed_exitcode: bool,
    form: str | None,
    name: str | None,
    inventory: Path,
    output: str,
) -> None:
    """Say what is due: roots and issuers warn at half of their life, and are critical at a quarter."""
    from pki.alerts.due import State, calendar
    from pki.alerts.ics import ics
    from pki.alerts.metrics import metrics
    from pki.alerts.rules import rules
    from rollout.cli.pki_text import due_document, due_table

    site, now = _site(inventory), _now()
    if form == "rules":
        click.echo(rules(), nl=False)
        return
    found = _watched(site, _meshes(site, name))
    if form is not None:
        click.echo(metrics(found, now) if form == "metrics" else ics(found, now), nl=False)
        return
    lines = calendar(found, now)
    emit(due_document(site.name, lines), output, lambda: due_table(lines))
    if detailed_exitcode and any(line.state is not State.OK for line in lines):
        ctx.exit(2)


def _watched(site: Site, meshes: tuple[Mesh, ...]) -> tuple[Watched, ...]:
    """Raises RackrollError for a mesh without a root: an empty calendar would look like a quiet one."""
    from pki.alerts.due import watched
    from rollout.adapters.pki import pki_home, pki_of
    from rollout.errors import RackrollError

    found: list[Watched] = []
    for mesh in meshes:
        generations = pki_home(mesh).generations()
        if not generations:
            raise RackrollError("has no root yet", where=f"mesh {mesh.name}", hint="rackroll pki init")
        found += watched(site.name, mesh.name, pki_of(mesh).owner, generations)
    return tuple(found)


def _site(inventory: Path) -> Site:
    from rollout.site.load import load_site

    return load_site(inventory)


def _meshes(site: Site, name: str | None) -> tuple[Mesh, ...]:
    """Those whose CA is rackroll's. Raises UsageError for an unknown name, RackrollError where there are none."""
    import difflib

    from rollout.adapters.pki import pki_of
    from rollout.errors import RackrollError

    names = [mesh.name for mesh in site.meshes]
    if name is not None and name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        guess = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"--mesh {name}: site {site.name} has no such mesh{guess}")
    if name is not None:
        pki_of(site.mesh(name))
        return (site.mesh(name),)
    found = tuple(mesh for mesh in site.meshes if mesh.pki is not None)
    if not found:
        hint = "add a pki section (owner, folder, keys) to a mesh: docs/pki.md"
        raise RackrollError("no mesh has a pki section", where=f"site {site.name}", hint=hint)
    return found


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)
