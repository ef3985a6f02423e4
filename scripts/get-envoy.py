#!/usr/bin/env python3
"""The Envoys that the lab's gateways run, from their Python wheels into rackroll's cache; quick when they are there."""

from __future__ import annotations

import sys

from lab.node.envoy import ENVOY_OF_ISTIO, cache, ensure_all, program
from rollout.errors import RackrollError


def main() -> None:
    missing = sorted(version for version in set(ENVOY_OF_ISTIO.values()) if not program(version).exists())
    if missing:
        print(f"==> envoy: {' and '.join(missing)} into {cache()} (25 MB each, once)", file=sys.stderr)
    try:
        ensure_all()
    except RackrollError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
