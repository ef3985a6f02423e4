"""Helm releases through the ``helm`` program. One revision per real change; uninstalled only when asked to.

pyhelm3 runs the program and sorts its failures. Two of its ways are not taken: its ``Client`` refuses builds
that call themselves ``v4.2``, and its ``get_proceedable_revision`` *uninstalls* a release that an interrupted
install left pending. Here such a release is rolled back to what last stood, or onto itself.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pyhelm3 import errors
from pyhelm3.command import Command

from rollout.adapters.helm_program import helm_program
from rollout.adapters.helm_source import stamps_of
from rollout.adapters.helm_words import Revision, failure, release_state, revision
from rollout.engine.ports import ChartRequest
from rollout.errors import PlanRefused, StepFailed
from rollout.model.mesh import ChartSourceKind
from rollout.model.observed import ChartState
from rollout.model.site import Site

T = TypeVar("T")

logging.getLogger("pyhelm3").addHandler(logging.NullHandler())  # it logs each failure; ours are raised

HELM_TIMEOUT = "2m"
PATIENCE = timedelta(seconds=30)
"""A pending revision younger than this may still have a living helm behind it: one that outlived its run."""

_EXACT = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChartRef:
    """What helm is given: a package file, an ``oci://`` reference, or a name with its repository."""

    ref: str
    repo: str | None
    version: str | None


