"""What moves in a site file: Kubernetes, MetalLB and the meshes, one pydantic model per section."""

from __future__ import annotations

from pydantic import Field

from rollout.model.mesh import DataPlane, Method
from rollout.site.kinds import Kind, OfDataPlane, OfMethod
from rollout.site.pki import PkiSection
from rollout.site.scalars import (
    Argument,
    DnsName,
    IpAddress,
    Label,
    LabelKey,
    NodeName,
    Port,
    Release,
    Servers,
    Text,
    Values,
)
from rollout.site.section import Section
from rollout.site.ssh import SshTarget
from rollout.site.versions import ChartVersion, KubernetesVersion, MeshVersion

Command = tuple[Argument, ...]
"""A program and its arguments, one entry each: no shell ever reads it."""


class ControlPlaneSection(Section):
    name: NodeName
    ssh: SshTarget


class KubernetesSection(Section):
    version: KubernetesVersion
    kubeconfig: Text = "~/.kube/config"
    context: Text | None = None
    rack_label: LabelKey = "rackroll.io/rack"
    gateway_label: LabelKey = "rackroll.io/gateway"
    control_plane: tuple[ControlPlaneSection, ...] = ()
    upgrade_control_plane: Command = ()
    upgrade_node: Command = ()


class ChartsSection(Section):
    """Exactly one of the three; a rule says so, with both lines."""

    oci: Text | None = None
    http: Text | None = None
    path: Text | None = None


class MetalLbSection(Section):
    version: ChartVersion
    namespace: Label = "metallb-system"
    charts: ChartsSection
    pools: tuple[Label, ...] = Field(min_length=1)


class GatewaySection(Section):
    name: Release
    namespace: Label
    pool: Label
    vip: IpAddress
    port: Port = 443


class ReleaseSection(Section):
    """Which chart carries which version; ``data_plane`` only where the proxy is numbered apart from the chart."""

    version: MeshVersion
    chart: ChartVersion
    data_plane: ChartVersion | None = None


class MeshSection(Section):
    name: Label
    kind: Kind
    version: MeshVersion
    namespace: Label
    namespaces: tuple[Label, ...] = ()
    trust_domain: DnsName = "cluster.local"
    charts: ChartsSection
    gateways: tuple[GatewaySection, ...] = ()
    data_plane: OfDataPlane = DataPlane.SIDECAR
    method: OfMethod = Method.IN_PLACE
    tag: Label | None = None
    releases: tuple[ReleaseSection, ...] = ()
    extensions: tuple[Label, ...] = ()
    servers: Servers | None = None
    backup: Command = ()
    values: Values = ()
    pki: PkiSection | None = None
