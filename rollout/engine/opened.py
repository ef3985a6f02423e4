"""A site's own journal, wherever the site or the environment says that it is."""

from __future__ import annotations

from pathlib import Path

from rollout.engine.journal import Journal
from rollout.engine.journalurl import journal_url
from rollout.engine.rundir import FOLDER
from rollout.model.site import Site


def run_dir(site: Site) -> Path:
    return site.folder / FOLDER


def durable(site: Site) -> Journal:
    """DBOS is imported here, not before: ``--help`` must not pay for it. Raises SiteInvalid for a URL that is none."""
    url = journal_url(site.journal, where=f"{site.folder / 'site.yaml'} journal.url")
    from rollout.engine.durable import DurableJournal

    return DurableJournal(run_dir(site), site.name, url)
