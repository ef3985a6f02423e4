"""A mesh as facts: kind, way of moving, where its charts come from, its gateways. Frozen, standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from rollout.model.pki import MeshPki
from rollout.model.policy import ReleasePin


class ChartSourceKind(StrEnum):
    OCI = "oci"
    HTTP = "http"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class ChartSource:
    """Where charts come from: an OCI registry prefix, an HTTP repository, or a folder of chart folders.

    A ``path`` source holds one folder per chart; the version asked for is stamped at packaging time.
    """

    kind: ChartSourceKind
    location: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """One ingress gateway: a Helm release of the mesh's gateway chart, on every gateway node, behind one VIP."""

    name: str
    namespace: str
    mesh: str
    pool: str
    vip: IPv4Address | IPv6Address
    port: int


class MeshKind(StrEnum):
    ISTIO = "istio"
    LINKERD = "linkerd"
    CILIUM = "cilium"
    CONSUL = "consul"


class DataPlane(StrEnum):
    SIDECAR = "sidecar"
    AMBIENT = "ambient"


class Method(StrEnum):
    IN_PLACE = "in-place"
    REVISION = "revision"


@dataclass(frozen=True, slots=True)
class ChartValues:
    """The site's own values for one chart, as JSON text so that the model stays frozen and its digest stable.

    A Helm upgrade starts from the chart's defaults: what a cluster was installed with must be said each time.
    """

    chart: str
    text: str


@dataclass(frozen=True, slots=True)
class Mesh:
    """One mesh: control plane namespace, the workload namespaces it claims, its gateways, its pinned version.

    ``data_plane`` and ``method`` are Istio's: sidecars or ambient, upgraded in place or by revision, whose ``tag``
    namespaces follow. ``releases`` says which chart carries which version where upstream numbers them apart;
    ``extensions`` are further charts of the mesh (viz, multicluster); ``servers`` is Consul's server count;
    ``backup`` is the site's own command that must succeed before a control plane with state moves; ``values`` are
    the site's own chart values, below those that the role needs; ``pki`` is its CA, where rackroll keeps it.
    """

    name: str
    kind: MeshKind
    version: str
    namespace: str
    namespaces: tuple[str, ...]
    trust_domain: str
    charts: ChartSource
    gateways: tuple[Gateway, ...]
    data_plane: DataPlane = DataPlane.SIDECAR
    method: Method = Method.IN_PLACE
    tag: str = ""
    releases: tuple[ReleasePin, ...] = ()
    extensions: tuple[str, ...] = ()
    servers: int = 3
    backup: tuple[str, ...] = ()
    values: tuple[ChartValues, ...] = ()
    pki: MeshPki | None = None
