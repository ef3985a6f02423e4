"""istiod's injection webhook, SIMULATED, where a real API server asks for it.

Each istiod pod of the lab answers on its own address, port 15017, with the rules of the simulated API
(:mod:`lab.kube.admission.injection`). As istiod does, it also writes its authority into the webhook configuration,
which the chart leaves without one. Unlike istiod it restarts, once, pods that were there before it.
"""

from __future__ import annotations

import base64
import json
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from lab.control.certificates import Certificates
from lab.kube.admission.injection import PROXY, Injector
from lab.kube.errors import ApiError
from lab.kube.objects import (
    Obj,
    controller_of,
    is_terminating,
    labels_of,
    lookup,
    name_of,
    namespace_of,
    uid_of,
    with_meta,
)
from lab.kube.resource import BUILTIN, PODS
from lab.node.wake import Wake
from lab.real.mirror import Mirror
from lab.real.sockets import listen
from lab.state import namespace_of as host_namespace

_log = logging.getLogger(__name__)
PORT = 15017
CONFIGURATIONS = next(r for r in BUILTIN if r.plural == "mutatingwebhookconfigurations")
_RESYNC = 2.0


class InjectionWebhooks:
    """One listener per istiod pod until it is told to go.

    Its connections must end while its address still answers: an API server keeps them, and would wait ten seconds
    for each answer of a pod that is gone.
    """

    def __init__(self, mirror: Mirror, site: str, certificates: Certificates) -> None:
        self._mirror = mirror
        self._site = site
        self._certificates = certificates
        self._injector = Injector(mirror)
        self._serving: dict[str, web.AppRunner] = {}
        self._restarted: set[str] = set()

    async def run(self) -> None:
        wake = Wake()
        wake.on(self._mirror, (PODS, CONFIGURATIONS))
        wake.set()
        try:
            while True:
                await wake.wait(_RESYNC)
                try:
                    await self._sync()
                except (ApiError, OSError) as error:
                    _log.warning("injection webhook: %s", error)
        finally:
            for runner in self._serving.values():
                await runner.cleanup()

    async def _sync(self) -> None:
        found = self._mirror.list(PODS, label_selector="app=istiod")
        pods = {uid_of(pod): pod for pod in found if not is_terminating(pod)}
        for uid in self._serving.keys() - pods.keys():
            await self._serving.pop(uid).cleanup()
        for uid, pod in pods.items():
            if uid not in self._serving and lookup(pod, "status", "podIP"):
                self._serving[uid] = await self._serve(pod)
        if self._serving:
            self._trust()
            self._restart_forgotten()

    async def _serve(self, pod: Obj) -> web.AppRunner:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/inject{rest:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        sock = listen(host_namespace(self._site, pod["spec"]["nodeName"]), pod["status"]["podIP"], PORT)
        await web.SockSite(runner, sock, ssl_context=self._tls(pod)).start()
        return runner

    def _tls(self, pod: Obj) -> ssl.SSLContext:
        service = labels_of(pod).get("istio.io/rev", "default")
        name = "istiod" if service == "default" else f"istiod-{service}"
        names = [f"{name}.{namespace_of(pod)}.svc"]
        serving = self._certificates.serving(f"webhook-{name_of(pod)}", names, [])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(serving.certificate, serving.key)
        return context

    def _trust(self) -> None:
        """istiod patches ``caBundle`` by itself; Helm leaves the field alone, for the chart does not set it."""
        authority = Path(self._certificates.authority.certificate).read_bytes()
        bundle = base64.b64encode(authority).decode()
        for found in self._mirror.list(CONFIGURATIONS):
            if not name_of(found).startswith("istio-"):
                continue
            hooks = found.get("webhooks") or []
            if all(hook["clientConfig"].get("caBundle") == bundle for hook in hooks):
                continue
            told = [{**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}} for hook in hooks]
            self._mirror.patch(CONFIGURATIONS, None, name_of(found), {"webhooks": told})

    def _restart_forgotten(self) -> None:
        """Pods that were there before the mesh have no proxy; on a site somebody restarts their Deployments.

        The lab does it, once a pod, so that the demo's application may be there first.
        """
        for pod in self._mirror.list(PODS):
            bare = not any(c["name"] == PROXY for c in pod["spec"]["containers"])
            if not bare or uid_of(pod) in self._restarted or is_terminating(pod):
                continue
            if controller_of(pod) and self._injector.wants(pod) and self._injector.ready:
                self._restarted.add(uid_of(pod))
                self._mirror.delete(PODS, namespace_of(pod), name_of(pod))

    async def _answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        asked = review["request"]
        answer: dict[str, Any] = {"uid": asked["uid"], "allowed": True}
        try:
            pod = with_meta(asked["object"], namespace=asked["namespace"])
            new = self._injector.admit(pod, None)
            patch = _patch(asked["object"], new)
            if patch:
                encoded = base64.b64encode(json.dumps(patch).encode()).decode()
                answer |= {"patchType": "JSONPatch", "patch": encoded}
        except ApiError as error:
            answer |= {"allowed": False, "status": {"code": 500, "message": str(error)}}
        return web.json_response(
            {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}
        )


def _patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Obj]:
    """RFC 6902, as coarse as it may be: the parts that injection writes. A mount without its volume is refused."""
    changes = []
    for path in (
        ("spec", "containers"),
        ("spec", "volumes"),
        ("metadata", "labels"),
        ("metadata", "annotations"),
    ):
        old, new = lookup(before, *path), lookup(after, *path)
        if new is not None and new != old:
            changes.append({"op": "add", "path": "/" + "/".join(path), "value": new})
    return changes
