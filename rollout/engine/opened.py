"""A site's own journal, wherever the site or the environment says that it is."""

from __future__ import annotations

from pathlib import Path

from rollout.engine.journal import Journal
from rollout.engine.journalurl import JournalUrl, journal_url
from rollout.engine.rundir import FOLDER
from rollout.model.site import Site


def run_dir(site: Site) -> Path:
    return site.folder / FOLDER


def kept(site: Site) -> bool:
    """Whether there may be anything in its journal: opening one makes it."""
    return run_dir(site).exists() or _url(site) is not None


def durable(site: Site) -> Journal:
    """DBOS is imported here, not before: ``--help`` must not pay for it. Raises SiteInvalid for a URL that is none."""
    url = _url(site)
    from rollout.engine.durable import DurableJournal

    return DurableJournal(run_dir(site), site.name, url)


def _url(site: Site) -> JournalUrl | None:
    return journal_url(site.journal, where=f"{site.folder / 'site.yaml'} journal.url")
