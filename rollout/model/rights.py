"""What a user may do in Kubernetes, one verb on one kind of object at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """``resource`` is a plural, with a subresource as in ``pods/eviction``; the core ``group`` is empty."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"
