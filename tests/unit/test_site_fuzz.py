"""Any damage to the lab's file ends in a site or in SiteInvalid, never in another exception."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout.errors import SiteInvalid
from rollout.model.site import Site
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, written

POLICY = """
policy:
  windows: [{days: [mon], start: "22:00", duration: 4h, timezone: Europe/Berlin}]
  freezes: [{from: "2026-12-18T00:00+01:00", until: "2027-01-07T00:00+01:00", reason: trade}]
  approvals: [{for: upgrade, people: 1}]
  allowedSigners: signers
  alerts: {url: "http://prometheus:9090", query: ALERTS, ignore: ["A, node={node}"], bearerFile: token, heartbeat: W}
  conntrackLimit: 70%
  images: required
  rulesMaxAge: 90d
  waves:
    {canaryNode: false, canaryRack: true, growth: "1.5", maxShare: 34%, workersAtOnce: 2, waveSoak: 1m, waveSamples: 9}
"""
MOVED = """
  controlPlane: [{name: cp1, ssh: {address: 192.0.2.201}}]
  upgradeControlPlane: [up, "{version}"]
  upgradeNode: [up, "{version}"]
"""
MESHES = """
  - {name: canaried, kind: istio, version: 1.30.3, namespace: istio-a, namespaces: [a], method: revision, tag: prod,
     charts: {oci: "oci://charts.example/istio"}, values: {istiod: {pilot: {traceSampling: 1}}}}
  - {name: ambient, kind: istio, version: 1.30.3, namespace: istio-b, dataPlane: ambient, charts: {oci: "oci://c/i"}}
  - {name: linked, kind: linkerd, version: edge-26.6.3, namespace: linkerd, extensions: [viz], charts: {http: "http://c"}}
  - {name: net, kind: cilium, version: 1.19.5, namespace: kube-system, charts: {http: "https://c/c"},
     values: {cilium: {upgradeCompatibility: "1.17"}}}
  - {name: consul, kind: consul, version: 1.22.3, namespace: consul, servers: 5, backup: [save, /backup/snap],
     charts: {http: "https://c/h"}, releases: [{version: 1.22.3, chart: 1.9.3, dataPlane: 1.9.4}]}
"""
WHOLE = (
    LAB.replace(
        "gatewayLabel: rackroll.io/gateway\n", f"gatewayLabel: rackroll.io/gateway{MOVED}", 1
    ).replace("\nprobe:", f"{MESHES}\nprobe:", 1)
    + POLICY
)
TREE: dict[str, Any] = yaml.safe_load(WHOLE)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=12),
    st.sampled_from(
        [
            "~x",
            "$",
            "${",
            "::",
            "0.0.0.0/0",
            "::/0",
            "1.2.3.4/33",
            "fe80::1%0",
            "٣.٣.٣.٣",
            "1٣s",
            "9" * 30,
            "999999999h",
            "1.2.3.4/255.255.0.255",
            "9999-12-31T23:59+23:59",
            "24:00",
            "٢٢:٠٠",
            "9" * 9 + "d",
            "(" * 500,
            "a{4294967296}",
            "http://[::1",
            "http://a:99999",
            "Europe/../../etc",
            "1e999",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def outcome(content: bytes) -> Site | SiteInvalid:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return load_site(written(Path(folder), content))
        except SiteInvalid as invalid:
            return invalid


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(deeper for key, value in items for deeper in paths(value, (*path, key)))]


def replaced(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = tree.copy()
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


@settings(max_examples=120, deadline=None)
@given(path=st.sampled_from(paths(TREE)), value=VALUES)
def test_any_value_in_any_field(path: tuple[Any, ...], value: Any) -> None:
    outcome(yaml.safe_dump(replaced(TREE, path, value), allow_unicode=True).encode("utf-8", "replace"))


@settings(max_examples=120, deadline=None)
@given(path=st.sampled_from(paths(TREE)), other=st.sampled_from(paths(TREE)))
def test_any_part_in_the_place_of_any_other(path: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    part: Any = TREE
    for key in other:
        part = part[key]
    outcome(yaml.safe_dump(replaced(TREE, path, part)).encode())


@settings(max_examples=120, deadline=None)
@given(
    at=st.integers(0, len(WHOLE)),
    cut=st.integers(0, 40),
    put=st.binary(max_size=8)
    | st.sampled_from(
        [b"\t", b"{", b"[", b"- ", b": ", b"&a ", b"*a", b"!!x ", b"'", b'"', b"\n", b"---\n", b"<<: "]
    ),
)
@example(at=0, cut=len(WHOLE), put=b"")
def test_any_bytes_anywhere(at: int, cut: int, put: bytes) -> None:
    data = WHOLE.encode()
    outcome(data[:at] + put + data[at + cut :])


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_file(content: bytes) -> None:
    assert isinstance(outcome(content), SiteInvalid)
