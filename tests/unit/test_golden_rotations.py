"""Whole rotations as a reviewer reads them: tests/plans/rotate-*.txt."""

from __future__ import annotations

import pytest

from tests.unit.test_golden_subjects import held_to
from tests.unit.trust_scenes import SCENES


@pytest.mark.parametrize("name", ["istio", "istio-ambient", "linkerd", "consul"])
def test_a_rotation_of_every_mesh_reads_as_reviewed(name: str) -> None:
    """To accept a change on purpose: delete the file, run the test twice, review the difference."""
    held_to(f"rotate-{name}", SCENES[name].build().plan())


def test_an_issuers_rotation_reads_as_reviewed() -> None:
    held_to("rotate-linkerd-issuer", SCENES["linkerd"].build().plan(issuer_only=True))
