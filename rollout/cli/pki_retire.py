"""``rackroll pki retire``: the keys of a generation that nobody needs any more are destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rollout.cli.options import inventory_option, yes_option
from rollout.cli.output import confirm, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.rotation.sighting import Sighting


@click.command()
@click.argument("generation", type=click.IntRange(1))
@click.option("--mesh", required=True, metavar="NAME", help="The mesh whose old generation it is.")
@yes_option
@inventory_option
def retire(generation: int, mesh: str, yes: bool, inventory: Path) -> None:
    """Destroy an old generation's keys, after its root is out of the mesh. Its certificates are kept aside.

    Refused while the mesh publishes it, signs with it, or shows a proxy that trusts it or serves its leaf; a proxy
    that cannot be seen counts as one that does.
    """
    from rollout.cli.world import build_world
    from rollout.engine.effects.rekey import trust_of_mesh
    from rollout.planner.refuse import refuse
    from rollout.site.load import load_site

    trust = trust_of_mesh(build_world(load_site(inventory)), mesh)
    (anchor,) = trust.anchors((generation,))
    still = list(uses(trust.sight(), anchor))
    if still:
        fix = (
            f"finish the rotation first: rackroll plan rotate --mesh {mesh}; `rackroll pki census` shows who"
        )
        raise refuse(
            "PLAN-TRUST-05", f"g{generation} of {mesh} is still used: {'; '.join(still[:4])}", fix=fix
        )
    confirm(f"destroy the keys of g{generation} of {mesh} for good?", yes=yes)
    trust.retire(generation)
    say(f"mesh {mesh}: g{generation} is retired; its keys are gone, its certificates are in retired/")


def uses(seen: Sighting, anchor: str) -> Iterator[str]:
    """Every reason to keep the generation of this anchor; silence is one."""
    if anchor in seen.published:
        yield "it is in the published bundle"
    if seen.signer is None or seen.signer.anchor == anchor:
        yield "the mesh signs with it" if seen.signer else "nobody can tell who signs"
    yield from (f"{copy.where} holds it" for copy in seen.copies if anchor in copy.anchors)
    for party in seen.parties:
        if party.leaf is None or party.trusts is None:
            yield f"{party} cannot be seen"
        elif anchor in party.trusts:
            yield f"{party} trusts it"
        elif party.leaf.by is None or party.leaf.by.anchor == anchor:
            yield (
                f"{party} serves a leaf of it"
                if party.leaf.by
                else f"{party} serves a leaf of nobody we know"
            )
