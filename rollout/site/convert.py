"""Schema -> frozen model. Runs only on a file without problems, so nothing here can refuse."""

from __future__ import annotations

from pathlib import Path

from rollout.model import site as model
from rollout.model.mesh import ChartSource, ChartSourceKind, Gateway, Mesh
from rollout.model.policy import ReleasePin
from rollout.site import schema
from rollout.site.pki import to_pki
from rollout.site.places import resolved
from rollout.site.policy import to_policy
from rollout.site.ssh import SshDefaults, SshOverride, SshTarget
from rollout.site.subjects import (
    ChartsSection,
    GatewaySection,
    KubernetesSection,
    MeshSection,
    MetalLbSection,
    ReleaseSection,
)

SERVERS = 3
"""Consul's own default for a cluster that bears the loss of one server."""


def to_site(file: schema.SiteFile, folder: Path) -> model.Site:
    return model.Site(
        name=file.site,
        folder=folder,
        racks=tuple(_rack(rack, file.ssh, folder) for rack in file.racks),
        pools=tuple(model.Pool(pool.name, pool.prefixes) for pool in file.pools),
        bgp=_bgp(file.bgp),
        kernel=model.KernelProfile(file.kernel.sysctls),
        clock=_clock(file.clock),
        kubernetes=_kubernetes(file.kubernetes, file.ssh, folder),
        metallb=_metallb(file.metallb, folder),
        meshes=tuple(_mesh(mesh, folder) for mesh in file.meshes),
        probe=_probe(file, folder),
        pacing=_pacing(file.pacing),
        rack_label=file.kubernetes.rack_label,
        gateway_label=file.kubernetes.gateway_label,
        policy=to_policy(file.policy, folder),
        journal=file.journal.url if file.journal else None,
    )


def _rack(rack: schema.RackSection, site: SshDefaults, folder: Path) -> model.Rack:
    return model.Rack(
        name=rack.name,
        failure_domain=rack.failure_domain or rack.name,
        switch=_switch(rack, site, folder),
        nodes=tuple(_node(node, rack, site, folder) for node in rack.nodes),
    )


def _switch(rack: schema.RackSection, site: SshDefaults, folder: Path) -> model.Switch:
    return model.Switch(
        name=rack.tor.name,
        rack=rack.name,
        platform=rack.tor.platform,
        ssh=_ssh(rack.tor.ssh, rack.ssh, site, folder),
        asn=rack.tor.asn,
        fabric_address=rack.tor.fabric,
        accepts=rack.tor.accepts,
    )


def _node(node: schema.NodeSection, rack: schema.RackSection, site: SshDefaults, folder: Path) -> model.Node:
    ssh = _ssh(node.ssh, rack.ssh, site, folder)
    return model.Node(node.name, rack.name, ssh, node.fabric, node.gateway)


def _ssh(own: SshTarget, rack: SshOverride, site: SshDefaults, folder: Path) -> model.SshAccess:
    """The nearest word wins: the host's own, then its rack's, then the site's."""
    return model.SshAccess(
        address=own.address,
        port=own.port or rack.port or site.port,
        user=own.user or rack.user or site.user,
        key_file=resolved(own.key_file or rack.key_file or site.key_file, folder),
        known_hosts=resolved(own.known_hosts or rack.known_hosts or site.known_hosts, folder),
        timeout=own.timeout or rack.timeout or site.timeout,
    )


def _bgp(bgp: schema.BgpSection) -> model.Bgp:
    bfd = model.BfdTimers(bgp.bfd.interval, bgp.bfd.multiplier) if bgp.bfd else None
    return model.Bgp(bgp.node_asn, bgp.hold_time, bfd, bgp.maximum_prefixes, bgp.multipath)


def _clock(clock: schema.ClockSection) -> model.ClockProfile:
    return model.ClockProfile(
        clock.servers, clock.makestep.threshold, clock.makestep.updates, clock.max_offset
    )


def _kubernetes(section: KubernetesSection, ssh: SshDefaults, folder: Path) -> model.Kubernetes:
    return model.Kubernetes(
        kubeconfig=resolved(section.kubeconfig, folder),
        context=section.context,
        version=section.version,
        control_plane=tuple(
            model.ControlPlaneHost(host.name, _ssh(host.ssh, SshOverride(), ssh, folder))
            for host in section.control_plane
        ),
        upgrade_control_plane=section.upgrade_control_plane,
        upgrade_node=section.upgrade_node,
    )


def _charts(charts: ChartsSection, folder: Path) -> ChartSource:
    if charts.path is not None:
        return ChartSource(ChartSourceKind.PATH, str(resolved(charts.path, folder)))
    if charts.oci is not None:
        return ChartSource(ChartSourceKind.OCI, charts.oci.rstrip("/"))
    return ChartSource(ChartSourceKind.HTTP, (charts.http or "").rstrip("/"))


def _metallb(section: MetalLbSection, folder: Path) -> model.MetalLb:
    charts = _charts(section.charts, folder)
    return model.MetalLb(section.version, section.namespace, charts, section.pools)


def _mesh(mesh: MeshSection, folder: Path) -> Mesh:
    return Mesh(
        name=mesh.name,
        kind=mesh.kind,
        version=mesh.version,
        namespace=mesh.namespace,
        namespaces=mesh.namespaces,
        trust_domain=mesh.trust_domain,
        charts=_charts(mesh.charts, folder),
        gateways=tuple(_gateway(gateway, mesh.name) for gateway in mesh.gateways),
        data_plane=mesh.data_plane,
        method=mesh.method,
        tag=mesh.tag or "",
        releases=tuple(_release(release) for release in mesh.releases),
        extensions=mesh.extensions,
        servers=mesh.servers or SERVERS,
        backup=mesh.backup,
        values=mesh.values,
        pki=to_pki(mesh.pki, folder),
    )


def _release(release: ReleaseSection) -> ReleasePin:
    return ReleasePin(release.version, release.chart, release.data_plane or "")


def _gateway(gateway: GatewaySection, mesh: str) -> Gateway:
    return Gateway(gateway.name, gateway.namespace, mesh, gateway.pool, gateway.vip, gateway.port)


def _probe(file: schema.SiteFile, folder: Path) -> model.ProbePoint:
    own = file.probe.ssh
    ssh = _ssh(own, SshOverride(), file.ssh, folder) if own else None
    return model.ProbePoint(file.probe.name, ssh, file.probe.path, file.probe.host)


def _pacing(pacing: schema.PacingSection) -> model.Pacing:
    return model.Pacing(
        pacing.drain_wait, pacing.fabric_settle, pacing.soak, pacing.soak_samples, pacing.step_timeout
    )
