"""``rackroll pki census``: who serves which leaf and trusts which root, by handshake, now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit

if TYPE_CHECKING:
    from pki.rotation.sighting import Party, Sighting
    from rollout.engine.trust import MeshTrust
    from rollout.model.site import Site

EXIT_UNSEEN = 4


@click.command()
@click.option("--mesh", required=True, metavar="NAME", help="The mesh to look at.")
@click.option(
    "--metrics", is_flag=True, help="Prometheus text, so that the rules of `pki alerts` watch leaves too."
)
@inventory_option
@output_option
@click.pass_context
def census(ctx: click.Context, mesh: str, metrics: bool, inventory: Path, output: str) -> None:
    """Ask every proxy of a mesh which leaf it serves and which roots it trusts. Changes nothing.

    Exit code 4 when some proxy could not be seen.
    """
    from rollout.cli.world import build_world
    from rollout.engine.effects.rekey import trust_of_mesh
    from rollout.site.load import load_site

    site = load_site(inventory)
    trust = trust_of_mesh(build_world(site), mesh)
    seen = trust.sight()
    if metrics:
        click.echo(_metrics(site, mesh, seen), nl=False)
    else:
        document = _document(trust, seen)
        emit(document, output, lambda: _table(document))
    if any(party.leaf is None or party.trusts is None for party in seen.parties):
        ctx.exit(EXIT_UNSEEN)


def _metrics(site: Site, mesh: str, seen: Sighting) -> str:
    from pki.alerts.leaves import Whose, leaf_metrics

    pki = site.mesh(mesh).pki
    return leaf_metrics(Whose(site.name, mesh, pki.owner if pki else ""), seen.parties)


def _document(trust: MeshTrust, seen: Sighting) -> dict[str, Any]:
    names = _names(trust)
    anchors = {trust.authority(s).anchor: f"g{s.generation}" for s in trust.signers()}

    def word(anchor: str) -> str:
        return anchors.get(anchor, anchor[:12])

    return {
        "published": [word(anchor) for anchor in seen.published],
        "signer": _signer(seen.signer, names),
        "copies": [{"where": c.where, "anchors": sorted(map(word, c.anchors))} for c in seen.copies],
        "proxies": [_row(party, names, word) for party in seen.parties],
        "uncertified": [{"pod": f"{p.namespace}/{p.name}", "node": p.node} for p in seen.uncertified],
        "leaves": dict(Counter(_signer(p.leaf.by if p.leaf else None, names) for p in seen.parties)),
    }


def _names(trust: MeshTrust) -> dict[Any, str]:
    return {trust.authority(signer): str(signer) for signer in trust.signers()}


def _signer(authority: Any, names: dict[Any, str]) -> str:
    if authority is None:
        return "unknown"
    return names.get(authority, f"issuer {authority.issuer[:12]}")


def _row(party: Party, names: dict[Any, str], word: Any) -> dict[str, Any]:
    leaf = party.leaf
    return {
        "pod": f"{party.namespace}/{party.name}",
        "node": party.node,
        "rack": party.rack,
        "identity": leaf.identity if leaf else "",
        "leaf": _signer(leaf.by if leaf else None, names),
        "not_after": leaf.not_after.isoformat() if leaf else "",
        "trusts": None if party.trusts is None else sorted(map(word, party.trusts)),
        "why": party.silent,
    }


def _table(document: dict[str, Any]) -> str:
    from rollout.checks.registry import few

    lines = [f"published: {', '.join(document['published']) or 'nothing'}; signs: {document['signer']}"]
    lines += [f"copy: {copy['where']}: {', '.join(copy['anchors'])}" for copy in document["copies"]]
    rows = [("POD", "NODE", "RACK", "LEAF FROM", "TRUSTS", "ENDS")]
    for proxy in document["proxies"]:
        trusts = "unseen" if proxy["trusts"] is None else ", ".join(proxy["trusts"]) or "none of ours"
        ends = proxy["why"] or proxy["not_after"]
        rows.append((proxy["pod"], proxy["node"], proxy["rack"], proxy["leaf"], trusts, ends))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    bare = document["uncertified"]
    if bare:
        some = few([each["pod"] for each in bare])
        lines.append(f"no certificate of the mesh in their Envoys, so no part in this: {len(bare)} ({some})")
    return "\n".join(lines)
