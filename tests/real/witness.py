"""What really happened, from the API's own watches, without a line of the product's.

Every change is kept with its resourceVersion. One etcd numbers all changes of all kinds, so sorting by it gives the
order in which things came true, whatever the streams' delays were.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from lab.control.plane import ControlPlane

Object = dict[str, Any]
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
_AGAIN = 0.2  # seconds before a lost server is asked again
_QUIET = 30.0  # seconds of silence; bookmarks come more often than once a minute, a lost server says nothing


@dataclass(frozen=True, slots=True)
class NodeSeen:
    name: str
    ready: bool
    cordoned: bool
    excluded: bool
    owner: str | None


@dataclass(frozen=True, slots=True)
class PodSeen:
    """``evicted``: it is going because the eviction API was asked; ``images`` by container."""

    uid: str
    namespace: str
    name: str
    node: str | None
    images: tuple[tuple[str, str], ...]
    going: bool
    evicted: bool

    @property
    def proxy(self) -> str | None:
        """Its proxy's version, None without one."""
        image = dict(self.images).get("istio-proxy")
        return image.rpartition(":")[2] if image else None


@dataclass(frozen=True, slots=True)
class SliceSeen:
    """One EndpointSlice: nodes whose endpoint is Ready and not terminating."""

    name: str
    namespace: str
    service: str
    ready: frozenset[str]


Seen = NodeSeen | PodSeen | SliceSeen
Change = tuple[int, str, Seen, bool]
"""(resourceVersion, key, what it is now, whether it is there at all)."""


class Witness:
    """Three watches as the administrator while its context is open. ``changes`` grows; ``state`` is now."""

    def __init__(self, plane: ControlPlane) -> None:
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._state: dict[str, Seen] = {}
        self._over = threading.Event()
        self._streams = [
            _Stream(plane, "/api/v1/nodes", self._saw, _node, self._over),
            _Stream(plane, "/api/v1/pods", self._saw, _pod, self._over),
            _Stream(plane, "/apis/discovery.k8s.io/v1/endpointslices", self._saw, _slice, self._over),
        ]

    def __enter__(self) -> Self:
        for stream in self._streams:
            stream.start()
        for stream in self._streams:
            stream.listed.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for stream in self._streams:
            stream.close()

    def _saw(self, version: int, key: str, seen: Seen, there: bool) -> None:
        with self._lock:
            if there:
                if self._state.get(key) == seen:
                    return
                self._state[key] = seen
            elif self._state.pop(key, None) is None:
                return
            self._changes.append((version, key, seen, there))

    def mark(self) -> int:
        """A place in the history, for :meth:`since`."""
        with self._lock:
            return len(self._changes)

    def since(self, mark: int) -> tuple[dict[str, Seen], list[Change]]:
        """What was there at ``mark``, and every change after it in etcd's order."""
        with self._lock:
            before: dict[str, Seen] = {}
            for _, key, seen, there in self._changes[:mark]:
                if there:
                    before[key] = seen
                else:
                    before.pop(key, None)
            return before, sorted(self._changes[mark:], key=lambda change: change[0])

    def nodes(self) -> dict[str, NodeSeen]:
        with self._lock:
            return {s.name: s for s in self._state.values() if isinstance(s, NodeSeen)}

    def pods(self) -> list[PodSeen]:
        with self._lock:
            return [s for s in self._state.values() if isinstance(s, PodSeen)]

    def serving(self, namespace: str, service: str) -> frozenset[str]:
        with self._lock:
            return serving(self._state, namespace, service)


def serving(state: dict[str, Seen], namespace: str, service: str) -> frozenset[str]:
    """MetalLB's rule for externalTrafficPolicy Local: a Ready endpoint here, and no exclude label."""
    slices = [s for s in state.values() if isinstance(s, SliceSeen)]
    ready = [s.ready for s in slices if (s.namespace, s.service) == (namespace, service)]
    nodes = frozenset().union(*ready)
    return frozenset(name for name in nodes if not _excluded(state.get(f"node/{name}")))


def _excluded(seen: Seen | None) -> bool:
    return not isinstance(seen, NodeSeen) or seen.excluded


