"""What is to be built, and the files it starts from (``.lab``: keys, each host's boot files)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import keys, preflight
from lab.fabric import wiring
from lab.forward import Route, write_plan
from lab.host import boot
from lab.state import lab_folder, log_folder, share_folder
from lab.topology import API_PORT, LOOPBACK, OOB_BRIDGE, LabHost, Topology, topology_of
from rollout.errors import RackrollError
from rollout.model.site import Site, SshAccess


@dataclass(frozen=True, slots=True)
class Blueprint:
    """``folder`` is resolved: it names the lab in processes' command lines and in the registry."""

    site: Site
    topology: Topology
    folder: Path
    real: bool = False

    @property
    def namespaces(self) -> tuple[str, ...]:
        return wiring.namespaces(self.topology)

    @property
    def routes(self) -> tuple[Route, ...]:
        found = ((host, host.forward) for host in self.topology.hosts)
        return tuple(Route(str(f.address), f.port, str(host.oob_address)) for host, f in found if f)

    def share(self, host: LabHost) -> Path:
        return share_folder(self.folder, host.name)


def draw(site: Site, *, real: bool = False) -> Blueprint:
    """Raises RackrollError where the lab cannot embody the site. ``real``: with upstream's Kubernetes."""
    folder = site.folder.resolve()
    for access in _accesses(site):
        for path in (access.key_file, access.known_hosts):
            if path.resolve().parent != lab_folder(folder):
                message = f"the lab makes its own ssh keys, and {path} is not in .lab"
                hint = "set ssh.keyFile to .lab/id_ed25519 and ssh.knownHosts to .lab/known_hosts"
                raise RackrollError(message, where=str(site.folder), hint=hint)
    return Blueprint(site, topology_of(site), folder, real)


def lay_out(blueprint: Blueprint) -> None:
    """Write the ``.lab`` folder. Everything in it may be thrown away with the lab."""
    lab_folder(blueprint.folder).mkdir(mode=0o700)
    log_folder(blueprint.folder).mkdir()
    client = keys.generate()
    pairs = {host.name: keys.generate() for host in blueprint.topology.hosts}
    _write_access(blueprint, client, pairs)
    _write_passphrases(blueprint)
    for host in blueprint.topology.hosts:
        share = blueprint.share(host)
        (share / "log").mkdir(parents=True)
        (share / "log").chmod(0o777)
        boot.write(blueprint.topology, host, boot.HostKeys(pairs[host.name].private, client.public), share)
    api = (_api_route(blueprint.folder),) if blueprint.real else ()
    write_plan(blueprint.folder, blueprint.namespaces[0], (*blueprint.routes, *api))


def _api_route(folder: Path) -> Route:
    """The real API server listens out of band; the machine reaches it on a free port of its loopback."""
    with socket.create_server((LOOPBACK, 0)) as held:
        port = held.getsockname()[1]
    (lab_folder(folder) / "api-port").write_text(str(port))
    return Route(LOOPBACK, port, str(OOB_BRIDGE.ip), API_PORT)


def _write_access(blueprint: Blueprint, client: keys.KeyPair, pairs: dict[str, keys.KeyPair]) -> None:
    known = keys.known_hosts(
        (host.forward, pairs[host.name]) for host in blueprint.topology.hosts if host.forward
    )
    for path in {access.key_file for access in _accesses(blueprint.site)}:
        keys.write_private(path, client.private)
    for path in {access.known_hosts for access in _accesses(blueprint.site)}:
        path.write_text(known)


def _write_passphrases(blueprint: Blueprint) -> None:
    """Only those that lie in ``.lab``: a passphrase elsewhere is somebody's own."""
    files = {mesh.pki.passphrase_file for mesh in blueprint.site.meshes if mesh.pki}
    for path in files:
        if path is not None and path.resolve().parent == lab_folder(blueprint.folder):
            keys.write_private(path, keys.passphrase())


def _accesses(site: Site) -> Iterator[SshAccess]:
    yield from (node.ssh for node in site.nodes)
    yield from (switch.ssh for switch in site.switches)
    if site.probe.ssh:
        yield site.probe.ssh


def folders_to_show(site: Site) -> tuple[str, ...]:
    """What hosts must see (programs, Envoy, this package) and would not through their overlay of ``/``."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rackroll"
    python = (Path(sys.prefix), Path(sys.base_prefix))
    wanted = (Path("/usr"), Path("/opt"), *python, cache, Path(boot.__file__).parents[2], site.folder)
    return preflight.folders_hidden(wanted)
