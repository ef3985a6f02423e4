"""The store keeps the API's promises about versions, deletion, ownership and watches."""

from __future__ import annotations

import asyncio

import pytest

from lab.kube import deletion
from lab.kube.clock import VirtualClock
from lab.kube.collection import EventType
from lab.kube.errors import AlreadyExists, BadRequest, Conflict, Gone, Invalid
from lab.kube.objects import Obj, merged, with_value
from lab.kube.resource import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS
from lab.kube.selectors import parse_fields, parse_labels
from lab.kube.store import Store


def pod(name: str, *, node: str = "", **labels: str) -> Obj:
    spec: Obj = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    return {"metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": spec}


@pytest.fixture
def store() -> Store:
    return Store(VirtualClock(), history=4)


def test_create_stamps_identity_and_refuses_a_second_one(store: Store) -> None:
    made = store.create(PODS, pod("a"))
    assert made["apiVersion"] == "v1"
    assert made["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert made["metadata"]["generation"] == 1
    assert len(made["metadata"]["uid"]) == 36
    with pytest.raises(AlreadyExists):
        store.create(PODS, pod("a"))


def test_a_nameless_object_gets_a_generated_name_or_is_invalid(store: Store) -> None:
    made = store.create(PODS, {"metadata": {"generateName": "web-", "namespace": "x"}})
    assert made["metadata"]["name"].startswith("web-")
    assert len(made["metadata"]["name"]) == 9
    with pytest.raises(Invalid):
        store.create(PODS, {"metadata": {}})


def test_an_update_from_an_old_version_conflicts_and_the_newer_write_stays(store: Store) -> None:
    old = store.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"k": "1"}})
    store.update(CONFIG_MAPS, with_value(old, ("data", "k"), "2"))
    with pytest.raises(Conflict):
        store.update(CONFIG_MAPS, with_value(old, ("data", "k"), "3"))
    kept = store.require(CONFIG_MAPS, None, "c")
    assert kept["data"] == {"k": "2"}


