"""YAML text -> plain values that remember their line, without ever trusting the text.

Built from parser events rather than with a YAML loader: no tags, no object construction, no recursion
(a million ``[`` must not end in a crash), a bound on depth and on what aliases expand to. Scalars resolve as in
JSON: ``yes`` stays text and ``1.30`` stays "1.30", because a version that became 1.3 would install the
wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from rollout.site.problem import FieldPath, Placed

try:
    from yaml.cyaml import CBaseLoader as _Loader
except ImportError:  # PyYAML without libyaml: the same events, about ten times slower
    from yaml import BaseLoader as _Loader  # type: ignore[assignment]

DEPTH = 24
VALUES = 200_000
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\Z")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")


class Unreadable(Exception):
    """The text is not the YAML that a site file may be; carries the one problem that stopped the reading."""

    def __init__(self, line: int, column: int, what: str, expected: str) -> None:
        super().__init__(what)
        self.problem = Placed(line, column, "", what, expected)


@dataclass(slots=True)
class Spot:
    """A value with where it (or its key) was written; ``size`` counts the values inside, aliases expanded."""

    line: int
    column: int
    value: Any = None
    children: dict[str | int, Spot] = field(default_factory=dict)
    size: int = 1


@dataclass(slots=True)
class _Open:
    """A mapping or list that is still being read; ``key`` is the mapping key that waits for its value."""

    spot: Spot
    anchor: str | None
    mapping: bool
    key: tuple[str, int, int] | None = None


class Document:
    """The whole file as plain Python values, and the line of any field in it."""

    def __init__(self, root: Spot) -> None:
        self._root = root

    @property
    def value(self) -> Any:
        return self._root.value

    def place(self, path: FieldPath) -> tuple[int, int]:
        """Line and column of the field, or of the nearest thing around it that was written at all."""
        spot = self._root
        for part in path:
            inner = spot.children.get(part)
            if inner is None:
                break
            spot = inner
        return spot.line, spot.column


def read(text: str) -> Document:
    """Raises :class:`Unreadable`. An empty document reads as ``None``."""
    _refuse_control_characters(text)
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax(error) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise Unreadable(1, 1, f"is not YAML ({said})", "a YAML mapping") from None
    return Document(reader.root or Spot(1, 1))


def _refuse_control_characters(text: str) -> None:
    found = _CONTROL.search(text.replace("\r\n", "\n"))
    if found:
        line = text.replace("\r\n", "\n").count("\n", 0, found.start()) + 1
        what = f"holds the control character U+{ord(found.group()):04X}"
        raise Unreadable(line, 1, what, "plain text (is this a site file?)")


def _syntax(error: yaml.MarkedYAMLError) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = " ".join(filter(None, (error.context, error.problem)))
    if "cannot start any token" in said:
        return Unreadable(
            line, column, f"is not YAML ({said})", "spaces, not tabs, and quotes around @ ` or %"
        )
    return Unreadable(
        line, column, f"is not YAML ({said})", "valid YAML; look at indentation, quotes and brackets"
    )


class _Reader:
    """Events in, one tree of spots out; refuses what a site file has no use for."""

    def __init__(self) -> None:
        self.root: Spot | None = None
        self._open: list[_Open] = []
        self._anchors: dict[str, Spot] = {}
        self._documents = 0
        self._values = 0

    def take(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        match event:
            case yaml.DocumentStartEvent():
                self._start_document(line, column)
            case yaml.ScalarEvent():
                self._refuse_tag(event, line, column)
                self._scalar(event, line, column)
            case yaml.AliasEvent():
                self._alias(str(event.anchor), line, column)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_tag(event, line, column)
                self._enter(event, line, column)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._leave()

    def _start_document(self, line: int, column: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Unreadable(line, column, "starts a second YAML document", "one document; remove the '---'")

    def _refuse_tag(self, event: Any, line: int, column: int) -> None:
        if event.tag not in (None, "!"):
            raise Unreadable(line, column, f"uses the YAML tag {event.tag}", "plain values without tags")

    def _scalar(self, event: Any, line: int, column: int) -> None:
        if self._open and self._open[-1].mapping and self._open[-1].key is None:
            self._key(event.value, line, column)
            return
        if _CONTROL.search(event.value):
            raise Unreadable(line, column, "holds an escaped control character", "plain text")
        spot = Spot(line, column, _resolved(event.value) if event.style in (None, "") else event.value)
        if event.anchor:
            self._anchors[event.anchor] = spot
        self._put(spot)

    def _key(self, key: str, line: int, column: int) -> None:
        top = self._open[-1]
        earlier = top.spot.children.get(key)
        if earlier is not None:
            what = f"repeats the key '{key}' of line {earlier.line}"
            raise Unreadable(line, column, what, "each key once (YAML would silently keep only one)")
        top.key = (key, line, column)

    def _enter(self, event: Any, line: int, column: int) -> None:
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._refuse_as_key(line, column)
        if len(self._open) >= DEPTH:
            raise Unreadable(line, column, f"nests deeper than {DEPTH} levels", "the shape of a site file")
        self._open.append(_Open(Spot(line, column, {} if mapping else []), event.anchor, mapping))

    def _leave(self) -> None:
        done = self._open.pop()
        if done.anchor:
            self._anchors[done.anchor] = done.spot
        self._put(done.spot)

    def _alias(self, name: str, line: int, column: int) -> None:
        self._refuse_as_key(line, column)
        spot = self._anchors.get(name)
        if spot is None:
            raise Unreadable(
                line, column, f"refers to *{name} inside itself or before it is set", f"&{name} above"
            )
        self._put(Spot(line, column, spot.value, spot.children, spot.size))

    def _refuse_as_key(self, line: int, column: int) -> None:
        if self._open and self._open[-1].mapping and self._open[-1].key is None:
            raise Unreadable(line, column, "has a key that is not a word", "a word and a colon (or quotes)")

    def _put(self, spot: Spot) -> None:
        if not self._open:
            self.root = spot
            return
        top = self._open[-1]
        top.spot.size += spot.size
        if top.spot.size > VALUES:
            what = f"holds more than {VALUES} values (aliases counted as often as used)"
            raise Unreadable(spot.line, spot.column, what, "a site file of a sane size")
        if top.key is not None:
            key, spot.line, spot.column = top.key
            top.spot.value[key] = spot.value
            top.spot.children[key] = spot
            top.key = None
        else:
            top.spot.children[len(top.spot.value)] = spot
            top.spot.value.append(spot.value)


def _resolved(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.match(text) else text
