"""A right site file becomes the frozen model; what it does not say gets a sensible default."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from rollout.model.mesh import ChartSourceKind, ChartValues, MeshKind
from rollout.model.policy import ReleasePin
from rollout.site.digest import canonical_json, site_digest
from rollout.site.jsonschema import json_schema
from rollout.site.load import load_site
from tests.unit.site_lab import LAB, ROOT, edited, written

SMALLEST = """
site: tiny
kubernetes: {version: "1.35.2"}
clock: {servers: [192.0.2.123]}
bgp: {nodeAsn: 64601}
pools: [{name: web, prefixes: [203.0.113.0/28, "2001:db8:1::/64"]}]
metallb: {version: 0.16.1, charts: {http: "https://charts.example/metallb/"}, pools: [web]}
probe: {host: shop.example}
racks:
  - name: r1
    ssh: {user: rack, port: 2200}
    tor:
      {name: t1, asn: 64501, ssh: {address: t1.example, user: tor}, fabric: 192.0.2.1,
       accepts: [203.0.113.0/24, "2001:db8::/32"]}
    nodes:
      - {name: n1, ssh: {address: n1.example, port: 2201}, fabric: 192.0.2.11}
      - {name: n2, ssh: {address: n2.example, keyFile: keys/n2}, fabric: 192.0.2.12}
"""


def test_the_lab_is_two_racks_with_two_gateways_each() -> None:
    site = load_site(ROOT / "inventory/lab")
    assert [(rack.name, rack.failure_domain) for rack in site.racks] == [("r1", "feed-a"), ("r2", "feed-b")]
    assert [node.name for node in site.gateway_nodes] == ["r1n1", "r1n2", "r2n1", "r2n2"]
    assert site.pacing.drain_wait == timedelta(milliseconds=1500)
    assert site.mesh("istio").kind is MeshKind.ISTIO
    assert site.kubernetes.kubeconfig == ROOT / "inventory/lab/.lab/kubeconfig"
    assert dict(site.kernel.sysctls)["net.core.somaxconn"] == "65535"


def test_fra1_is_three_racks_twelve_nodes_two_meshes_on_three_feeds() -> None:
    site = load_site(ROOT / "inventory/fra1/site.yaml")
    assert (len(site.racks), len(site.nodes), len(site.meshes)) == (3, 12, 2)
    assert len({rack.failure_domain for rack in site.racks}) == 3
    assert {mesh.charts.kind for mesh in site.meshes} == {ChartSourceKind.OCI}
    assert site.metallb.charts.kind is ChartSourceKind.HTTP


def test_what_a_file_does_not_say_has_a_default(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, SMALLEST))
    assert (site.racks[0].failure_domain, site.rack_label) == ("r1", "rackroll.io/rack")
    assert (site.probe.name, site.probe.ssh, site.probe.path) == ("local", None, "/")
    assert (site.bgp.bfd, site.bgp.hold_time, site.meshes) == (None, timedelta(seconds=9), ())
    assert site.kubernetes.kubeconfig == Path.home() / ".kube/config"
    assert dict(site.kernel.sysctls)["net.ipv4.ip_local_reserved_ports"] == "30000-32767"
    assert site.metallb.charts.location == "https://charts.example/metallb"
    assert list(site.accepted_prefixes()) == [ip_network("203.0.113.0/28"), ip_network("2001:db8:1::/64")]


EVERY_KIND = """
  - {name: canaried, kind: istio, version: 1.30.3, namespace: istio-a, namespaces: [a], method: revision, tag: prod,
     charts: {oci: "oci://charts.example/istio"}, values: {istiod: {pilot: {traceSampling: 1}}}}
  - {name: ambient, kind: istio, version: 1.30.3, namespace: istio-b, namespaces: [b], dataPlane: ambient,
     charts: {oci: "oci://charts.example/istio"}}
  - {name: linked, kind: linkerd, version: edge-26.6.3, namespace: linkerd, namespaces: [c], extensions: [viz],
     charts: {http: "https://charts.example/edge"}}
  - {name: net, kind: cilium, version: 1.19.5, namespace: kube-system, charts: {http: "https://charts.example/c"},
     values: {cilium: {upgradeCompatibility: "1.17"}}}
  - {name: consul, kind: consul, version: 1.22.3, namespace: consul, namespaces: [d], servers: 5,
     backup: [save, /backup/consul.snap], charts: {http: "https://charts.example/h"},
     releases: [{version: 1.22.3, chart: 1.9.3, dataPlane: 1.9.4}]}
"""


def test_every_kind_of_mesh_says_how_it_moves(tmp_path: Path) -> None:
    text = SMALLEST.replace('{version: "1.35.2"}', MOVED) + "meshes:" + EVERY_KIND
    site = load_site(written(tmp_path, text))
    canaried, ambient, linked, net, consul = site.meshes
    assert (canaried.method, canaried.tag, ambient.data_plane) == ("revision", "prod", "ambient")
    assert (linked.version, linked.extensions) == ("edge-26.6.3", ("viz",))
    assert net.values == (ChartValues("cilium", '{"upgradeCompatibility": "1.17"}'),)
    assert (consul.servers, consul.backup) == (5, ("save", "/backup/consul.snap"))
    assert consul.releases == (ReleasePin("1.22.3", "1.9.3", "1.9.4"),)
    assert site_digest(site) != site_digest(replace(site, meshes=site.meshes[:4]))


MOVED = """
  version: "1.35.2"
  controlPlane: [{name: cp1, ssh: {address: cp1.example, user: admin}}, {name: cp2, ssh: {address: cp2.example}}]
  upgradeControlPlane: [kubeadm, upgrade, apply, "v{version}", --yes]
  upgradeNode: [upgrade-node, "{version}"]
