"""Every effect the engine can have, as a closed union of values.

A step says what shall be true, not how to make it so: delivery is at-least-once, so each one is
idempotent and its handler observes before it acts. ``title`` is for people, ``key`` for the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rollout.model.reboot import Booting
from rollout.model.rekey import Rekey


@dataclass(frozen=True, slots=True)
class ConfigureHosts:
    """Kernel and clock of these nodes are as the site says (one pyinfra job)."""

    rack: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigureSwitch:
    """The ToR's lines that rackroll owns are as the site says; a second diff is empty."""

    switch: str


@dataclass(frozen=True, slots=True)
class InstallChart:
    """The Helm release is deployed at exactly this chart version with the role's values.

    ``subject`` names who renders the values: a mesh name, or ``metallb``. ``version`` is the chart's own number
    (``role.chart_version``); values are rendered for what it carries (``role.carried``). ``data_plane`` is the
    subject's.
    """

    subject: str
    release: str
    namespace: str
    chart: str
    version: str
    data_plane: str | None = None
    """Version that proxies injected from now on get; None means the control plane's own. Upstream's lever is a
    pin in the chart's values; it keeps a pod that restarts early from running ahead, and lets a rollback move
    the data plane before the control plane."""


@dataclass(frozen=True, slots=True)
class RemoveChart:
    """The Helm release is gone: a preflight that has done its work, a revision that nothing uses any more."""

    subject: str
    release: str
    namespace: str


@dataclass(frozen=True, slots=True)
class ApplyObjects:
    """The role's Kubernetes objects for this subject and part are applied (server-side, our field manager)."""

    subject: str
    part: str


@dataclass(frozen=True, slots=True)
class AwaitControlPlane:
    """The mesh's control plane answers at this version and every replica is Ready."""

    mesh: str
    version: str


@dataclass(frozen=True, slots=True)
class AwaitGateways:
    """Every gateway node of this gateway has a Ready pod and the VIP is in every ToR that has gateway nodes."""

    gateway: str


@dataclass(frozen=True, slots=True)
class AwaitPeering:
    """Each gateway node of this rack has an Established session on its ToR (BFD up where configured)."""

    switch: str


@dataclass(frozen=True, slots=True)
class AwaitVersion:
    """Every instance of the component (on ``node``, if given) is Ready at exactly this version.

    Covers what has no chart of its own to wait for: extensions, agents, kubelets, API servers, waypoints.
    """

    subject: str
    component: str
    version: str
    node: str | None = None


@dataclass(frozen=True, slots=True)
class ReplaceAgents:
    """The node's OnDelete pods of these components run ``version``: deleted and waited for one component at a time."""

    node: str
    subject: str
    components: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class MoveServer:
    """The StatefulSet's pod with this ordinal runs ``version``: its partition is lowered to the ordinal, no further."""

    subject: str
    component: str
    namespace: str
    workload: str
    ordinal: int
    version: str


@dataclass(frozen=True, slots=True)
class RunCommand:
    """The site's own command ran on ``host`` and exited 0. ``argv`` is never given to a shell.

    ``host`` is a node of the site, a control-plane host of its Kubernetes, or ``local`` for the machine that
    rackroll runs on. ``purpose`` is for people and for the journal. At-least-once: the site's command must bear
    being run again after a crash.
    """

    host: str
    purpose: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """What the fleet looks like is recorded under this name in the run directory; a report compares two of them."""

    name: str


@dataclass(frozen=True, slots=True)
class DrainGateways:
    """Gateways on the node fail their health check and close kept-alive connections; ``wait`` passes.

    All of them, whatever their mesh: withdrawing the node takes every VIP off it.
    """

    node: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class RestoreGateways:
    """Gateways on the node that were drained and not replaced pass their health check again."""

    node: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The node announces no VIP (for MetalLB >= 0.15: the exclude label, with our run id beside it)."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitWithdrawn:
    """The node is no next-hop of any VIP in its ToR's RIB; then the fabric gets ``settle`` to follow."""

    node: str
    settle: timedelta


@dataclass(frozen=True, slots=True)
class Cordon:
    node: str


@dataclass(frozen=True, slots=True)
class Evict:
    """The mesh's share of this node (gateways and sidecar pods not at ``version``) is evicted, PDB-aware."""

    node: str
    mesh: str
    version: str


@dataclass(frozen=True, slots=True)
class EvictAll:
    """Everything that can be evicted has left the node, PDB-aware; DaemonSet and mirror pods stay, as in a drain."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitNodeReady:
    """The node is Ready, and every gateway pod that belongs on it is Ready.

    With ``mesh`` and ``version``, that mesh's gateways must be at this version; with None any version will do.
    """

    node: str
    mesh: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Uncordon:
    node: str


@dataclass(frozen=True, slots=True)
class Advertise:
    """The node may announce again: our exclude label is gone (only ours is ever removed)."""

    node: str


@dataclass(frozen=True, slots=True)
class AwaitAdvertised:
    """The node is a next-hop of each of its VIPs in its ToR's RIB again."""

    node: str


@dataclass(frozen=True, slots=True)
class ProbeVips:
    """Every VIP answers ``samples`` fresh connections from outside."""

    samples: int


@dataclass(frozen=True, slots=True)
class Soak:
    """Nothing moves for ``duration`` and until ``samples`` outside probes have passed."""

    duration: timedelta
    samples: int


@dataclass(frozen=True, slots=True)
class NaiveReplace:
    """NEGATIVE CONTROL ONLY: delete every one of these nodes' mesh pods at once, without drain or withdraw."""

    nodes: tuple[str, ...]
    mesh: str


Effect = (
    ConfigureHosts
    | ConfigureSwitch
    | InstallChart
    | RemoveChart
    | ApplyObjects
    | AwaitControlPlane
    | AwaitVersion
    | ReplaceAgents
    | MoveServer
    | RunCommand
    | TakeSnapshot
    | AwaitGateways
    | AwaitPeering
    | DrainGateways
    | RestoreGateways
    | Withdraw
    | AwaitWithdrawn
    | Cordon
    | Evict
    | EvictAll
    | AwaitNodeReady
    | Uncordon
    | Advertise
    | AwaitAdvertised
    | ProbeVips
    | Soak
    | NaiveReplace
    | Booting
    | Rekey
)


@dataclass(frozen=True, slots=True)
class Step:
    """One effect with its place in the plan and the checks that must be Open before it may start."""

    key: str
    effect: Effect
    gates: tuple[str, ...] = ()
    node: str | None = None
