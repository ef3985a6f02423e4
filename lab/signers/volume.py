"""A Secret or ConfigMap as a folder of files that follows it, swapped in one piece as kubelet does it.

The signers watch these folders, and what they watch for is the rename of ``..data``: plain writes of four files would
let them read two of one generation and two of the next. Real kubelets take up to a minute or two; this one looks four
times a second.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from lab.signers.objects import Files, read_files
from rollout.adapters.kube.api import KubeApi, Refused
from rollout.errors import Unreachable

EVERY = 0.25  # seconds
_NOT_FOUND = 404


class Volume:
    """``path`` is the object's, ``folder`` where its files are. Laid once on making, then until :meth:`stop`.

    ``every``: seconds between two looks; a test that wants a slow kubelet asks for more.
    """

    def __init__(self, api: KubeApi, path: str, folder: Path, every: float = EVERY) -> None:
        self.folder = folder
        self._api, self._path, self._every = api, path, every
        self._laid: Files = {}
        self._turn = threading.Lock()
        self._end = threading.Event()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.remount()
        self._thread = threading.Thread(target=self._follow, name=f"volume {folder.name}", daemon=True)
        self._thread.start()

    def remount(self) -> None:
        """What the object says now is in the files when this returns; a pod starts with no less."""
        with self._turn:
            files = read_files(self._api, self._path)
            if files != self._laid:
                self._swap(files)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        """A volume keeps its files while the object is gone or the API does not answer, as on a node."""
        while not self._end.wait(self._every):
            try:
                self.remount()
            except Unreachable:
                continue
            except Refused as refused:
                if refused.refusal.code != _NOT_FOUND:
                    raise

    def _swap(self, files: Files) -> None:
        fresh = Path(tempfile.mkdtemp(prefix="..", dir=self.folder))
        for name, content in files.items():
            (fresh / name).write_bytes(content)
            (fresh / name).chmod(0o600)
            self._link(name)
        data = self.folder / "..data"
        old = data.resolve() if data.is_symlink() else None
        draft = self.folder / "..data_tmp"
        draft.symlink_to(fresh.name)
        draft.replace(data)
        for name in self._laid.keys() - files.keys():
            (self.folder / name).unlink()
        if old is not None:
            shutil.rmtree(old)
        self._laid = files

    def _link(self, name: str) -> None:
        link = self.folder / name
        if not link.is_symlink():
            link.symlink_to(f"..data/{name}")