"""


def test_kubernetes_is_moved_by_the_sites_own_commands(tmp_path: Path) -> None:
    found = load_site(written(tmp_path, SMALLEST.replace('{version: "1.35.2"}', MOVED))).kubernetes
    assert [(host.name, host.ssh.user) for host in found.control_plane] == [("cp1", "admin"), ("cp2", "root")]
    assert found.upgrade_control_plane == ("kubeadm", "upgrade", "apply", "v{version}", "--yes")
    assert found.upgrade_node == ("upgrade-node", "{version}")


def test_the_nearest_word_about_ssh_wins(tmp_path: Path) -> None:
    site = load_site(written(tmp_path, SMALLEST))
    said = {node.name: (node.ssh.user, node.ssh.port) for node in site.nodes}
    said |= {switch.name: (switch.ssh.user, switch.ssh.port) for switch in site.switches}
    assert said == {"n1": ("rack", 2201), "n2": ("rack", 2200), "t1": ("tor", 2200)}
    assert site.node("n2").ssh.key_file == tmp_path / "keys/n2"
    assert site.node("n1").ssh.key_file == Path.home() / ".ssh/id_ed25519"


def test_how_long_a_login_may_take_is_the_sites_word(tmp_path: Path) -> None:
    usual = load_site(written(tmp_path, SMALLEST)).node("n1").ssh.timeout
    assert usual == timedelta(seconds=5)
    slow = load_site(written(tmp_path, f"ssh: {{timeout: 60s}}\n{SMALLEST}"))
    assert {node.ssh.timeout for node in slow.nodes} == {timedelta(seconds=60)}


def test_variables_and_homes_in_paths_are_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKROLL_KEYS", "/keys")
    monkeypatch.setenv("HOME", "/home/somebody")
    text = edited((".lab/id_ed25519", "${RACKROLL_KEYS}/a"), (".lab/known_hosts", "~/hosts"))
    ssh = load_site(written(tmp_path, text)).nodes[0].ssh
    assert (str(ssh.key_file), str(ssh.known_hosts)) == ("/keys/a", "/home/somebody/hosts")


def test_the_folder_and_the_file_in_it_are_the_same_site() -> None:
    assert load_site(ROOT / "inventory/lab") == load_site(str(ROOT / "inventory/lab/site.yaml"))


def test_an_alias_stands_for_what_it_names(tmp_path: Path) -> None:
    text = LAB.replace("accepts: [203.0.113.0/24]", "accepts: &ours [203.0.113.0/24]", 1)
    text = text.replace("accepts: [203.0.113.0/24]", "accepts: *ours")
    assert load_site(written(tmp_path, text)).racks[1].switch.accepts == (ip_network("203.0.113.0/24"),)


def test_the_digest_moves_with_the_facts_only(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = load_site(written(tmp_path / "one", LAB))
    two = load_site(written(tmp_path / "two", "# a comment\n" + LAB))
    other = load_site(written(tmp_path / "two", edited(("maximumPrefixes: 32", "maximumPrefixes: 33"))))
    assert site_digest(one) == site_digest(two) != site_digest(other)
    assert str(tmp_path) not in canonical_json(one)


def test_a_thousand_nodes_load_well_under_a_second(tmp_path: Path) -> None:
    head = (ROOT / "inventory/fra1/site.yaml").read_text(encoding="utf-8").partition("\nracks:")[0]
    folder = written(tmp_path, head + "\nracks:\n" + "".join(_rack(number) for number in range(50)))
    began = time.process_time()
    site = load_site(folder)
    assert len(site.nodes) == 1000
    assert time.process_time() - began < 0.8


def _rack(number: int) -> str:
    tor = f"name: tor-{number}, asn: 64500, ssh: {{address: 10.9.{number}.1}}, fabric: 10.90.{number}.1"
    lines = [
        f"  - name: r{number}",
        f"    tor: {{{tor}, accepts: [203.0.113.0/24, 198.51.100.64/26]}}",
        "    nodes:",
    ]
    for node in range(20):
        ends = f"ssh: {{address: 10.9.{number}.{node + 10}}}, fabric: 10.90.{number}.{node + 10}"
        lines.append(f"      - {{name: r{number}n{node}, {ends}, gateway: {str(node < 2).lower()}}}")
    return "\n".join(lines) + "\n"


def test_the_json_schema_has_the_files_own_keys_and_defaults() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schema = json_schema()
    assert schema["additionalProperties"] is False
    assert {"site", "kubernetes", "racks", "metallb"} <= schema["properties"].keys()
    assert schema["$defs"]["PacingSection"]["properties"]["drainWait"]["default"] == "1500ms"
    assert "keyFile" in schema["$defs"]["SshTarget"]["properties"]
    mesh = schema["$defs"]["MeshSection"]["properties"]
    assert mesh["dataPlane"]["enum"] == ["sidecar", "ambient"]
    assert mesh["values"]["additionalProperties"] == {"type": "object"}
    assert "upgradeNode" in schema["$defs"]["KubernetesSection"]["properties"]
