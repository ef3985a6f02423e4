"""Putting a lab together, part by part and as parallel as two cores allow, and mending one that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from lab import preflight, registry, services
from lab.blueprint import Blueprint, folders_to_show, lay_out
from lab.fabric import convergence, wiring
from lab.host import launch, programs
from lab.process import gone, kill
from lab.state import HostState, LabState, ServiceState, lab_folder, write_state
from lab.topology import LabHost

Progress = Callable[[str], None]


def assemble(blueprint: Blueprint, progress: Progress) -> LabState:
    """A lab from nothing. Interrupted at any point, what it made so far is registered for ``down``."""
    site, topology, folder = blueprint.site, blueprint.topology, blueprint.folder
    _claim(blueprint)
    lay_out(blueprint)
    progress(f"wiring {len(topology.hosts)} hosts")
    wiring.wire(topology)
    forwarder = services.start(services.FORWARD, folder)
    progress("starting sshd, chronyd and FRR in every host")
    hosts = start_hosts(blueprint, topology.hosts)
    state = LabState(site.name, folder, False, hosts, (forwarder,), blueprint.real)
    write_state(state)
    return _finish(blueprint, _with_service(state, services.start(services.RESILIENT, folder)), progress)


def _claim(blueprint: Blueprint) -> None:
    wanted = registry.Claim(blueprint.site.name, blueprint.folder, blueprint.namespaces)
    registry.refuse_taken(wanted)
    preflight.check_free(blueprint.namespaces, blueprint.routes)
    registry.claim(wanted)


def repair(blueprint: Blueprint, state: LabState, progress: Progress) -> LabState:
    """Start again what has died; what runs is not touched."""
    now = programs.running(state.hosts)
    ill = [host for host in state.hosts if programs.missing(host, now)]
    stopped = [name for name in services.expected(real=state.real) if not _serves(state, name)]
    if not ill and not stopped:
        progress("the lab is already up")
        return state
    state = replace(state, complete=False)
    for name in stopped:
        if name == services.DAEMON:
            progress("the simulated Kubernetes API had died: it starts again without any object")
        elif name == services.REAL_DAEMON:
            progress("the cluster's programs had died: they start again on what etcd kept")
        else:
            progress(f"starting {name} again")
            state = _with_service(state, services.start(name, blueprint.folder))
    if ill:
        progress(f"starting again: {', '.join(host.name for host in ill)}")
        state = _with_hosts(state, _restart(blueprint, ill))
    return _finish(blueprint, state, progress)


def _finish(blueprint: Blueprint, state: LabState, progress: Progress) -> LabState:
    """Wait until all of it answers. The daemon comes last: it needs every host."""
    write_state(state)
    convergence.await_ssh(blueprint.routes, blueprint.folder)
    progress("waiting for BGP between ToRs and spine")
    convergence.await_uplinks(state, blueprint.topology)
    daemon = services.daemon(real=state.real)
    if daemon in services.expected(real=state.real) and not _serves(state, daemon):
        kind = (
            "a real control plane (etcd, kube-apiserver, ...)"
            if state.real
            else "the simulated Kubernetes API"
        )
        progress(f"starting {kind} and the node agents")
        state = _start_daemon(blueprint, state, daemon)
    state = replace(state, complete=True)
    write_state(state)
    return state


def _start_daemon(blueprint: Blueprint, state: LabState, module: str) -> LabState:
    for stale in ("daemon.json", "kubeconfig"):
        (lab_folder(blueprint.folder) / stale).unlink(missing_ok=True)
    daemon = services.start(module, blueprint.folder)
    services.await_daemon(daemon, blueprint.folder)
    return _with_service(state, daemon)


def start_hosts(blueprint: Blueprint, hosts: Sequence[LabHost]) -> tuple[HostState, ...]:
    """All at once; each is waited for in turn."""
    name, folder = blueprint.site.name, blueprint.folder
    show = folders_to_show(blueprint.site)
    shells = [launch.start(name, folder, host, show) for host in hosts]
    with ThreadPoolExecutor(len(hosts)) as pool:
        waits = [
            pool.submit(launch.await_started, name, folder, host, shell)
            for host, shell in zip(hosts, shells, strict=True)
        ]
        return tuple(wait.result() for wait in waits)


def _restart(blueprint: Blueprint, ill: Sequence[HostState]) -> tuple[HostState, ...]:
    """The whole host anew, in the same namespace: its root starts clean, its links and addresses stay."""
    for host in ill:
        kill(host.init)
        gone(host.init, within=timedelta(seconds=5))
    return start_hosts(blueprint, [blueprint.topology.host(host.name) for host in ill])


def _serves(state: LabState, name: str) -> bool:
    service = state.service(name)
    return service is not None and service.process.alive


def _with_service(state: LabState, service: ServiceState) -> LabState:
    others = tuple(known for known in state.services if known.name != service.name)
    return replace(state, services=(*others, service))


def _with_hosts(state: LabState, started: Sequence[HostState]) -> LabState:
    new = {host.name: host for host in started}
    return replace(state, hosts=tuple(new.get(host.name, host) for host in state.hosts))
