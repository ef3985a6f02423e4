"""The rack in memory as a Kubernetes API (simulated). See :mod:`tests.unit.fake_rack` for how it behaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollout.engine.ports import Json
from rollout.model.mesh import Gateway
from rollout.model.observed import AgentState, NodeBoot, NodeState, ProxyState
from tests.unit.fake_rack import FakeRack


@dataclass(slots=True)
class FakeCluster:
    rack: FakeRack

    def version(self) -> str:
        self.rack.check("kubernetes")
        return f"v{self.rack.kubernetes}"

    def nodes(self, name: str | None = None) -> tuple[NodeState, ...]:
        self.rack.check("kubernetes")
        found = [n for n in self.rack.nodes.values() if name in (None, n.name)]
        return tuple(replace(n, ready=self.rack.ready(n)) for n in found)

    def boot(self, node: str) -> NodeBoot | None:
        self.rack.check("kubernetes")
        return self.rack.boots.told(node, self.rack.time, ready=self.rack.ready(self.rack.nodes[node]))

    def proxies(self, node: str | None = None) -> tuple[ProxyState, ...]:
        self.rack.check("kubernetes")
        now = self.rack.time
        return tuple(
            ProxyState(
                pod=p.name,
                namespace=p.namespace,
                node=p.node,
                mesh=p.mesh,
                version=p.version,
                gateway=p.gateway,
                ready=p.serves(now) and p.gone_at is None and not p.failing,
                terminating=p.gone_at is not None,
            )
            for p in self.rack.pods.values()
            if node in (None, p.node)
        )

    def agents(self, node: str | None = None, subject: str | None = None) -> tuple[AgentState, ...]:
        self.rack.check("kubernetes")
        found = (*self._agents(), *self._api_servers(), *self._kubelets())
        return tuple(a for a in found if node in (None, a.node) and subject in (None, a.subject))

    def _agents(self) -> tuple[AgentState, ...]:
        return tuple(
            AgentState(
                subject=p.subject,
                component=p.component,
                namespace=p.namespace,
                pod=p.name,
                node=p.node,
                version=p.version,
                ready=p.serves(self.rack.time) and p.gone_at is None,
                terminating=p.gone_at is not None,
            )
            for p in self.rack.agents.pods.values()
        )

    def _api_servers(self) -> tuple[AgentState, ...]:
        role = self.rack.roles.get("kubernetes")
        if role is None or "apiserver" not in {kind.component for kind in role.agents()}:
            return ()
        hosts = self.rack.hosts.items()
        return tuple(
            AgentState("kubernetes", "apiserver", "kube-system", f"kube-apiserver-{h}", h, v, True, False)
            for h, v in hosts
        )

    def _kubelets(self) -> tuple[AgentState, ...]:
        return tuple(
            AgentState("kubernetes", "kubelet", "", n.name, n.name, (n.kubelet or "")[1:], n.ready, False)
            for n in self.nodes()
        )

    def evictable(self, node: str) -> dict[tuple[str, str], bool]:
        pods = [p for p in self.rack.pods.values() if p.node == node and not p.gateway]
        return {(p.namespace, p.name): p.gone_at is not None for p in pods}

    def set_partition(self, namespace: str, statefulset: str, partition: int) -> None:
        del namespace
        if self.rack.agents.partitions.get(statefulset) != partition:
            self.rack.log.append(f"partition {statefulset} {partition}")
        self.rack.agents.set_partition(statefulset, partition)

    def pass_gateway_health(self, namespace: str, pod: str) -> None:
        del namespace
        self.rack.pods[pod].failing = False
        self.rack.log.append(f"restore {self.rack.pods[pod].node}")

    def ready_gateway_nodes(self, gateway: Gateway) -> frozenset[str]:
        self.rack.check("kubernetes")
        return frozenset(p.node for p in self.proxies() if p.gateway == gateway.name and p.ready and p.node)

    def apply(self, objects: Sequence[Json]) -> int:
        self.rack.check("webhooks")
        new = 0
        for item in objects:
            place = (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
            new += self.rack.applied.get(place) != item
            self.rack.applied[place] = item
        self.rack.on_delete |= any(o["kind"] == "DaemonSet" for o in objects)
        for item in objects:
            labels = item["metadata"].get("labels", {})
            if item["kind"] == "MutatingWebhookConfiguration" and "istio.io/tag" in labels:
                self._tag(labels["istio.io/tag"], labels["istio.io/rev"])
        return new

    def _tag(self, tag: str, revision: str) -> None:
        for mesh in self.rack.site.meshes:
            if mesh.tag == tag:
                self.rack.tags[mesh.name] = revision.replace("-", ".")
                self.rack.log.append(f"tag {tag} {revision}")

    def deployment_ready(self, namespace: str, name: str) -> tuple[bool, str]:
        del name
        agents = [a for a in self._agents() if a.namespace == namespace and a.node is None]
        short = [a.pod for a in agents if not a.ready and not a.terminating]
        return not short, f"{', '.join(short)} not ready"

    def cordon(self, node: str, run: str) -> None:
        self._mark(node, cordoned=True, owner=run)

    def uncordon(self, node: str, run: str) -> None:
        assert self.rack.nodes[node].owner == run, "only our own cordon is ever removed"
        self._mark(node, cordoned=False)

    def exclude(self, node: str, run: str) -> None:
        self._mark(node, excluded=True, owner=run)

    def include(self, node: str, run: str) -> None:
        assert self.rack.nodes[node].owner == run, "only our own label is ever removed"
        self._mark(node, excluded=False)

    def _mark(self, node: str, **marks: object) -> None:
        state = replace(self.rack.nodes[node], **marks)  # type: ignore[arg-type]
        if not state.cordoned and not state.excluded:
            state = replace(state, owner=None)
        self.rack.nodes[node] = state
        self.rack.log.append(f"mark {node} {' '.join(marks)}")

    def evict(self, namespace: str, pod: str) -> bool:
        del namespace
        if self.rack.refuse_evictions:
            self.rack.refuse_evictions -= 1
            return False
        self.rack.evict(pod)
        return True

    def delete_pod(self, namespace: str, pod: str) -> None:
        del namespace
        if pod in self.rack.pods:
            self.rack.evict(pod)
        else:
            self.rack.log.append(f"delete {pod} at {self.rack.agents.pods[pod].version}")
            self.rack.agents.delete(pod)

    def fail_gateway_health(self, namespace: str, pod: str) -> None:
        del namespace
        self.rack.pods[pod].failing = True
        self.rack.log.append(f"drain {self.rack.pods[pod].node}")
