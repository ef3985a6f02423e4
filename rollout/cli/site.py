"""``rackroll site``: is the file right, and what may stand in it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rollout.cli.options import inventory_option, output_option
from rollout.cli.output import emit
from rollout.model.site import Site


@click.group()
def site() -> None:
    """Check a site file, or print the JSON Schema that editors use."""


@site.command()
@inventory_option
@output_option
def check(inventory: Path, output: str) -> None:
    """Read the site file and say what it describes; contacts nothing."""
    from rollout.site.load import load_site

    found = load_site(inventory)
    value = {
        "site": found.name,
        "racks": len(found.racks),
        "nodes": len(found.nodes),
        "gatewayNodes": len(found.gateway_nodes),
        "meshes": [
            {"name": mesh.name, "kind": mesh.kind.value, "version": mesh.version} for mesh in found.meshes
        ],
        "vips": [str(gateway.vip) for gateway in found.gateways],
    }
    emit(value, output, lambda: _sentence(found))


@site.command()
def schema() -> None:
    """Print the JSON Schema of site.yaml."""
    from rollout.site.jsonschema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _sentence(found: Site) -> str:
    vips = ", ".join(str(gateway.vip) for gateway in found.gateways)
    nodes = f"{len(found.nodes)} nodes ({len(found.gateway_nodes)} gateway nodes)"
    return f"site {found.name}: {len(found.racks)} racks, {nodes}, VIPs {vips}: valid"
