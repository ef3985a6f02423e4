"""How Kubernetes itself is moved: by the site's own commands, completely, or not by us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rollout.site.problem import Problem
from rollout.site.schema import SiteFile

VERSION = "{version}"


def is_moved_completely_or_not_at_all(file: SiteFile, _: Path) -> Iterator[Problem]:
    """Half a way would be found out in the middle of an upgrade."""
    section = file.kubernetes
    keys = {
        "controlPlane": section.control_plane,
        "upgradeControlPlane": section.upgrade_control_plane,
        "upgradeNode": section.upgrade_node,
    }
    given = [key for key, value in keys.items() if value]
    missing = [key for key, value in keys.items() if not value]
    if given and missing:
        what = f"is set, but {' and '.join(missing)} is not: rackroll could not finish what it begins"
        yield Problem(
            ("kubernetes", given[0]), what, "all of controlPlane, upgradeControlPlane, upgradeNode, or none"
        )


def commands_name_the_version(file: SiteFile, _: Path) -> Iterator[Problem]:
    section = file.kubernetes
    for key, argv in (
        ("upgradeControlPlane", section.upgrade_control_plane),
        ("upgradeNode", section.upgrade_node),
    ):
        if argv and not any(VERSION in argument for argument in argv):
            what = f"does not mention {VERSION}: it would do the same whatever the target is"
            yield Problem(
                ("kubernetes", key), what, f"a command with {VERSION} where the target version belongs"
            )