class HelmCharts:
    """Implements :class:`rollout.engine.ports.Charts`. Each call runs helm to its end; nothing is kept between."""

    def __init__(
        self,
        site: Site,
        command: Command | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._kubernetes = site.kubernetes
        self._made = command
        self._sleep = sleep

    def releases(self) -> tuple[ChartState, ...]:
        """Every release of every namespace that stands, failed or hangs."""
        listing = self._command.list(
            all_namespaces=True, include_failed=True, include_pending=True, include_uninstalling=True
        )
        found = self._run(listing, "list releases")
        states = (release_state(item) for item in found)
        return tuple(sorted(states, key=lambda state: (state.namespace, state.release)))

    def install(self, request: ChartRequest) -> ChartState:
        """Deployed at exactly the version and values asked for; nothing is done if that is so already."""
        exact_version(request)
        latest = self._settled(request)
        if latest and self._as_asked(latest, request):
            return _as_state(latest, request)
        self._upgrade(request)
        done = self._history(request)
        if not done or not done[-1].status == "deployed":
            raise StepFailed("helm reported success, but the release is not deployed", where=_place(request))
        return _as_state(done[-1], request)

    def remove(self, namespace: str, release: str) -> bool:
        """Its history goes too, so that a second call finds nothing; one that was cut short is finished."""
        return self._run(
            self._uninstalled(namespace, release), "uninstall", f"helm release {namespace}/{release}"
        )

    async def _uninstalled(self, namespace: str, release: str) -> bool:
        try:
            await self._command.uninstall(release, namespace=namespace, timeout=HELM_TIMEOUT)
        except errors.ReleaseNotFoundError:
            return False
        return True

    @property
    def _command(self) -> Command:
        """Made at first use: a site may be planned for on a machine that has no helm."""
        if self._made is None:
            self._made = Command(
                default_timeout=HELM_TIMEOUT,
                executable=str(helm_program()),
                kubeconfig=self._kubernetes.kubeconfig,
                kubecontext=self._kubernetes.context,
            )
        return self._made

    def _as_asked(self, latest: Revision, request: ChartRequest) -> bool:
        """Helm would write a new revision for the same values; a rolled pod template is all it could bring."""
        wanted = ("deployed", request.chart, request.version)
        if (latest.status, latest.chart, latest.version) != wanted:
            return False
        getting = self._command.get_values(request.release, namespace=request.namespace)
        values = self._run(getting, "read the values", _place(request))
        return bool(values == _plain(request.values))

    def _settled(self, request: ChartRequest) -> Revision | None:
        """The latest revision once no helm is at work on the release, recovered if one died at it."""
        history = self._history(request)
        while history and history[-1].pending and self._young(history[-1]):
            self._sleep(1.0)
            history = self._history(request)
        if not history or not history[-1].pending:
            return _not_leaving(history, request)
        self._recover(history, request)
        return _not_leaving(self._history(request), request)

    @staticmethod
    def _young(revision: Revision) -> bool:
        return datetime.now(UTC) - revision.updated < PATIENCE

    def _recover(self, history: list[Revision], request: ChartRequest) -> None:
        """Roll back to what last stood. A first install has no such thing: its own revision is finished instead."""
        stood = [revision for revision in history if revision.once_deployed]
        target = stood[-1] if stood else history[-1]
        try:
            rolling = self._command.rollback(request.release, target.number, namespace=request.namespace)
            self._run(rolling, "roll back", _place(request))
        except StepFailed as error:
            raise StepFailed(
                f"an interrupted helm left revision {history[-1].number} {history[-1].status}: {error.message}",
                where=_place(request),
                hint=f"`helm rollback {request.release} {target.number} -n {request.namespace}` by hand, then resume",
            ) from None

    def _upgrade(self, request: ChartRequest) -> None:
        """Without --wait: the engine waits itself, with the gates open to its eyes."""
        with tempfile.TemporaryDirectory(prefix="rackroll-chart-") as folder:
            chart = self._chart(request, Path(folder))
            upgrading = self._command.install_or_upgrade(
                request.release,
                chart.ref,
                _plain(request.values),
                create_namespace=True,
                namespace=request.namespace,
                repo=chart.repo,
                timeout=HELM_TIMEOUT,
                version=chart.version,
                wait=False,
            )
            self._run(upgrading, f"install {request.chart} {request.version}", _place(request))

    def _chart(self, request: ChartRequest, folder: Path) -> ChartRef:
        source = request.source
        match source.kind:
            case ChartSourceKind.PATH:
                return ChartRef(str(self._stamped(request, folder)), None, None)
            case ChartSourceKind.OCI:
                return ChartRef(f"{source.location.rstrip('/')}/{request.chart}", None, request.version)
            case ChartSourceKind.HTTP:
                return ChartRef(request.chart, source.location, request.version)

    def _stamped(self, request: ChartRequest, folder: Path) -> Path:
        """Source charts carry a placeholder version; a release stamps the real one, and so does this."""
        chart = Path(request.source.location) / request.chart
        stamps = stamps_of(chart, request)
        arguments = ["package", str(chart), *stamps, "--destination", str(folder)]
        self._run(self._command.run(arguments), f"package {request.chart}", _place(request))
        return folder / f"{request.chart}-{request.version}.tgz"

    def _history(self, request: ChartRequest) -> list[Revision]:
        """Oldest first; empty where there is no such release."""
        found = self._run(self._lines(request), "read the history", _place(request))
        return sorted(found, key=lambda revision: revision.number)

    async def _lines(self, request: ChartRequest) -> list[Revision]:
        try:
            found = await self._command.history(request.release, namespace=request.namespace)
            return [revision(line) for line in found]
        except errors.ReleaseNotFoundError:
            return []

    def _run(self, doing: Coroutine[Any, Any, T], what: str, where: str = "helm") -> T:
        try:
            return asyncio.run(doing)
        except errors.Error as error:
            raise failure(error, what, where) from None
        except (ValueError, KeyError) as error:
            raise StepFailed(
                f"helm could not {what}: its answer is not understood: {error}", where=where
            ) from None


def exact_version(request: ChartRequest) -> None:
    """A floating version would install something else on resume than what was planned and proven."""
    if not _EXACT.match(request.version):
        raise PlanRefused(
            f"{request.version!r} is not an exact version of chart {request.chart}",
            where=_place(request),
            hint="write major.minor.patch, such as 1.31.1",
        )


def _not_leaving(history: list[Revision], request: ChartRequest) -> Revision | None:
    if not history:
        return None
    if history[-1].status == "uninstalling":
        raise StepFailed(
            "the release is being uninstalled by someone else",
            where=_place(request),
            hint=f"wait until `helm list -n {request.namespace}` no longer shows it, then `rackroll resume`",
        )
    return history[-1]


def _as_state(revision: Revision, request: ChartRequest) -> ChartState:
    return ChartState(
        release=request.release,
        namespace=request.namespace,
        chart=revision.chart,
        version=revision.version,
        status=revision.status,
        revision=revision.number,
    )


def _plain(values: object) -> dict[str, Any]:
    """As JSON has it, which is how helm stores them: tuples are lists, keys are texts."""
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain


def _place(request: ChartRequest) -> str:
    return f"helm release {request.namespace}/{request.release}"
