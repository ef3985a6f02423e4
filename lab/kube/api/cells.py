"""What one table cell says about one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from lab.kube.api.durations import duration
from lab.kube.objects import Obj, is_terminating, is_true, lookup, parse_time, spec_of, status_of

Cell = str | int | bool | None


def plain(obj: Obj, path: tuple[str, ...], empty: Cell) -> Cell:
    found = lookup(obj, *path)
    return empty if found is None or found == "" else found


def age(obj: Obj, now: datetime) -> str:
    return duration((now - parse_time(obj["metadata"]["creationTimestamp"])).total_seconds())


def pod_ready(pod: Obj) -> str:
    states = status_of(pod).get("containerStatuses") or ()
    total = len(spec_of(pod).get("containers") or ())
    return f"{sum(1 for state in states if state.get('ready'))}/{total}"


def pod_status(pod: Obj) -> str:
    if is_terminating(pod):
        return "Terminating"
    for state in status_of(pod).get("containerStatuses") or ():
        waiting = lookup(state, "state", "waiting", "reason")
        if waiting:
            return str(waiting)
    if status_of(pod).get("phase") == "Succeeded":
        return "Completed"
    return str(status_of(pod).get("reason") or status_of(pod).get("phase") or "Unknown")


def pod_restarts(pod: Obj) -> int:
    return sum(int(s.get("restartCount", 0)) for s in status_of(pod).get("containerStatuses") or ())


def node_status(node: Obj) -> str:
    words = ["Ready" if is_true(node, "Ready") else "NotReady"]
    return ",".join([*words, "SchedulingDisabled"] if spec_of(node).get("unschedulable") else words)


def node_roles(node: Obj) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(k.removeprefix(prefix) for k in labels if k.startswith(prefix))) or "<none>"


def node_address(kind: str) -> Callable[[Obj], str]:
    def cell(node: Obj) -> str:
        rows = status_of(node).get("addresses") or ()
        return next((str(row["address"]) for row in rows if row["type"] == kind), "<none>")

    return cell


def service_external(service: Obj) -> str:
    spec = spec_of(service)
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    given = list(spec.get("externalIPs") or ())
    ingress = lookup(service, "status", "loadBalancer", "ingress") or ()
    given = [i.get("ip") or i.get("hostname") for i in ingress] + given
    if given:
        return ",".join(given)
    return "<pending>" if spec.get("type") == "LoadBalancer" else "<none>"


def service_ports(service: Obj) -> str:
    rows = []
    for port in spec_of(service).get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        rows.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(rows) or "<none>"


def service_selector(service: Obj) -> str:
    return labels(spec_of(service).get("selector"))


def labels(found: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or "<none>"


def size(field: str) -> Callable[[Obj], int]:
    return lambda obj: len(obj.get(field) or ())


def ready_of(wanted: str, ready: str) -> Callable[[Obj], str]:
    return lambda obj: f"{status_of(obj).get(ready, 0)}/{spec_of(obj).get(wanted, 0)}"


def node_selector(obj: Obj) -> str:
    return labels(lookup(obj, "spec", "template", "spec", "nodeSelector"))


def selector(obj: Obj) -> str:
    return labels(lookup(obj, "spec", "selector", "matchLabels"))


def template_containers(obj: Obj) -> str:
    return ",".join(str(c["name"]) for c in _containers(obj))


def template_images(obj: Obj) -> str:
    return ",".join(str(c.get("image", "")) for c in _containers(obj))


def _containers(obj: Obj) -> Iterable[Mapping[str, Any]]:
    return lookup(obj, "spec", "template", "spec", "containers") or ()


def or_na(field: str) -> Callable[[Obj], str]:
    def cell(obj: Obj) -> str:
        found = spec_of(obj).get(field)
        return "N/A" if found is None else str(found)

    return cell


def job_status(job: Obj) -> str:
    return next((k for k in ("Complete", "Failed", "Suspended") if is_true(job, k)), "Running")


def job_completions(job: Obj) -> str:
    return f"{status_of(job).get('succeeded', 0)}/{spec_of(job).get('completions', 1)}"


def job_duration(job: Obj, now: datetime) -> str:
    start, end = status_of(job).get("startTime"), status_of(job).get("completionTime")
    if not start:
        return ""
    return duration(((parse_time(end) if end else now) - parse_time(start)).total_seconds())


def slice_ports(piece: Obj) -> str:
    return ",".join(str(port.get("port")) for port in piece.get("ports") or ()) or "<unset>"


def slice_addresses(piece: Obj) -> str:
    found = [address for endpoint in piece.get("endpoints") or () for address in endpoint["addresses"]]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more if found else "<unset>"


def last_seen(event: Obj, now: datetime) -> str:
    when = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
    return duration((now - parse_time(when)).total_seconds())


def involved(event: Obj) -> str:
    about = event.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
