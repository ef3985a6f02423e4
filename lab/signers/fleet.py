"""Workloads that hold a signer's leaves: each plays its mesh's proxy, renewing in time, and shakes hands by mTLS."""

from __future__ import annotations

import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lab.signers.leaf import Certificates, Leaf, Workload, key_pem, pem
from lab.signers.signer import Source
from rollout.errors import RackrollError

_LOOK = 0.1  # seconds
_PATIENCE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Manner:
    """How proxies of a mesh renew: at ``share`` of a leaf's life left to run, or every ``every`` when that is given.

    ``pushed`` is where they hear of another bundle without asking: they renew at once for that (istio-agent with
    PROXY_CONFIG_XDS_AGENT, which gets bundle and leaf anew).
    """

    share: float = 0.5
    every: timedelta | None = None
    pushed: Callable[[], Certificates] | None = None

    def due(self, leaf: Leaf, now: datetime) -> datetime:
        if self.every is not None:
            return now + self.every
        left = leaf.certificate.not_valid_after_utc - now
        return now + left * self.share


@dataclass(frozen=True, slots=True)
class Held:
    """One leaf, ready to serve and to dial with. Swapped as one, as a proxy does."""

    leaf: Leaf
    serving: ssl.SSLContext
    dialling: ssl.SSLContext
    due: datetime


class Proxy:
    """One workload's. Until :meth:`start` it holds nothing."""

    def __init__(self, workload: Workload, source: Source, manner: Manner) -> None:
        self.workload = workload
        self._source, self._manner = source, manner
        self._turn = threading.Lock()
        self._held: Held | None = None
        self._ending = False
        self.refusals = 0

    @property
    def held(self) -> Held:
        assert self._held is not None, f"{self.workload.account} was not started"
        return self._held

    @property
    def leaf(self) -> Leaf:
        return self.held.leaf

    def start(self) -> None:
        """Also a restart: what it believes is read anew, and nobody sees it without a leaf."""
        with self._turn:
            self._take(None)

    def restart_soon(self) -> None:
        """As an eviction is accepted: the next one takes its place once it has a leaf, and tries until it has."""
        self._ending = True

    def renew(self) -> None:
        """A refusal is counted and tried again at the next look, while the old leaf stays in use."""
        with self._turn:
            try:
                self._take(self.leaf)
            except RackrollError:
                self.refusals += 1

    def renew_if_due(self) -> None:
        if self._ending:
            self._begin_anew()
        elif datetime.now(UTC) >= self.held.due or self._hears_of_another_bundle():
            self.renew()

    def _begin_anew(self) -> None:
        try:
            self.start()
        except RackrollError:
            self.refusals += 1
        else:
            self._ending = False

    def _hears_of_another_bundle(self) -> bool:
        if self._manner.pushed is None:
            return False
        try:
            return set(self._manner.pushed()) != set(self.leaf.roots)
        except RackrollError:
            return False

    def _take(self, held: Leaf | None) -> None:
        leaf = self._source.ask(self.workload, held)
        due = self._manner.due(leaf, datetime.now(UTC))
        self._held = Held(leaf, *contexts(leaf), due)


class Fleet:
    """The proxies of one mesh, renewed in the background, one after the other and never all at once."""

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self.proxies = tuple(proxies)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="renewals", daemon=True)

    def __enter__(self) -> Fleet:
        for proxy in self.proxies:
            proxy.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """A census: what is held at this moment."""
        return tuple(proxy.leaf for proxy in self.proxies)

    def restart(self) -> None:
        """Each in turn, as a rolling restart."""
        for proxy in self.proxies:
            proxy.start()

    def until(self, what: str, true: Callable[[Leaf], bool]) -> None:
        """Of every leaf that is held. Raises RackrollError with those that lag after two minutes."""
        deadline = time.monotonic() + _PATIENCE.total_seconds()
        while lagging := [proxy for proxy in self.proxies if not true(proxy.leaf)]:
            if time.monotonic() > deadline:
                names = ", ".join(f"{one.workload.account} ({one.refusals} refusals)" for one in lagging)
                raise RackrollError(
                    f"{names}: no leaf with {what} after {_PATIENCE.total_seconds():.0f} s",
                    where="lab/signers",
                    hint="read the signer's log: did it take up what was published?",
                )
            time.sleep(_LOOK)

    def _keep(self) -> None:
        order = list(self.proxies)
        while not self._end.wait(_LOOK):
            random.shuffle(order)
            for proxy in order:
                proxy.renew_if_due()


def contexts(leaf: Leaf) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """To serve with and to dial with: both sides show this leaf and believe its roots alone; no session is kept."""
    serving, dialling = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    dialling.check_hostname = False  # the identity is a SPIFFE URI or a mesh's own name: pairs.py compares it
    serving.num_tickets = 0
    for context in (serving, dialling):
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=leaf.roots_pem)
        _show(context, leaf)
    return serving, dialling


def _show(context: ssl.SSLContext, leaf: Leaf) -> None:
    """Python takes a chain from a file only: one that is in memory, without a name, and gone after this."""
    with os.fdopen(os.memfd_create("leaf"), "w") as file:
        file.write(key_pem(leaf.key) + pem(leaf.chain))
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
