"""A site file as a plain pyinfra inventory: ``pyinfra inventory/lab/hosts.py deploys/node.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rollout.adapters.hosts.job import host_data
from rollout.site.load import load_site


def pyinfra_hosts(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """The same hosts and the same data that rackroll gives to its own pyinfra process."""
    site = load_site(folder)
    return [(node.name, host_data(site, node)) for node in site.nodes]
