"""The short form of ``make crash``: one SIGKILL for each step of an upgrade, where it hurts most."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.__main__ import kept, table
from tests.crash.campaign import Campaign
from tests.crash.mortal import Moment


@pytest.mark.lab
@pytest.mark.timeout(1200)
def test_an_upgrade_killed_between_every_effect_and_its_record_reaches_its_target_and_loses_nothing(
    tmp_path: Path,
) -> None:
    result = Campaign(tmp_path, (Moment.UNRECORDED,)).run()
    assert result.kills == result.steps + 1, table(result)
    assert kept(result), table(result)
