"""How one mesh takes a new trust anchor, as its role tells it: data for the planner, no product names in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Socket:
    """Where a proxy shows its leaf. ``port`` 0: the first port of the pod's first container other than the proxy.

    ``alpn`` is what a fellow proxy offers. ``sni`` may hold ``{identity}``, the pod's own DNS identity.
    """

    port: int
    alpn: tuple[str, ...] = ()
    sni: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload of the control plane that is restarted by a change of its pod template.

    ``selector``: every workload of the kind with these labels, whatever it is called (an istiod of each revision);
    ``name`` is then what people call them.
    """

    kind: str
    namespace: str
    name: str
    selector: str = ""


@dataclass(frozen=True, slots=True)
class TrustWay:
    """What makes this mesh follow a change of its bundle or its signer.

    ``restart_for_trust``: proxies read their anchors once, so every meshed pod is restarted whenever the bundle
    changes; otherwise they are waited for. ``restart_for_leaf``: a leaf lives for hours, so a restart is what renews
    it within the run; otherwise its renewal is waited for. ``control_plane``: what reads its trust once
    at start, or so late that nobody can tell when.
    ``both_at_once``: upstream has one call that adds the root and switches the signer, with the new root cross-signed
    by the old. ``prunes``: upstream removes the old root by itself; nothing is handed over for it.
    ``agent`` names the component that holds pods' keys on a node and is restarted in their stead (ztunnel);
    ``agent_mark`` is the annotation, name and value, of a pod whose key it holds. Such a pod has no proxy of its own.
    """

    socket: Socket
    restart_for_trust: bool
    restart_for_leaf: bool
    control_plane: tuple[Workload, ...] = ()
    both_at_once: bool = False
    prunes: bool = False
    agent: str = ""
    agent_mark: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()
