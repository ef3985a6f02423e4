"""All checks under their ids. Importing this is what finds a duplicate."""

from __future__ import annotations

from rollout.checks.duty import DUTY
from rollout.checks.gateways import GATEWAYS
from rollout.checks.hosts import HOSTS
from rollout.checks.nodes import NODES
from rollout.checks.pki import PKI
from rollout.checks.pods import PODS
from rollout.checks.registry import Check, DuplicateCheck
from rollout.checks.rights import RIGHTS

_REGISTRIES = (DUTY, GATEWAYS, NODES, HOSTS, PODS, RIGHTS, PKI)


def catalogue() -> dict[str, Check]:
    found: dict[str, Check] = {}
    for registry in _REGISTRIES:
        for id in registry.ids:
            if id in found:
                raise DuplicateCheck(id)
            found[id] = registry.named(id)
    return found
