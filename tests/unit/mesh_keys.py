"""A mesh's key store for tests: a real one, in a folder of the test's own, made when it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rollout.adapters.trust.home import MeshKeys
from tests.unit.pki_homes import home


def keys_of(kind: str, folder: Path, generations: int) -> MeshKeys:
    made = home(folder, kind)
    for _ in range(generations):
        made.begin(datetime.now(UTC))
    return MeshKeys(kind, made)
