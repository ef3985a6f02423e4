"""``rackroll lab up --vm`` and ``down --vm``.

Everything of this lab lives in its namespaces or in ``.lab``, and the namespaces are registered before they are made
(:mod:`lab.registry`). So after Ctrl-C or kill -9 at any point the embedded lab's own teardown finds all of it, and a
second ``up`` begins with that.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from lab import assembly, preflight, registry, services, teardown
from lab.blueprint import Blueprint, draw, lay_out
from lab.fabric import convergence
from lab.forward import Route, write_plan
from lab.process import ProcessRef
from lab.state import LabState, write_state
from lab.topology import LabHost
from lab.vm import hypervisor, nodes, vagrant, wiring
from lab.vm import preflight as needs
from lab.vm.code import PLACE, check_python, lay_out_code
from lab.vm.given import SHARE, give
from lab.vm.machines import ROOT, Machines, read_machines
from lab.vm.ready import await_nodes
from lab.vm.seed import Seed, Shown, write_seed
from lab.vm.sitefile import refuse_foreign, write_site
from lab.vm.state import VmState, read_vm_state, vm_folder, write_vm_state
from rollout.errors import RackrollError
from rollout.site.load import load_site

Progress = Callable[[str], None]
_BOX_WITHIN = timedelta(minutes=40)
EMULATED = 5.0
"""How many times as rarely an emulated machine's agent looks at things: at 1 it took a quarter of its processor."""


