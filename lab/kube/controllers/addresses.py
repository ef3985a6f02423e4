"""MetalLB's controller: gives LoadBalancer Services an address from an IPAddressPool, while it runs.

It runs while the Deployment of the chart's controller has a ready pod; until then Services wait ``<pending>``,
and addresses that were given stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from lab.kube.collection import Event
from lab.kube.controllers.loop import Key, ToKeys, own_key
from lab.kube.errors import NotFound
from lab.kube.objects import (
    Obj,
    annotations_of,
    is_terminating,
    labels_of,
    lookup,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from lab.kube.resource import DEPLOYMENTS, SERVICES, Resource
from lab.kube.store import Store

NAMESPACE = "metallb-system"
POOLS = Resource("metallb.io", "v1beta1", "ipaddresspools", "IPAddressPool", True, (), ("status",))
_POOL = ("metallb.io/address-pool", "metallb.universe.tf/address-pool")
_ASKED = ("metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs")
_GIVEN_FROM = "metallb.io/ip-allocated-from-pool"
_SHARING = "metallb.io/allow-shared-ip"
_LOOK_AGAIN = 1.0
Address = IPv4Address | IPv6Address


class Addresses:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def watches(self) -> Mapping[Resource, ToKeys]:
        return {SERVICES: own_key, DEPLOYMENTS: self._controller_changed, POOLS: self._all}

    def _controller_changed(self, event: Event) -> Iterable[Key]:
        if namespace_of(event.object) == NAMESPACE:
            yield from self._all(event)

    def _all(self, _event: Event) -> Iterable[Key]:
        return [(namespace_of(s) or "", name_of(s)) for s in self._store.list(SERVICES) if _wants(s)]

    def reconcile(self, key: Key) -> float | None:
        service = self._store.get(SERVICES, *key)
        if service is None or is_terminating(service) or not self._runs():
            return None
        if not _wants(service):
            if given(service):
                self._store.patch_status(SERVICES, *key, {"loadBalancer": {"ingress": None}})
            return None
        found = self._choose(service)
        if found is None:
            return _LOOK_AGAIN
        pool, address = found
        self._store.patch_status(
            SERVICES, *key, {"loadBalancer": {"ingress": [{"ip": str(address), "ipMode": "VIP"}]}}
        )
        self._store.patch(SERVICES, *key, {"metadata": {"annotations": {_GIVEN_FROM: pool}}})
        return None

    def _runs(self) -> bool:
        """Whether the chart's controller is installed and ready."""
        return any(
            status_of(deployment).get("readyReplicas")
            for deployment in self._store.list(DEPLOYMENTS, NAMESPACE)
            if "controller" in (labels_of(deployment).get("app.kubernetes.io/component"), name_of(deployment))
        )

    def _choose(self, service: Obj) -> tuple[str, Address] | None:
        """Keep what it has if that still fits, else what it asks for, else the first free address."""
        taken = {
            a for other in self._store.list(SERVICES) for a in given(other) if not _shares(service, other)
        }
        wish = asked(service)
        has = given(service)
        for pool, addresses in self._pools(service):
            if wish is not None:
                if wish in addresses and wish not in taken:
                    return pool, wish
                continue
            if has and has[0] in addresses:
                return pool, has[0]
            free = next((address for address in addresses if address not in taken), None)
            if free is not None:
                return pool, free
        return None

    def _pools(self, service: Obj) -> Iterator[tuple[str, _Range]]:
        named = next((annotations_of(service)[key] for key in _POOL if key in annotations_of(service)), None)
        try:
            pools = self._store.list(POOLS)
        except NotFound:  # its CRD is not installed
            return
        for pool in pools:
            automatic = spec_of(pool).get("autoAssign", True) or asked(service) is not None
            if name_of(pool) == named or (named is None and automatic):
                for text in spec_of(pool).get("addresses") or ():
                    yield name_of(pool), _Range(str(text))


class _Range:
    """``192.0.2.0/28`` or ``192.0.2.1-192.0.2.9``: every address in it, also the first and last."""

    def __init__(self, text: str) -> None:
        first, _, last = text.partition("-")
        if last:
            self._first, self._last = ip_address(first.strip()), ip_address(last.strip())
        else:
            network = ip_network(text.strip(), strict=False)
            self._first, self._last = network[0], network[-1]

    def __contains__(self, address: Address) -> bool:
        return address.version == self._first.version and int(self._first) <= int(address) <= int(self._last)

    def __iter__(self) -> Iterator[Address]:
        kind = type(self._first)
        return (kind(number) for number in range(int(self._first), int(self._last) + 1))


def _wants(service: Obj) -> bool:
    spec = spec_of(service)
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def given(service: Obj) -> list[Address]:
    """The addresses the Service has."""
    rows = lookup(service, "status", "loadBalancer", "ingress") or ()
    return [ip_address(row["ip"]) for row in rows if row.get("ip")]


def asked(service: Obj) -> Address | None:
    """The address the Service asks for, by annotation or ``spec.loadBalancerIP``."""
    notes = annotations_of(service)
    text = next((notes[key] for key in _ASKED if key in notes), None) or spec_of(service).get(
        "loadBalancerIP"
    )
    try:
        return ip_address(text.split(",")[0].strip()) if text else None
    except ValueError:
        return None


def _shares(service: Obj, other: Obj) -> bool:
    same = (namespace_of(service), name_of(service)) == (namespace_of(other), name_of(other))
    key = annotations_of(service).get(_SHARING)
    return same or (key is not None and key == annotations_of(other).get(_SHARING))
