"""The effects that reboot a node, as values. Two, because the journal keeps what a step has seen once it is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoteBoot:
    """Which boot the node's kernel is in is in the journal, and which of its gateways the API shows as Ready.

    A step of its own: a process that dies while the node reboots leaves its successor something to compare with.
    """

    node: str


@dataclass(frozen=True, slots=True)
class Reboot:
    """The node's kernel is in another boot than NoteBoot saw, and the API speaks of that one.

    Asked for only while the noted boot lasts, so a second delivery does not reboot twice.
    """

    node: str


Booting = NoteBoot | Reboot
