"""The durable journal: DBOS on a SQLite file, or on Postgres. The only module that knows DBOS; imported late.

Guardrails (docs/decisions/journal.md): explicit application version, the site as stable executor id, our OS
lock before every launch, JSON instead of pickle, steps named by the plan, reading through ``DBOSClient``.
A run that stops is left PENDING, exactly as ``kill -9`` leaves it: there is one way back in, and it is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from dbos import DBOS, DBOSClient, DBOSConfig, Serializer, SetWorkflowID, WorkflowStatus
from sqlalchemy.exc import DBAPIError

from rollout.engine.journal import Body, Fate, RunEntry, RunRecord, StepRecord, undone
from rollout.engine.journalurl import JournalUrl
from rollout.engine.lock import Holder
from rollout.engine.outcome import StepOutcome, from_json, to_json
from rollout.engine.quiet import silence
from rollout.engine.rundir import RunDir
from rollout.engine.runstore import RunStore
from rollout.engine.shared import SharedRuns, schema_of
from rollout.errors import PlanRefused, Unreachable

APPLICATION: Final = "rackroll"
APPLICATION_VERSION: Final = "journal-1"
"""Raise it when the order or the names of journal records change: older runs are then left alone, not misread."""
FATES: Final = {"SUCCESS": Fate.DONE, "CANCELLED": Fate.ABORTED, "ERROR": Fate.ABORTED}
"""ERROR cannot come from a step (attempts end as values); DBOS would not take such a run up again."""
NO_TABLES: Final = ("no such table", "does not exist")
"""What SQLite and Postgres say before a site's first run."""
POLL: Final = 0.05
QUEUE_POLL: Final = 0.2
"""A resumed run waits in DBOS's internal queue, which is looked at once a second unless told otherwise."""
HOLD_POLL: Final = 0.5
BUSY: Final = 5.0
"""Seconds that a reader waits for a journal that another process keeps busy."""
T = TypeVar("T")


