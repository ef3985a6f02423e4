"""Key stores for tests: real ones, in a folder of the test's own, made when they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pki.home import PkiHome
from pki.passphrase import Passphrase
from pki.profile import profile
from pki.stores.file import FileStore
from rollout.adapters.trust.home import MeshKeys

DOMAINS = {"consul": "11111111-2222-3333-4444-555555555555.consul"}


def keys_of(kind: str, folder: Path, generations: int) -> MeshKeys:
    store = FileStore(Passphrase("a test", b"correct horse battery"))
    home = PkiHome(folder, profile(kind, DOMAINS.get(kind, "cluster.local")), store, store)
    for _ in range(generations):
        home.begin(datetime.now(UTC))
    return MeshKeys(kind, home)
