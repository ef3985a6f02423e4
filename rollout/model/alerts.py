"""Which alerts may fire while a node moves: matchers on a series' labels, as a site writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

NODE = "{node}"
_NEXT = re.compile(r",\s*(?=[A-Za-z_][A-Za-z0-9_]*=)")
_LABELLED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)\Z", re.DOTALL)


def matchers(entry: str) -> tuple[tuple[str, str], ...]:
    """``Watchdog`` or ``KubeletDown, node={node}``: (label, regular expression) pairs that must all match wholly.

    What has no ``label=`` in front is about ``alertname``. ``{node}`` stands for the node about to move.
    """
    parts = (_LABELLED.match(part.strip()) or part.strip() for part in _NEXT.split(entry))
    return tuple(("alertname", part) if isinstance(part, str) else (part[1], part[2]) for part in parts)


def ignored(entry: str, labels: Mapping[str, str], node: str | None) -> bool:
    """A matcher on ``{node}`` matches nothing while no node is about to move."""
    return all(_matches(pattern, labels.get(label, ""), node) for label, pattern in matchers(entry))


def _matches(pattern: str, value: str, node: str | None) -> bool:
    if NODE in pattern and node is None:
        return False
    return re.fullmatch(pattern.replace(NODE, re.escape(node or "")), value) is not None
