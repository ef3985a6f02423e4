"""What the journal's library would say on the console; stderr belongs to progress."""

from __future__ import annotations

import logging


def silence() -> None:
    """Again after each launch: DBOS puts its own handler back."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.CRITICAL)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = False