def test_generation_moves_with_the_spec_only(store: Store) -> None:
    made = store.create(DEPLOYMENTS, {"metadata": {"name": "d"}, "spec": {"replicas": 1}})
    store.patch_status(DEPLOYMENTS, None, "d", {"replicas": 1})
    store.patch(DEPLOYMENTS, None, "d", {"metadata": {"labels": {"a": "b"}}})
    assert store.require(DEPLOYMENTS, None, "d")["metadata"]["generation"] == 1
    scaled = store.patch(DEPLOYMENTS, None, "d", {"spec": {"replicas": 2}, "status": {"replicas": 9}})
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"] == {"replicas": 1}
    assert int(scaled["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_a_write_that_changes_nothing_is_no_write(store: Store) -> None:
    made = store.create(PODS, pod("a"))
    assert store.patch(PODS, "shop", "a", {"metadata": {"name": "a"}}) is made
    assert store.patch_status(PODS, "shop", "a", {"phase": "Pending"}) is not made
    again = store.require(PODS, "shop", "a")
    assert store.patch_status(PODS, "shop", "a", {"phase": "Pending"}) is again


def test_a_pod_on_a_node_waits_for_its_kubelet_and_one_without_goes_at_once(store: Store) -> None:
    store.create(PODS, pod("bound", node="n1"))
    store.create(PODS, pod("free"))
    store.delete(PODS, "shop", "free")
    store.delete(PODS, "shop", "bound", deletion.Options(grace=10))
    assert store.get(PODS, "shop", "free") is None
    waiting = store.require(PODS, "shop", "bound")
    assert waiting["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:10Z"
    assert store.delete(PODS, "shop", "bound", deletion.Options(grace=20)) is waiting
    store.delete(PODS, "shop", "bound", deletion.NOW)
    assert store.get(PODS, "shop", "bound") is None


def test_finalizers_hold_an_object_until_the_last_one_is_gone(store: Store) -> None:
    store.create(CONFIG_MAPS, {"metadata": {"name": "c", "finalizers": ["a/b", "c/d"]}})
    store.delete(CONFIG_MAPS, None, "c")
    store.patch(CONFIG_MAPS, None, "c", {"metadata": {"finalizers": ["c/d"]}})
    assert store.get(CONFIG_MAPS, None, "c") is not None
    store.patch(CONFIG_MAPS, None, "c", {"metadata": {"finalizers": None}})
    assert store.get(CONFIG_MAPS, None, "c") is None


def test_a_namespace_waits_for_its_own_finalizer(store: Store) -> None:
    store.create(NAMESPACES, {"metadata": {"name": "x"}, "spec": {"finalizers": ["kubernetes"]}})
    assert store.delete(NAMESPACES, None, "x")["status"]["phase"] == "Terminating"
    store.patch(NAMESPACES, None, "x", {"spec": {"finalizers": None}})
    assert store.get(NAMESPACES, None, "x") is None


def test_preconditions_protect_against_deleting_a_successor(store: Store) -> None:
    made = store.create(CONFIG_MAPS, {"metadata": {"name": "c"}})
    with pytest.raises(Conflict):
        store.delete(CONFIG_MAPS, None, "c", deletion.Options(uid="someone-else"))
    store.delete(CONFIG_MAPS, None, "c", deletion.Options(uid=made["metadata"]["uid"]))


def test_owner_index_follows_references(store: Store) -> None:
    owner = store.create(CONFIG_MAPS, {"metadata": {"name": "o"}})
    uid = owner["metadata"]["uid"]
    store.create(PODS, merged(pod("a"), {"metadata": {"ownerReferences": [{"uid": uid}]}}))
    assert [ref.name for ref in store.owners.dependents(uid)] == ["a"]
    store.delete(PODS, "shop", "a")
    assert store.owners.dependents(uid) == ()


def test_lists_use_labels_fields_and_namespaces(store: Store) -> None:
    for n in range(6):
        store.create(PODS, pod(f"p{n}", node=f"n{n % 2}", app="web" if n < 4 else "db", odd=str(n % 2)))
    store.create(PODS, {**pod("p0", app="web"), "metadata": {"name": "p0", "namespace": "other"}})

    def names(labels: str = "", fields: str = "", namespace: str | None = "shop") -> str:
        found = store.list(PODS, namespace, label_selector=labels, field_selector=fields)
        return ",".join(p["metadata"]["name"] for p in found)

    assert names("app=web,odd!=1") == "p0,p2"
    assert names("app in (db, none)") == "p4,p5"
    assert names("app notin (db)", "spec.nodeName=n1") == "p1,p3"
    assert names(fields="metadata.name!=p0") == "p1,p2,p3,p4,p5"
    assert names("!app", namespace=None) == "p0"
    store.patch(PODS, "shop", "p0", {"metadata": {"labels": {"app": "moved"}}})
    assert names("app=web") == "p1,p2,p3"


@pytest.mark.parametrize("text", ["a=(", "a in x", "=b", "a b"])
def test_bad_label_selectors_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_labels(text)


def test_bad_field_selectors_are_refused() -> None:
    with pytest.raises(BadRequest):
        parse_fields("metadata.name")


def test_a_watch_starts_with_what_is_there_and_misses_nothing(store: Store) -> None:
    async def scene() -> list[str]:
        store.create(PODS, pod("a"))
        watch = store.watch(PODS)
        store.create(PODS, pod("b", node="n"))
        store.patch_status(PODS, "shop", "b", {"phase": "Running"})
        store.delete(PODS, "shop", "b", deletion.NOW)
        seen = []
        async for event in watch:
            seen.append(f"{event.type}:{event.object['metadata']['name']}")
            if event.type is EventType.DELETED:
                watch.close()
        return seen

    assert asyncio.run(scene()) == ["ADDED:a", "ADDED:b", "MODIFIED:b", "DELETED:b"]


def test_a_watch_can_go_back_in_history_but_not_beyond_it(store: Store) -> None:
    before = store.version
    for n in range(6):
        store.create(PODS, pod(f"p{n}"))
    seen = store.watch(PODS, since=store.version - 3).drain()
    assert [e.object["metadata"]["name"] for e in seen] == ["p3", "p4", "p5"]
    for too_far in (before, store.version + 1):
        with pytest.raises(Gone):
            store.watch(PODS, since=too_far)


def test_admission_may_change_or_refuse_every_write(store: Store) -> None:
    def guard(obj: Obj, old: Obj | None) -> Obj:
        if old is not None and old["data"] != obj["data"]:
            raise Conflict("frozen")
        return with_value(obj, ("metadata", "labels", "seen"), "yes")

    store.add_admission(CONFIG_MAPS, guard)
    made = store.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"k": "1"}})
    assert made["metadata"]["labels"] == {"seen": "yes"}
    with pytest.raises(Conflict):
        store.patch(CONFIG_MAPS, None, "c", {"data": {"k": "2"}})
