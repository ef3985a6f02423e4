"""Paths that resolve to what was meant, and waits that fit in their timeout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.site.places import home_unknown, unset_variables
from rollout.site.problem import FieldPath, Problem
from rollout.site.rules.walk import chart_sources, racks, ssh_targets
from rollout.site.schema import SiteFile
from rollout.site.ssh import SshDefaults, SshOverride


def can_be_resolved(file: SiteFile, _: Path) -> Iterator[Problem]:
    for field, text in _paths(file):
        for name in unset_variables(text):
            yield Problem(
                field, f"uses ${name}, which is not set", "a variable of this environment, or a path"
            )
        if home_unknown(text):
            yield Problem(field, f"is '{text[:60]}': no such user's home", "~/... or a path")


def _paths(file: SiteFile) -> Iterator[tuple[FieldPath, str]]:
    yield ("kubernetes", "kubeconfig"), file.kubernetes.kubeconfig
    for path, charts in chart_sources(file):
        if charts.path is not None:
            yield (*path, "path"), charts.path
    yield from _of(("ssh",), file.ssh)
    for path, rack in racks(file):
        yield from _of((*path, "ssh"), rack.ssh)
    for path, target, _ in ssh_targets(file):
        yield from _of(path, target)


def _of(path: FieldPath, ssh: SshDefaults | SshOverride) -> Iterator[tuple[FieldPath, str]]:
    if ssh.key_file is not None:
        yield (*path, "keyFile"), ssh.key_file
    if ssh.known_hosts is not None:
        yield (*path, "knownHosts"), ssh.known_hosts


def leave_time_for_the_waits(file: SiteFile, _: Path) -> Iterator[Problem]:
    """A step that waits longer than its timeout would be held every time."""
    pacing = file.pacing
    longest = max(pacing.drain_wait, pacing.fabric_settle)
    if pacing.step_timeout <= longest:
        have, need = pacing.step_timeout.total_seconds(), longest.total_seconds()
        what = f"is {have:g}s, but the longest wait in a step is {need:g}s"
        yield Problem(("pacing", "stepTimeout"), what, f"more than {need:g}s")
