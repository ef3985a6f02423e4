"""How one subject moves from a version to another, as a role tells it: stages in upstream's order.

A recipe names what moves and in which order. Racks, waves, gates, N-1 and the node transaction are the
planner's business; nothing here knows a site's topology.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.model.rekey import Signer


class NoRecipe(ValueError):
    """A role has no way for this move. ``rule`` is the id it is refused under, ``fix`` what would help."""

    def __init__(self, rule: str, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.fix = fix


@dataclass(frozen=True, slots=True)
class ChartsStage:
    """Charts go to the target one after another; then ``components`` run the target version.

    ``releases`` are names from the role's ``charts()``. ``parts`` (role objects) are applied after them and
    ``parts_before`` ahead of them. ``awaits_control_plane`` adds the wait on the role's control plane; each of
    ``components`` other than the control plane gets an AwaitVersion.

    ``pin`` and ``stays`` say what proxies that start from now on get (see InstallChart.data_plane):
    neither: charts at ``after``, proxies too; ``pin``: charts at ``after``, proxies still at ``before`` (the way
    up); both: charts stay at ``before`` and proxies get ``after`` (the way down: the data plane goes first).
    """

    name: str
    releases: tuple[str, ...]
    components: tuple[str, ...] = ()
    parts_before: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    awaits_control_plane: bool = False
    pin: bool = False
    stays: bool = False


@dataclass(frozen=True, slots=True)
class ServersStage:
    """A StatefulSet moves by partition, highest ordinal first, one healthy server at a time."""

    name: str
    component: str
    namespace: str
    workload: str
    replicas: int


@dataclass(frozen=True, slots=True)
class CommandStage:
    """The site's own command, once per host in order, and then the component runs the target version."""

    name: str
    purpose: str
    hosts: tuple[str, ...]
    argv: tuple[str, ...]
    component: str | None = None


@dataclass(frozen=True, slots=True)
class RestartProxies:
    """The node's proxies (gateways and sidecars of this subject) are evicted and come back at the target."""

    component: str = "proxy"


@dataclass(frozen=True, slots=True)
class ReplaceNodeAgents:
    """The node's OnDelete agents are replaced, in this order. ``cuts_traffic``: a gateway node must withdraw first."""

    components: tuple[str, ...]
    cuts_traffic: bool = True


@dataclass(frozen=True, slots=True)
class CommandOnNode:
    """The site's own command on the drained node (kubelet, kernel, firmware). ``component`` None moves no version.

    ``reboot``: the node is rebooted after it; then ``argv`` may be empty, and nothing is run before.
    """

    purpose: str
    argv: tuple[str, ...]
    component: str | None = None
    reboot: bool = False


@dataclass(frozen=True, slots=True)
class RenewOnNode:
    """The node's proxies follow a change of trust or of signer (see RenewProxies); no version moves."""

    trusts: tuple[int, ...]
    signer: Signer | None


NodeAction = RestartProxies | ReplaceNodeAgents | CommandOnNode | RenewOnNode


@dataclass(frozen=True, slots=True)
class NodesStage:
    """Node by node, rack by rack, inside the node transaction. Stages of several subjects may share one visit."""

    name: str
    actions: tuple[NodeAction, ...]


@dataclass(frozen=True, slots=True)
class CleanupStage:
    """Releases that nothing uses any more are removed, as (release, namespace)."""

    name: str
    releases: tuple[tuple[str, str], ...]


RecipeStage = ChartsStage | ServersStage | CommandStage | NodesStage | CleanupStage


@dataclass(frozen=True, slots=True)
class Recipe:
    """``method`` is the rules' word (in-place, revision, any); ``notes`` become warnings of the plan."""

    subject: str
    kind: str
    method: str
    before: str
    after: str
    stages: tuple[RecipeStage, ...]
    notes: tuple[str, ...] = ()