class JsonSerializer(Serializer):
    """What is in the journal can be read by anyone and runs nothing when it is."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "rackroll_json"


class _Parked(BaseException):
    """Leaves a workflow PENDING. Not an ``Exception``: DBOS would record one as the end of the run."""


@dataclass(slots=True)
class _Session:
    """One run in this process: what to do, whether it may, and how it ended."""

    body: Body
    still_owned: Callable[[], None]
    over: Event = field(default_factory=Event)
    stopped: StepOutcome | None = None
    error: BaseException | None = None

    def once(self, name: str, make: Callable[[], StepOutcome]) -> tuple[StepOutcome, bool]:
        """Outside of DBOS's step, which would record a lost lock as the step's own failure."""
        fresh = False

        def step() -> str:
            nonlocal fresh
            fresh = True
            return to_json(make())

        self.still_owned()
        text = DBOS.run_step({"name": name}, step)
        return from_json(text), fresh


_sessions: dict[str, _Session] = {}


@DBOS.workflow(name="rackroll.run", max_recovery_attempts=None)
def _workflow(run: str) -> str:
    session = _sessions.get(run)
    if session is None:
        raise _Parked
    try:
        session.stopped = session.body(session.once)
    except BaseException as error:
        session.error = error
        raise _Parked from error
    finally:
        session.over.set()
    if session.stopped is not None:
        raise _Parked
    return "done"


class DurableJournal:
    """A site's journal: in its run directory, or in Postgres by ``url``, where machines share it.

    ``site`` names the executor: one per site, stable across restarts and machines, because the lock comes first.
    """

    def __init__(self, folder: Path, site: str, url: JournalUrl | None = None) -> None:
        self.folder = RunDir(folder)
        self._site = site
        self._shared = SharedRuns(url, site, self.folder) if url else None
        self._runs: RunStore = self._shared or self.folder
        self._dsn = url.dsn if url else f"sqlite:///{self.folder.journal}"
        self._schema = schema_of(site) if url else "dbos"
        self._where = url.shown if url else str(self.folder.path)

    def owned(self, run: str) -> AbstractContextManager[None]:
        return self._runs.owned(run)

    def holder(self) -> Holder | None:
        return self._runs.holder()

    def hold(self, run: str, reason: str) -> None:
        self._runs.hold(run, reason)

    def hold_asked(self, run: str) -> str | None:
        return self._runs.hold_asked(run)

    def runs(self) -> tuple[RunEntry, ...]:
        return self._runs.runs()

    def load(self, run: str) -> RunRecord:
        return self._runs.load(run)

    def add(self, record: RunRecord) -> None:
        self._runs.add(record)

    def fate(self, run: str) -> Fate:
        return undone(run, self.runs(), self._own_fate)

    def _own_fate(self, run: str) -> Fate:
        status = self._status(run)
        return FATES.get(status.status if status else "", Fate.UNFINISHED)

    def records(self, run: str) -> tuple[StepRecord, ...]:
        steps = self._asked(lambda client: client.list_workflow_steps(run))
        return tuple(StepRecord(s["function_name"], from_json(s["output"])) for s in steps if s["output"])

    def drive(self, run: str, body: Body, stop: Event) -> StepOutcome | None:
        session = _Session(body, self._runs.still_owned)
        started = self._started(run)
        _sessions[run] = session
        self._runs.forget_hold(run)
        try:
            with self._launched(), self._watched(run, session, stop):
                if not started:
                    with SetWorkflowID(run):
                        DBOS.start_workflow(_workflow, run)
                _wait(session, stop)
                if session.error is None and session.stopped is None:
                    DBOS.retrieve_workflow(run).get_result(polling_interval_sec=POLL)
        except DBAPIError as error:
            raise self._lost(error) from None
        finally:
            del _sessions[run]
        if isinstance(session.error, DBAPIError):
            raise self._lost(session.error) from None
        if session.error is not None:
            raise session.error
        return session.stopped

    def abort(self, run: str) -> None:
        with self._client() as client:
            if client and self._status(run) is not None:
                client.cancel_workflow(run)

    @contextmanager
    def _watched(self, run: str, session: _Session, stop: Event) -> Iterator[None]:
        """A hold asked for by any process sets ``stop``, and so does a journal that is gone."""

        def watch() -> None:
            while not session.over.wait(HOLD_POLL):
                try:
                    held = self._runs.hold_asked(run) is not None
                except Unreachable:
                    held = True
                if held:
                    stop.set()
                    return

        watcher = Thread(target=watch, name="hold", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            session.over.set()
            watcher.join(timeout=HOLD_POLL)

    def _started(self, run: str) -> bool:
        """Raises PlanRefused for a run that DBOS would leave alone: waiting for it would be waiting forever."""
        status = self._status(run)
        if status is not None and status.app_version != APPLICATION_VERSION:
            raise PlanRefused(
                f"run {run} was recorded as {status.app_version}, this rackroll writes {APPLICATION_VERSION}",
                where=self._where,
                hint="resume it with the rackroll that started it, or abort it and plan again",
            )
        return status is not None

    def _status(self, run: str) -> WorkflowStatus | None:
        found = self._asked(lambda client: client.list_workflows(workflow_ids=[run]))
        return found[0] if found else None

    def _asked(self, question: Callable[[DBOSClient], list[T]]) -> list[T]:
        """The answer of a journal that another process may be making or writing at this moment.

        Tables that are not there yet mean that nothing was recorded; a database that stays busy is an error.
        """
        deadline = monotonic() + BUSY
        while True:
            try:
                with self._client() as client:
                    return question(client) if client else []
            except DBAPIError as error:
                if any(words in str(error.orig) for words in NO_TABLES):
                    return []
                if monotonic() > deadline:
                    raise self._lost(error) from None
            sleep(POLL)

    def _lost(self, error: DBAPIError) -> Unreachable:
        if self._shared and error.orig:
            return self._shared.unreachable(error.orig)
        hint = "another process may be using it: `rackroll status` again in a moment"
        return Unreachable(f"the journal cannot be used: {error.orig}", where=self._where, hint=hint)

    @contextmanager
    def _client(self) -> Iterator[DBOSClient | None]:
        """None before the first run: the client never makes the tables."""
        if not self._shared and not self.folder.journal.exists():
            yield None
            return
        silence()
        client = DBOSClient(
            system_database_url=self._dsn,
            dbos_system_schema=self._schema,
            serializer=JsonSerializer(),
            retry_connection_errors=False,
        )
        try:
            yield client
        finally:
            client.destroy()

    @contextmanager
    def _launched(self) -> Iterator[None]:
        """DBOS would wait for a lost database without end; ours is lost together with the lock, so the run stops."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        silence()
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._dsn,
            "dbos_system_schema": self._schema,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._site,
            "serializer": JsonSerializer(),
            "log_level": "CRITICAL",
            "notification_listener_polling_interval_sec": POLL,
        }
        if self._shared:
            config["use_listen_notify"] = False
        instance = DBOS(config=config)
        instance._registry.get_internal_queue()._polling_interval_sec = QUEUE_POLL
        try:
            DBOS.launch()
            instance._sys_db._retry_connection_errors = False
            yield
        finally:
            DBOS.destroy()
            silence()


def _wait(session: _Session, stop: Event) -> None:
    """The first Ctrl-C asks the run to stop at its next safe point; a second one leaves as a crash would."""
    while not session.over.is_set():
        try:
            session.over.wait()
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
