"""The shape of ``site.yaml``: one pydantic model per section, keys in camelCase, unknown keys refused.

Only this package sees these classes; :mod:`rollout.site.convert` turns them into the frozen model. A field's
comment-like description is what ``json_schema()`` shows in an editor.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from rollout.model.site import SwitchPlatform
from rollout.site.policy import PolicySection
from rollout.site.scalars import (
    Asn,
    Duration,
    Flag,
    Host,
    IpAddress,
    Label,
    Multiplier,
    NodeName,
    Paths,
    Platform,
    Prefix,
    Prefixes,
    Samples,
    Sysctls,
    Text,
    Updates,
)
from rollout.site.section import Section
from rollout.site.ssh import SshDefaults, SshOverride, SshTarget
from rollout.site.subjects import KubernetesSection, MeshSection, MetalLbSection

SYSCTLS = (
    ("net.netfilter.nf_conntrack_max", "1048576"),
    ("net.netfilter.nf_conntrack_tcp_timeout_time_wait", "10"),
    ("net.ipv4.ip_local_port_range", "1024 65535"),
    ("net.ipv4.tcp_tw_reuse", "1"),
    ("net.core.somaxconn", "65535"),
    ("net.ipv4.tcp_max_syn_backlog", "65535"),
    ("net.ipv4.ip_local_reserved_ports", "30000-32767"),
)


class KernelSection(Section):
    sysctls: Sysctls = SYSCTLS


class Makestep(Section):
    threshold: Duration = timedelta(seconds=1)
    updates: Updates = 3


class ClockSection(Section):
    servers: tuple[Host, ...] = Field(min_length=1)
    makestep: Makestep = Makestep()
    max_offset: Duration = timedelta(milliseconds=50)


class BfdSection(Section):
    interval: Duration = timedelta(milliseconds=300)
    multiplier: Multiplier = 3


class BgpSection(Section):
    node_asn: Asn
    hold_time: Duration = timedelta(seconds=9)
    maximum_prefixes: Prefixes = 32
    multipath: Paths = 16
    bfd: BfdSection | None = None


class PoolSection(Section):
    name: Label
    prefixes: tuple[Prefix, ...] = Field(min_length=1)


class ProbeSection(Section):
    """``host`` is required: only the site knows a name that its gateways route."""

    name: Label = "local"
    ssh: SshTarget | None = None
    path: Text = "/"
    host: Host


class PacingSection(Section):
    drain_wait: Duration = timedelta(milliseconds=1500)
    fabric_settle: Duration = timedelta(milliseconds=500)
    soak: Duration = timedelta(seconds=30)
    soak_samples: Samples = 100
    step_timeout: Duration = timedelta(minutes=5)


class JournalSection(Section):
    """``url`` may refer to the environment as ${NAME}; a password belongs there and not into a file."""

    url: Text


class TorSection(Section):
    name: NodeName
    platform: Platform = SwitchPlatform.FRR
    asn: Asn
    ssh: SshTarget
    fabric: IpAddress
    accepts: tuple[Prefix, ...] = Field(min_length=1)


class NodeSection(Section):
    name: NodeName
    ssh: SshTarget
    fabric: IpAddress
    gateway: Flag = False


class RackSection(Section):
    name: Label
    failure_domain: Label | None = None
    ssh: SshOverride = SshOverride()
    tor: TorSection
    nodes: tuple[NodeSection, ...] = Field(min_length=1)


class SiteFile(Section):
    site: Label
    ssh: SshDefaults = SshDefaults()
    kubernetes: KubernetesSection
    kernel: KernelSection = KernelSection()
    clock: ClockSection
    bgp: BgpSection
    pools: tuple[PoolSection, ...] = Field(min_length=1)
    metallb: MetalLbSection = Field(alias="metallb")
    meshes: tuple[MeshSection, ...] = ()
    probe: ProbeSection
    pacing: PacingSection = PacingSection()
    policy: PolicySection = PolicySection()
    journal: JournalSection | None = None
    racks: tuple[RackSection, ...] = Field(min_length=1)
