"""A pod's volumes as files on its node: what a kubelet would have written before it starts the containers."""

from __future__ import annotations

import base64
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.kube.errors import ApiError
from lab.kube.objects import Obj, lookup
from lab.kube.resource import CONFIG_MAPS, SECRETS, Resource
from lab.node.machine import Machine

Files = Mapping[str, bytes]
TOKEN_SECONDS = 24 * 3600
"""Longer than any lab run: tokens are not renewed here, as a kubelet would."""


class NotThere(ApiError):
    """A Secret or ConfigMap that the pod needs does not exist (yet)."""

    code = 404
    reason = "NotFound"


class Cluster(Protocol):
    """What volumes ask of the API: a mirror of a real one, or the simulated store."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> Obj | None: ...
    def call(self, method: str, path: str, body: object = None) -> Obj:
        """Any other request. Raises :class:`ApiError`."""
        ...


@dataclass(frozen=True, slots=True)
class Volumes:
    """The volumes of one pod below ``folder`` (a path inside the node)."""

    mirror: Cluster
    machine: Machine
    pod: Obj
    folder: str

    def write(self) -> None:
        """Every volume. Raises :class:`NotThere` for a missing source, as a pod then stays ContainerCreating."""
        for volume in self.pod["spec"].get("volumes") or ():
            self._lay(volume["name"], self._files(volume))

    def refresh(self) -> None:
        """Secrets and ConfigMaps as they are now: MetalLB's webhook waits for its new certificate to show up."""
        for volume in self.pod["spec"].get("volumes") or ():
            if "secret" in volume or "configMap" in volume:
                self._lay(volume["name"], self._files(volume))

    def mounts(self, container: Obj, only: frozenset[str] | None = None) -> list[tuple[str, str]]:
        """(source, target) inside the node; ``only`` these volumes where it is given."""
        wanted = container.get("volumeMounts") or ()
        return [
            (f"{self.folder}/{mount['name']}", mount["mountPath"])
            for mount in wanted
            if only is None or mount["name"] in only
        ]

    def clear(self) -> None:
        shutil.rmtree(self.machine.path(self.folder), ignore_errors=True)

    def _files(self, volume: Obj) -> Files | None:
        """None for a volume that starts empty."""
        match volume:
            case {"secret": source}:
                return self._secret(source["secretName"], bool(source.get("optional")))
            case {"configMap": source}:
                return self._config(source["name"], bool(source.get("optional")))
            case {"projected": source}:
                return {
                    name: data for part in source["sources"] for name, data in self._projected(part).items()
                }
            case _:
                return None

    def _projected(self, part: Obj) -> Files:
        match part:
            case {"serviceAccountToken": token}:
                return {token["path"]: self._token().encode()}
            case {"configMap": source}:
                return self._config(source["name"], bool(source.get("optional")))
            case {"downwardAPI": source}:
                return {
                    item["path"]: self.field(item["fieldRef"]["fieldPath"]).encode()
                    for item in source["items"]
                }
            case _:
                raise NotThere(f"the lab's kubelet knows no projected source {sorted(part)}")

    def value(self, entry: Obj) -> str | None:
        """An environment variable's; None for one whose optional source is not there. Raises :class:`NotThere`."""
        match entry.get("valueFrom"):
            case {"fieldRef": source}:
                return self.field(source["fieldPath"])
            case {"configMapKeyRef": source}:
                return self._key(self._config(source["name"], bool(source.get("optional"))), source)
            case {"secretKeyRef": source}:
                return self._key(self._secret(source["name"], bool(source.get("optional"))), source)
            case _:
                return str(entry.get("value") or "")

    def _key(self, files: Files, source: Obj) -> str | None:
        data = files.get(source["key"])
        if data is None and not source.get("optional"):
            raise NotThere(f"{source['name']} has no key {source['key']}")
        return None if data is None else data.decode()

    def field(self, path: str) -> str:
        """A downward API field, such as ``metadata.namespace``; status comes from the live pod."""
        return str(lookup(self.pod, *path.split(".")) or "")

    def _token(self) -> str:
        meta = self.pod["metadata"]
        account = self.pod["spec"].get("serviceAccountName") or "default"
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        body = {"spec": {"expirationSeconds": TOKEN_SECONDS, "boundObjectRef": bound}}
        path = f"/api/v1/namespaces/{meta['namespace']}/serviceaccounts/{account}/token"
        return str(self.mirror.call("POST", path, body)["status"]["token"])

    def _secret(self, name: str, optional: bool) -> Files:
        found = self.mirror.get(SECRETS, self.pod["metadata"]["namespace"], name)
        data = self._present(found, f"secret {name}", optional).get("data") or {}
        return {key: base64.b64decode(value) for key, value in data.items()}

    def _config(self, name: str, optional: bool) -> Files:
        found = self.mirror.get(CONFIG_MAPS, self.pod["metadata"]["namespace"], name)
        data = self._present(found, f"configmap {name}", optional).get("data") or {}
        return {key: value.encode() for key, value in data.items()}

    def _present(self, found: Obj | None, what: str, optional: bool) -> Obj:
        if found is None and not optional:
            raise NotThere(f"{what} does not exist")
        return found or {}

    def _lay(self, name: str, files: Files | None) -> None:
        folder = self.machine.path(f"{self.folder}/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        if files is not None:
            _publish(folder, files)


def _publish(folder: Path, files: Files) -> None:
    """As a kubelet does: a new folder of its own, then ``..data`` points to it, so all files change at once."""
    now = folder / "..data"
    if now.exists() and {path.name: path.read_bytes() for path in now.iterdir()} == dict(files):
        return
    generation = tempfile.mkdtemp(prefix="..", dir=folder)
    for name, data in files.items():
        path = Path(generation, name)
        path.touch(mode=0o600)
        path.write_bytes(data)
    old = now.resolve() if now.is_symlink() else None
    _point(now, Path(generation).name)
    for name in files:
        if not (folder / name).is_symlink():
            _point(folder / name, f"..data/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in files:
            path.unlink()
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def _point(link: Path, to: str) -> None:
    draft = link.with_name(f"..draft-{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(to)
    draft.replace(link)
