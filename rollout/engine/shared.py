"""Runs, holds and the site's lock in Postgres, for machines that share a journal. One schema per site.

The lock is a session's advisory lock: it ends with its connection, so a dead holder frees it by dying. Who holds it
is written beside it and believed only while that very session has the lock. A pooler that hands one session to
several clients (pgbouncer's transaction mode) breaks this: the URL must lead to Postgres itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from rollout.engine.journal import RunEntry, RunRecord
from rollout.engine.journalurl import JournalUrl
from rollout.engine.lock import PATIENCE, Holder, held_by, myself
from rollout.engine.rundir import RunDir
from rollout.errors import Unreachable
from rollout.planner.codec import dump, load

LONGEST_NAME: Final = 63
"""Bytes; Postgres cuts longer identifiers short in silence."""
TABLES: Final[tuple[LiteralString, ...]] = (
    "CREATE SCHEMA IF NOT EXISTS {site}",
    "CREATE TABLE IF NOT EXISTS {site}.rackroll_runs"
    " (id text PRIMARY KEY, started text NOT NULL, undoes text NOT NULL, plan text NOT NULL, hold text)",
    "CREATE TABLE IF NOT EXISTS {site}.rackroll_holder"
    " (session integer PRIMARY KEY, pid integer, host text, run text, since text)",
)
NOT_THERE: Final = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
"""Before a site's first run: nothing was recorded, which is an answer and no error."""


def schema_of(site: str) -> str:
    """The site's own schema, which DBOS's tables share: executors of other sites cannot pick up its runs."""
    name = f"rackroll_{site}"
    if len(name) <= LONGEST_NAME:
        return name
    return f"rackroll_{hashlib.sha256(site.encode()).hexdigest()[:40]}"


@dataclass(slots=True)
class SharedRuns:
    """``local`` is this machine's run directory: its lock is taken too, so that a process with another journal on
    the same machine is kept out as well."""

    url: JournalUrl
    site: str
    local: RunDir
    _lock: psycopg.Connection[Any] | None = field(default=None, init=False)

    @contextmanager
    def owned(self, run: str) -> Iterator[None]:
        with self.local.owned(run), self._connected() as lock:
            self._acquire(lock)
            self._sign(lock, run)
            self._lock = lock
            try:
                yield
            finally:
                self._lock = None
                with suppress(psycopg.Error):
                    lock.execute(self._sql("DELETE FROM {site}.rackroll_holder"))

    def still_owned(self) -> None:
        with self._connected() as connection:
            connection.execute("SELECT 1")

    def holder(self) -> Holder | None:
        query = (
            "SELECT h.pid, h.host, h.run, h.since FROM {site}.rackroll_holder h JOIN pg_locks l ON l.pid = h.session"
            " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = %s AND l.objid = %s"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        found = self._asked(query, self._key)
        return Holder(*found[0]) if found else None

    def runs(self) -> tuple[RunEntry, ...]:
        """Oldest first."""
        rows = self._asked("SELECT id, started, undoes FROM {site}.rackroll_runs ORDER BY started, id")
        return tuple(RunEntry(*row) for row in rows)

    def load(self, run: str) -> RunRecord:
        """Raises PlanRefused if the stored plan was edited, or written in another format."""
        row = self._asked("SELECT id, plan, started, undoes FROM {site}.rackroll_runs WHERE id = %s", (run,))[
            0
        ]
        return RunRecord(row[0], load(row[1], f"{self.url.shown} run {run}"), row[2], row[3])

    def add(self, record: RunRecord) -> None:
        row = (record.id, record.started, record.undoes, dump(record.plan))
        self._told(
            "INSERT INTO {site}.rackroll_runs (id, started, undoes, plan) VALUES (%s, %s, %s, %s)", row
        )

    def hold(self, run: str, reason: str) -> None:
        self._told("UPDATE {site}.rackroll_runs SET hold = %s WHERE id = %s", (reason, run))

    def hold_asked(self, run: str) -> str | None:
        rows = self._asked("SELECT hold FROM {site}.rackroll_runs WHERE id = %s", (run,))
        return rows[0][0] if rows else None

    def forget_hold(self, run: str) -> None:
        self._told("UPDATE {site}.rackroll_runs SET hold = NULL WHERE id = %s", (run,))

    def unreachable(self, error: Exception) -> Unreachable:
        reason = " ".join(str(error).split()) or type(error).__name__
        hint = (
            "once the database answers again: `rackroll status`, and `rackroll resume` for an unfinished run"
        )
        return Unreachable(
            f"the journal's database does not answer: {reason}", where=self.url.shown, hint=hint
        )

    @property
    def _key(self) -> tuple[int, int]:
        """Two 31-bit halves, as pg_locks shows them (its columns are unsigned, the function's arguments signed)."""
        digest = hashlib.sha256(f"rackroll site lock {schema_of(self.site)}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1, int.from_bytes(digest[4:8], "big") >> 1

    def _acquire(self, lock: psycopg.Connection[Any]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._try(lock):
            if time.monotonic() >= deadline:
                raise held_by(self.holder(), self.url.shown)
            time.sleep(0.05)

    def _try(self, lock: psycopg.Connection[Any]) -> bool:
        row = lock.execute("SELECT pg_try_advisory_lock(%s, %s)", self._key).fetchone()
        return row is not None and bool(row[0])

    def _sign(self, lock: psycopg.Connection[Any], run: str) -> None:
        """Under the lock, so nobody else makes the tables at the same time."""
        me = myself(run)
        for statement in TABLES:
            lock.execute(self._sql(statement))
        row = (lock.info.backend_pid, me.pid, me.host, me.run, me.since)
        with lock.transaction():
            lock.execute(self._sql("DELETE FROM {site}.rackroll_holder"))
            lock.execute(self._sql("INSERT INTO {site}.rackroll_holder VALUES (%s, %s, %s, %s, %s)"), row)

    def _told(self, statement: LiteralString, values: Sequence[object]) -> None:
        with self._connected() as connection:
            for table in TABLES:
                connection.execute(self._sql(table))
            connection.execute(self._sql(statement), values)

    def _asked(self, query: LiteralString, values: Sequence[object] = ()) -> list[Any]:
        with self._connected() as connection:
            try:
                return connection.execute(self._sql(query), values).fetchall()
            except NOT_THERE:
                return []

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """The holder of the lock asks through the session that holds it: what it loses, it notices."""
        try:
            if self._lock is not None:
                yield self._lock
                return
            with psycopg.connect(self.url.dsn, autocommit=True) as connection:
                yield connection
        except psycopg.Error as error:
            raise self.unreachable(error) from None

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(site=sql.Identifier(schema_of(self.site)))
