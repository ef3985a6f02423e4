"""What an outsider sees of the lab while it is upgraded; the only part of the product in it is its HTTP client.

The routing tables are read from bgpd's own socket five times a second; pods, Helm's revisions and node marks from
the API with plain requests.
"""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.state import read_state
from rollout.adapters.kube.api import KubeApi
from rollout.model.site import Rack, Site

Json = dict[str, Any]
HERTZ = 5.0


def next_hops(vty: Path, vip: str) -> frozenset[str]:
    """Of the valid paths of ``vip`` in one ToR's BGP table. Raises OSError while bgpd does not answer."""
    text = _asked(vty, f"show bgp ipv4 unicast {vip}/32 json")
    paths = json.loads(text).get("paths", []) if text.strip() else []
    return frozenset(hop["ip"] for path in paths if path.get("valid") for hop in path.get("nexthops", ()))


def _asked(vty: Path, command: str) -> str:
    """FRR's own protocol: the command and a zero byte; the answer ends in three zero bytes and a status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(2)
        line.connect(str(vty))
        for words in ("enable", command):
            line.sendall(words.encode() + b"\0")
            answer = b""
            while answer[-4:-1] != b"\0\0\0":
                more = line.recv(65536)
                if not more:
                    raise OSError("bgpd closed its socket")
                answer += more
    return answer[:-4].decode()


@dataclass(slots=True)
class Routes:
    """``lowest``: the fewest nodes that any VIP was routed to. A ToR that did not answer is no low reading."""

    site: Site
    lowest: int | None = None
    samples: int = 0
    unanswered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Routes:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        racks = [(self._vty(rack), _nodes(rack)) for rack in self.site.racks]
        while not self._stop.wait(1 / HERTZ):
            try:
                for gateway in self.site.gateways:
                    self._count(sum(len(next_hops(vty, str(gateway.vip)) & nodes) for vty, nodes in racks))
            except (OSError, ValueError):
                self.unanswered += 1

    def _vty(self, rack: Rack) -> Path:
        tor = read_state(self.site.folder).host(rack.switch.name)
        return Path(f"/proc/{tor.init.pid}/root/run/frr/bgpd.vty")

    def _count(self, found: int) -> None:
        self.samples += 1
        self.lowest = found if self.lowest is None else min(self.lowest, found)


def _nodes(rack: Rack) -> frozenset[str]:
    """Only what the rack's own nodes announce: the way through the spine is no gateway of this rack."""
    return frozenset(str(node.fabric_address) for node in rack.nodes)


@dataclass(slots=True)
class Pods:
    """Every pod of the mesh that was ever seen, with the image of its proxy and whether somebody ended it."""

    api: KubeApi
    images: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Pods:
        self.look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.look()

    def _watch(self) -> None:
        while not self._stop.wait(1 / HERTZ):
            self.look()

    def look(self) -> None:
        seen = set()
        for pod in self.api.get("/api/v1/pods")["items"]:
            image = proxy_image(pod)
            if image is None:
                continue
            uid = pod["metadata"]["uid"]
            self.images[uid] = image
            self.places[uid] = (pod["spec"].get("nodeName", ""), pod["metadata"]["name"].rsplit("-", 1)[0])
            if "deletionTimestamp" not in pod["metadata"]:
                seen.add(uid)
        self.gone |= set(self.images) - seen

    def ended(self, image: str) -> int:
        """How many pods with this proxy were ended."""
        return sum(self.images[uid] == image for uid in self.gone)

    def living(self) -> Counter[str]:
        return Counter(image for uid, image in self.images.items() if uid not in self.gone)


def proxy_image(pod: Json) -> str | None:
    found = (c["image"] for c in pod["spec"]["containers"] if c["name"] == "istio-proxy")
    return next(found, None)


def revisions(api: KubeApi) -> dict[str, int]:
    """Helm's release Secrets, counted: each install or upgrade of a release leaves one."""
    labels = (s["metadata"].get("labels", {}) for s in api.get("/api/v1/secrets")["items"])
    newest: dict[str, int] = {}
    for each in labels:
        if each.get("owner") == "helm":
            newest[each["name"]] = max(newest.get(each["name"], 0), int(each["version"]))
    return newest


def marks(api: KubeApi) -> Iterator[str]:
    """Cordons, exclude labels and owner marks on nodes."""
    for node in api.get("/api/v1/nodes")["items"]:
        name, metadata = node["metadata"]["name"], node["metadata"]
        if node["spec"].get("unschedulable"):
            yield f"{name}: cordon"
        for key in (*metadata.get("labels", {}), *metadata.get("annotations", {})):
            if key == "node.kubernetes.io/exclude-from-external-load-balancers" or key.startswith(
                "rackroll.io/run"
            ):
                yield f"{name}: {key}"
