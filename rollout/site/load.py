"""``site.yaml`` -> :class:`rollout.model.site.Site`, or one error that lists everything that is wrong.

Reading never contacts anything and never raises anything but :class:`rollout.errors.SiteInvalid`, whatever
the file holds: this is the first thing a newcomer meets.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rollout.errors import SiteInvalid
from rollout.model.site import Site
from rollout.site import unfit
from rollout.site.convert import to_site
from rollout.site.document import Document, Unreadable, read
from rollout.site.problem import Placed, Problem, invalid, spelled
from rollout.site.rules import broken_rules
from rollout.site.schema import SiteFile

FILE = "site.yaml"
LARGEST = 8 * 1024 * 1024


def load_site(path: Path | str) -> Site:
    """``path`` is the site's folder or its ``site.yaml``. Raises :class:`SiteInvalid` with every problem."""
    file = _file(Path(path))
    document = _document(file)
    folder = file.absolute().parent
    schema, problems = _checked(document.value, folder)
    if schema is None or problems:
        raise invalid(str(file), [_placed(problem, document) for problem in problems])
    return to_site(schema, folder)


def _file(path: Path) -> Path:
    try:
        return path / FILE if path.is_dir() else path
    except (OSError, ValueError) as error:
        raise _no_file(str(path), error) from None


def _document(file: Path) -> Document:
    text = _text(file, _bytes(file))
    try:
        return read(text)
    except Unreadable as stop:
        raise invalid(str(file), [stop.problem]) from None


def _bytes(file: Path) -> bytes:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SiteInvalid(
                "is not a regular file", where=str(file), hint=f"name a folder with {FILE} in it"
            )
        if status.st_size > LARGEST:
            what = f"is {status.st_size} bytes; a site file has at most {LARGEST}"
            raise SiteInvalid(what, where=str(file), hint="is this the right file?")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise _no_file(str(file), error) from None


def _no_file(file: str, error: OSError | ValueError) -> SiteInvalid:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    hint = f"name a folder that holds {FILE}, for example: -i inventory/lab"
    return SiteInvalid(f"cannot be read: {reason}", where=ascii(file)[1:-1], hint=hint)


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"holds the byte 0x{content[error.start]:02x}, which is not UTF-8"
        raise invalid(str(file), [Placed(line, 1, "", what, "text in UTF-8")]) from None


def _checked(value: Any, folder: Path) -> tuple[SiteFile | None, list[Problem]]:
    """The schema's complaints; the rules' too wherever the file has its shape (unknown keys set aside)."""
    try:
        schema = SiteFile.model_validate(value)
    except ValidationError as error:
        problems = unfit.problems(error)
        if not unfit.only_unknown_keys(error):
            return None, problems
        rest, others = _checked(unfit.without_unknown_keys(value, error), folder)
        return rest, [*problems, *others]
    return schema, broken_rules(schema, folder)


def _placed(problem: Problem, document: Document) -> Placed:
    line, column = document.place(problem.field)
    what = problem.what
    if problem.other is not None:
        what += f" (line {document.place(problem.other)[0]})"
    return Placed(line, column, spelled(problem.field), what, problem.expected)