def _node(item: Object) -> Seen:
    meta = item["metadata"]
    conditions = item.get("status", {}).get("conditions") or ()
    return NodeSeen(
        meta["name"],
        any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        bool(item.get("spec", {}).get("unschedulable")),
        EXCLUDE in meta.get("labels", {}),
        meta.get("annotations", {}).get("rackroll.io/run"),
    )


def _pod(item: Object) -> Seen:
    meta, spec = item["metadata"], item["spec"]
    conditions = item.get("status", {}).get("conditions") or ()
    return PodSeen(
        meta["uid"],
        meta["namespace"],
        meta["name"],
        spec.get("nodeName"),
        tuple((c["name"], c["image"]) for c in spec["containers"]),
        "deletionTimestamp" in meta,
        any(c.get("reason") == "EvictionByEvictionAPI" for c in conditions),
    )


def _slice(item: Object) -> Seen:
    meta = item["metadata"]
    ready = frozenset(
        e["nodeName"]
        for e in item.get("endpoints") or ()
        if e.get("nodeName")
        and e.get("conditions", {}).get("ready")
        and not e.get("conditions", {}).get("terminating")
    )
    service = meta.get("labels", {}).get("kubernetes.io/service-name", "")
    return SliceSeen(meta["name"], meta["namespace"], service, ready)


def _key(seen: Seen) -> str:
    match seen:
        case NodeSeen(name):
            return f"node/{name}"
        case PodSeen(uid):
            return f"pod/{uid}"
        case SliceSeen(name, namespace):
            return f"slice/{namespace}/{name}"


Saw = Callable[[int, str, Seen, bool], None]


class _Stream(threading.Thread):
    """One list and one watch, again and again until it is over: a server that dies is found again."""

    def __init__(
        self,
        plane: ControlPlane,
        path: str,
        saw: Saw,
        project: Callable[[Object], Seen],
        over: threading.Event,
    ) -> None:
        super().__init__(name=f"witness {path}", daemon=True)
        self._plane, self._path = plane, path
        self._saw, self._project, self._over = saw, project, over
        self._known: dict[str, Seen] = {}
        self._connection: http.client.HTTPSConnection | None = None
        self.listed = threading.Event()

    def close(self) -> None:
        """An API server that is told to end waits for its watches."""
        sock = self._connection.sock if self._connection else None
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        version = ""
        while not self._over.is_set():
            try:
                version = version or self._list()
                for kind, item in self._watch(version):
                    if kind == "ERROR":
                        version = ""
                        break
                    version = item["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        self._tell(item, kind != "DELETED")
                    if self._over.is_set():
                        return
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(_AGAIN)

    def _list(self) -> str:
        with self._answer(self._path) as answer:
            found = json.loads(answer.read())
        there = {_key(self._project(item)) for item in found["items"]}
        version = str(found["metadata"]["resourceVersion"])
        for key in set(self._known) - there:
            self._saw(int(version), key, self._known.pop(key), False)
        for item in found["items"]:
            self._tell(item, True)
        self.listed.set()
        return version

    def _tell(self, item: Object, there: bool) -> None:
        seen = self._project(item)
        key = _key(seen)
        if there:
            self._known[key] = seen
        else:
            self._known.pop(key, None)
        self._saw(int(item["metadata"]["resourceVersion"]), key, seen, there)

    def _watch(self, version: str) -> Iterator[tuple[str, Object]]:
        query = f"watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=600"
        with self._answer(f"{self._path}?{query}") as answer:
            while not self._over.is_set():
                try:
                    line = answer.readline()
                except TimeoutError:
                    return
                if not line:
                    return
                event = json.loads(line)
                yield event["type"], event["object"]

    @contextmanager
    def _answer(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """GET as the administrator."""
        pair = self._plane.certificates.pair("admin")
        context = ssl.create_default_context(cafile=str(self._plane.certificates.authority.certificate))
        context.load_cert_chain(pair.certificate, pair.key)
        where = self._plane.spec.address, self._plane.ports.api
        self._connection = http.client.HTTPSConnection(*where, context=context, timeout=_QUIET)
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            if answer.status != 200:
                raise http.client.HTTPException(f"HTTP {answer.status}")
            yield answer
        finally:
            self._connection.close()
