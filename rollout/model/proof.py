"""What a plan says about itself so that a reader can check it: the start, every state, the way back, the rules.

Compact on purpose: 10,000 nodes pass through 10,000 states but only through a handful of distinct version
configurations, so verdicts hang on configurations and a state only points at one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProvenSubject:
    """What can move. ``kind`` and ``method`` are the rules' words."""

    name: str
    kind: str
    method: str


@dataclass(frozen=True, slots=True)
class Group:
    """Who ran this version of the component at the start: node names, or pod and host names where no node moves it."""

    subject: str
    component: str
    version: str
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartRelease:
    """A Helm release as found. ``version`` is the chart's."""

    subject: str
    namespace: str
    release: str
    version: str


@dataclass(frozen=True, slots=True)
class ServedGateway:
    """A gateway and the mesh whose proxies are behind it."""

    name: str
    subject: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Where pods of one gateway ran at this version: they are what a node's routes lead to."""

    gateway: str
    version: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Everything that a checker needs to work out every later state from the steps alone.

    ``out``: gateway nodes that did not announce; ``dark``: gateways that nobody served (a greenfield site).
    """

    subjects: tuple[ProvenSubject, ...]
    groups: tuple[Group, ...]
    releases: tuple[StartRelease, ...]
    gateways: tuple[ServedGateway, ...]
    gateway_nodes: tuple[str, ...]
    placed: tuple[Placed, ...]
    out: tuple[str, ...] = ()
    dark: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    """The distinct versions of one component in a configuration, in text order."""

    subject: str
    component: str
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``arithmetic`` shows the numbers that were compared. ``severity`` warn never forbids."""

    rule: str
    holds: bool
    arithmetic: str
    severity: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """One distinct mix of versions and what every rule says about it."""

    running: tuple[Running, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class ProvenState:
    """``configuration`` is an index into the proof's. ``during`` marks the mix while the step is at work."""

    step: str
    configuration: int
    serving: int
    during: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """A control plane's move taken back, ``before`` to ``after``, and what the jump rules say about that."""

    subject: str
    before: str
    after: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class NoReturn:
    """From ``step`` on, the way back ends: ``rule`` has no downward move for what this step moved."""

    step: str
    subject: str
    rule: str
    arithmetic: str


@dataclass(frozen=True, slots=True)
class WaveMoves:
    """What one wave takes in hand: control planes or identities by subject, and how many gateway nodes."""

    wave: str
    control: tuple[str, ...]
    gateways: int


@dataclass(frozen=True, slots=True)
class UsedRule:
    """A rule as it read when the plan was made. ``numbers`` are its own fields, for instance max_behind 1."""

    id: str
    numbers: tuple[str, ...]
    source: str
    date: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The way back from any state is the states before it, backwards: data plane first, control plane last.

    It ends at ``no_return`` if there is one. ``found`` are rules that the start itself already broke: they
    forbid nothing as long as no state adds to them. ``unchecked`` says what no rule could be asked about.
    ``rules_digest`` is of every rule file that was read, used or not.
    """

    start: Start
    configurations: tuple[Configuration, ...]
    states: tuple[ProvenState, ...]
    undo: tuple[Undo, ...]
    windows: tuple[WaveMoves, ...]
    rules: tuple[UsedRule, ...]
    rules_digest: str
    found: tuple[Verdict, ...] = ()
    unchecked: tuple[str, ...] = ()
    no_return: NoReturn | None = None

    @property
    def gateways_total(self) -> int:
        return len(self.start.gateway_nodes)
