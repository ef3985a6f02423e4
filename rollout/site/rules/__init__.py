"""Rules that relate several fields of a site file, one small function each: run all, then report all.

What a single value may be is in :mod:`rollout.site.scalars` and :mod:`rollout.site.versions`; these see the
whole file. A rule returns problems and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rollout.site.problem import Problem
from rollout.site.rules import (
    addresses,
    bgp,
    charts,
    gateways,
    journal,
    kernel,
    kubernetes,
    meshes,
    names,
    paths,
    pki,
    policy,
    pools,
    ways,
)
from rollout.site.schema import SiteFile

Rule = Callable[[SiteFile, Path], Iterable[Problem]]

RULES: tuple[Rule, ...] = (
    names.are_unique,
    names.mesh_is_no_other_subject,
    names.no_host_is_called_local,
    names.labels_differ,
    addresses.ssh_is_unique,
    addresses.fabric_is_unique,
    addresses.fabric_is_reachable,
    addresses.node_and_tor_share_a_family,
    addresses.pools_hold_no_host,
    pools.do_not_overlap,
    pools.are_accepted_by_every_tor,
    pools.of_metallb_exist,
    pools.of_gateways_are_served,
    pools.hold_their_vips,
    gateways.leave_one_when_one_moves,
    gateways.span_failure_domains,
    gateways.fit_the_multipath,
    gateways.fit_the_prefix_limit,
    meshes.claim_each_namespace_once,
    ways.versions_fit_their_kind,
    ways.keys_fit_their_kind,
    ways.revisions_have_a_tag,
    ways.ambient_moves_in_place,
    ways.releases_are_unambiguous,
    ways.the_own_version_has_its_chart,
    ways.values_are_for_own_charts,
    kubernetes.is_moved_completely_or_not_at_all,
    kubernetes.commands_name_the_version,
    bgp.is_external,
    bgp.asns_are_ours_to_use,
    bgp.hold_time_is_sane,
    bgp.bfd_is_sane,
    kernel.has_no_tw_recycle,
    kernel.keeps_node_ports_out_of_reach,
    charts.name_one_source,
    charts.look_like_their_kind,
    charts.folder_exists,
    journal.holds_no_password,
    paths.can_be_resolved,
    paths.leave_time_for_the_waits,
    policy.windows_open_and_close,
    policy.freezes_end_after_they_begin,
    policy.approvals_are_enough,
    policy.alerts_can_be_asked,
    policy.paths_can_be_resolved,
    pki.folders_are_unique,
    pki.lifetimes_nest,
    pki.consul_can_use_its_root,
    pki.paths_can_be_resolved,
)


def broken_rules(file: SiteFile, folder: Path) -> list[Problem]:
    return [problem for rule in RULES for problem in rule(file, folder)]
