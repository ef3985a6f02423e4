"""The ``policy`` section of a site file, and how it becomes the frozen model."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from rollout.model import policy as model
from rollout.site.places import resolved
from rollout.site.scalars import Count, Duration, Flag, People, Samples, Text
from rollout.site.section import Section
from rollout.site.times import Days, For, Growth, Hour, Images, Moment, Share, Weekday, Zone


class WavesSection(Section):
    """How many racks move together, and what must pass before the next do."""

    canary_node: Flag = True
    canary_rack: Flag = True
    growth: Growth = 2.0
    max_share: Share = 0.34
    workers_at_once: Count = 1
    wave_soak: Duration = timedelta(0)
    wave_samples: Samples = 0


class WindowSection(Section):
    """Every week on these days, from ``start`` on for ``duration``, by the clocks of ``timezone``."""

    days: tuple[Weekday, ...] = Field(min_length=1)
    start: Hour
    duration: Duration
    timezone: Zone


class FreezeSection(Section):
    start: Moment = Field(alias="from")
    until: Moment
    reason: Text


class ApprovalSection(Section):
    purpose: For = Field(alias="for")
    people: People


class AlertsSection(Section):
    url: Text
    query: Text = model.AlertSource("").query
    ignore: tuple[Text, ...] = ()
    bearer_file: Text | None = None
    heartbeat: Text | None = None


class PolicySection(Section):
    """How the site wants to be moved. Without it: one node, one rack, then at most a third of the racks at once."""

    waves: WavesSection = WavesSection()
    windows: tuple[WindowSection, ...] = ()
    freezes: tuple[FreezeSection, ...] = ()
    approvals: tuple[ApprovalSection, ...] = ()
    allowed_signers: Text = "allowed_signers"
    alerts: AlertsSection | None = None
    conntrack_limit: Share = 0.70
    images: Images = False
    rules_max_age: Days = timedelta(days=90)


def to_policy(section: PolicySection, folder: Path) -> model.Policy:
    return model.Policy(
        waves=_waves(section.waves),
        windows=tuple(
            model.Window(window.days, window.start, window.duration, window.timezone)
            for window in section.windows
        ),
        freezes=tuple(model.Freeze(each.start, each.until, each.reason) for each in section.freezes),
        approvals=tuple(model.Approval(each.purpose, each.people) for each in section.approvals),
        allowed_signers=str(resolved(section.allowed_signers, folder)),
        alerts=_alerts(section.alerts, folder),
        conntrack_limit=section.conntrack_limit,
        images_required=section.images,
        rules_max_age=section.rules_max_age,
    )


def _waves(waves: WavesSection) -> model.Waves:
    return model.Waves(
        canary_node=waves.canary_node,
        canary_rack=waves.canary_rack,
        growth=waves.growth,
        max_share=waves.max_share,
        workers_at_once=waves.workers_at_once,
        wave_soak=waves.wave_soak,
        wave_samples=waves.wave_samples,
    )


def _alerts(alerts: AlertsSection | None, folder: Path) -> model.AlertSource | None:
    if alerts is None:
        return None
    bearer = str(resolved(alerts.bearer_file, folder)) if alerts.bearer_file else None
    return model.AlertSource(alerts.url.rstrip("/"), alerts.query, alerts.ignore, bearer, alerts.heartbeat)