def default_folder() -> Path:
    """User state, outside the repository."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "rackroll" / "vm"


def up(folder: Path, *, progress: Progress, laid: bool = False) -> VmState:
    """The machines of vagrant/topology.yaml, wired and answering, with their cluster, and their site in ``folder``.

    ``laid``: whoever calls has written that site already, starting from :func:`lab.vm.sitefile.write_site`'s.
    What runs is left alone; anything less is taken down and built again. Raises RackrollError.
    """
    folder = folder.resolve()
    needs.check_machine(folder)
    check_python()
    if not laid:
        refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with registry.only_one(folder):
        state = _usable(folder)
        if state is not None:
            progress("the lab of virtual machines is already up")
            return state
        if teardown.remove(folder):
            progress("removed what was left of an earlier lab")
        needs.check_room(folder)
        machines = read_machines()
        if not laid:
            write_site(machines, folder)
        return _Build(machines, draw(load_site(folder)), progress).build()


def down(folder: Path) -> bool:
    """Remove the machines and everything of this lab; False when there was nothing."""
    folder = folder.resolve()
    with registry.only_one(folder):
        return teardown.remove(folder)


def _usable(folder: Path) -> VmState | None:
    state = read_vm_state(folder)
    if state is None or not state.complete or not state.hypervisor.alive:
        return None
    running = hypervisor.virsh(state.hypervisor, "list", "--name").split()
    here = set(services.running(folder)) >= {services.FORWARD, services.DAEMON}
    return state if here and len(running) == len(read_machines().machines) else None


@dataclass(frozen=True, slots=True)
class _Build:
    machines: Machines
    blueprint: Blueprint
    progress: Progress

    @property
    def folder(self) -> Path:
        return vm_folder(self.blueprint.folder)

    def build(self) -> VmState:
        timings: dict[str, float] = {}
        began = time.monotonic()
        self._claim()
        lay_out(self.blueprint)
        box = build_box(self.progress)
        self._write_seeds(box)
        timings["box"] = time.monotonic() - began
        libvirtd = self._start_libvirtd()
        state = self._start_beside()
        timings["libvirtd and the hosts beside"] = time.monotonic() - began - sum(timings.values())
        how = "on the processor" if needs.native() else "EMULATED (no KVM): its timings are not hardware's"
        self.progress(f"vagrant up: {len(self.machines.machines)} machines, {how}")
        vagrant.up(libvirtd, self.folder, self.progress)
        timings["vagrant up"] = time.monotonic() - began - sum(timings.values())
        self._open(state, vagrant.ssh_config(libvirtd, self.folder))
        timings["ssh and BGP"] = time.monotonic() - began - sum(timings.values())
        self._start_cluster()
        timings["Kubernetes"] = time.monotonic() - began - sum(timings.values())
        done = VmState(complete=True, hypervisor=libvirtd, native=needs.native(), seconds=timings)
        write_vm_state(self.blueprint.folder, done)
        return done

    def _claim(self) -> None:
        names = wiring.namespaces(self.blueprint.topology)
        wanted = registry.Claim(self.blueprint.site.name, self.blueprint.folder, names)
        registry.refuse_taken(wanted)
        preflight.check_free(names, (*self.blueprint.routes, *self._to_kubelets()))
        registry.claim(wanted)

    def _to_kubelets(self) -> tuple[Route, ...]:
        return nodes.routes(self.blueprint.site, self.blueprint.topology)

    def _write_seeds(self, box: Path) -> None:
        """What each machine starts from; a node also has folders of this machine, and finds its agent's code there."""
        self.folder.mkdir(mode=0o700)
        (self.folder / "seeds").mkdir()
        topology, code = self.blueprint.topology, self.folder / "code"
        lay_out_code(code)
        give(self.blueprint.site, topology, self.blueprint.folder)
        shown = {node.name: self._shown(topology.host(node.name), code) for node in self.blueprint.site.nodes}
        for machine in self.machines.machines:
            host = topology.host(machine.name)
            seed = Seed(
                topology, host, machine, shown.get(machine.name, ()), 1.0 if needs.native() else EMULATED
            )
            write_seed(
                self.folder / "seeds" / f"{machine.name}.tar", self.blueprint.share(host) / "boot", seed
            )
        key = self.blueprint.site.nodes[0].ssh.key_file
        vagrant.write_inputs(self.folder, box=box, key=key, shown=shown)

    def _shown(self, host: LabHost, code: Path) -> tuple[Shown, ...]:
        return (Shown(code, PLACE, "ro"), Shown(self.blueprint.share(host), SHARE, "rw"))

    def _start_libvirtd(self) -> ProcessRef:
        topology = self.blueprint.topology
        self.progress("starting a libvirtd of the lab's own, in the lab's namespaces")
        wiring.make_bridges(topology, self.machines)
        libvirtd = hypervisor.start(self.folder, wiring.namespaces(topology)[0])
        write_vm_state(self.blueprint.folder, VmState(False, libvirtd, needs.native(), {}))
        hypervisor.define_networks(libvirtd, self.machines, topology.hosts, self.folder)
        wiring.wire(topology, self.machines)
        return libvirtd

    def _start_beside(self) -> LabState:
        """Time server, spine and client; the state file of the embedded lab lists just these."""
        hosts = assembly.start_hosts(self.blueprint, wiring.beside(self.blueprint.topology))
        state = LabState(self.blueprint.site.name, self.blueprint.folder, False, hosts)
        write_state(state)
        return state

    def _open(self, state: LabState, reached: Mapping[str, vagrant.Reached]) -> None:
        """Loopback to each sshd, where `vagrant ssh-config` says it is; then strict host keys do the rest."""
        routes = tuple(self._route(route, reached) for route in self.blueprint.routes)
        oob = wiring.namespaces(self.blueprint.topology)[0]
        write_plan(self.blueprint.folder, oob, (*routes, *self._to_kubelets()))
        services.start(services.FORWARD, self.blueprint.folder)
        convergence.await_ssh(routes, self.blueprint.folder)
        self.progress("waiting for BGP between ToRs and spine")
        convergence.await_uplinks(state, self.blueprint.topology)

    def _start_cluster(self) -> None:
        self.progress("starting the simulated Kubernetes API, and waiting for the machines' kubelets")
        folder = self.blueprint.folder
        services.await_daemon(services.start(services.DAEMON, folder), folder)
        await_nodes(self.blueprint.site)

    def _route(self, route: Route, reached: Mapping[str, vagrant.Reached]) -> Route:
        host = next(h for h in self.blueprint.topology.hosts if str(h.oob_address) == route.to)
        if host.role in wiring.BESIDE:
            return route
        found = reached.get(host.name)
        if found is None or found.address != route.to:
            said = found.address if found else "nothing"
            message = f"Vagrant says {said} for {host.name}, its reserved address is {route.to}"
            raise RackrollError(message, where="lab", hint="run `rackroll lab down --vm`, then up again")
        return Route(**(asdict(route) | {"to_port": found.port}))


def build_box(progress: Progress) -> Path:
    """The folder of box, kernel and initrd; built once, from Debian packages, then kept."""
    progress("the machines' box: built from Debian packages at first, about two minutes; kept after that")
    argv = [str(ROOT / "vagrant" / "box" / "build")]
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, text=True, timeout=_BOX_WITHIN.total_seconds(), check=False
        )
    except subprocess.TimeoutExpired:
        raise RackrollError(
            "the box was not built in 40 minutes", where="lab", hint=f"run {argv[0]} alone"
        ) from None
    if done.returncode != 0:
        raise RackrollError(
            "the box was not built; the reason is above", where="lab", hint=f"run {argv[0]} alone"
        )
    return Path(done.stdout.strip())
