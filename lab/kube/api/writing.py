"""create, update, patch, delete: what a body means for the stored object, and who owns its fields then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from lab.kube import deletion
from lab.kube.api import schema, structural
from lab.kube.api.names import check_name
from lab.kube.api.request import Query, Target, mapping
from lab.kube.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    UnsupportedMediaType,
    invalid,
    not_found,
)
from lab.kube.objects import Obj, is_terminating, merged, timestamp, with_meta, without_nulls
from lab.kube.patch.jsonpatch import json_patch
from lab.kube.patch.ownership import applied, tracked
from lab.kube.patch.strategic import strategic_merge
from lab.kube.resource import BUILTIN, NAMESPACES, Resource
from lab.kube.store import Store

_BUILTIN_GROUPS = frozenset(resource.group for resource in BUILTIN)
_STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Writer:
    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, where: Target, body: Any, query: Query) -> Obj:
        resource = where.resource
        new = _typed(resource, self._checked(where, mapping(body, "the object")), None, query)
        check_name(resource, new)
        self._check_namespace(resource, new["metadata"].get("namespace"))
        if resource.has_status and resource.kind != "Node":
            new.pop("status", None)
        structural.check(resource, new)
        new = self._tracked(None, with_meta(new, resourceVersion=None), query, where)
        with self._maybe_dry(query):
            return self._store.create(resource, new)

    def update(self, where: Target, body: Any, query: Query) -> Obj:
        live = self._live(where)
        new = _typed(where.resource, self._checked(where, mapping(body, "the object")), live, query)
        return self._save(where, live, self._tracked(live, new, query, where), query)

    def patch(self, where: Target, media_type: str, body: Any, query: Query) -> tuple[Obj, bool]:
        """The object after the patch, and whether an apply created it."""
        if media_type == APPLY:
            return self._apply(where, mapping(body, "an apply configuration"), query)
        live = self._live(where)
        new = _typed(where.resource, _patched(where.resource, live, media_type, body), live, query)
        _refuse_renaming(live, new)
        return self._save(where, live, self._tracked(live, new, query, where), query), False

    def delete(self, where: Target, options: deletion.Options, query: Query) -> Obj:
        with self._maybe_dry(query):
            return self._store.delete(where.resource, where.namespace, where.name, options)

    def delete_all(self, where: Target, options: deletion.Options, query: Query) -> list[Obj]:
        found = self._store.list(
            where.resource,
            where.namespace,
            label_selector=query.label_selector,
            field_selector=query.field_selector,
        )
        with self._maybe_dry(query):
            for obj in found:
                meta = obj["metadata"]
                self._store.delete(where.resource, meta.get("namespace"), meta["name"], options)
        return found

    def _apply(self, where: Target, config: Obj, query: Query) -> tuple[Obj, bool]:
        if not query.manager_stated:
            raise invalid(
                "PatchOptions", "", [("fieldManager", "Required value: is required for apply patch")]
            )
        if (config.get("metadata") or {}).get("managedFields"):
            raise BadRequest("metadata.managedFields must be nil")
        config = _applicable(where.resource, self._checked(where, config))
        live = self._store.get(where.resource, where.namespace, where.name)
        if live is None and where.subresource:
            raise not_found(where.resource.group, where.resource.plural, where.name)
        _check_version(live, config)
        scoped = _scoped(config, where)
        manager = query.as_manager("Apply", where.subresource)
        now = timestamp(self._store.clock.now())
        merging = where.resource.group in _BUILTIN_GROUPS
        new = applied(live, scoped, manager, now, force=query.force, merging=merging)
        new = structural.prune(where.resource, new).value
        if live is not None:
            return self._save(where, live, new, query), False
        check_name(where.resource, new)
        structural.check(where.resource, new)
        self._check_namespace(where.resource, where.namespace)
        with self._maybe_dry(query):
            return self._store.create(where.resource, with_meta(new, resourceVersion=None)), True

    def _save(self, where: Target, live: Obj, new: Obj, query: Query) -> Obj:
        structural.check(where.resource, new)
        with self._maybe_dry(query):
            if where.subresource != "status":
                return self._store.update(where.resource, new)
            saved = self._store.update_status(where.resource, new)
            fields = new["metadata"].get("managedFields")
            if fields == saved["metadata"].get("managedFields") or saved is live:
                return saved
            return self._store.update(where.resource, with_meta(saved, managedFields=fields))

    def _tracked(self, live: Obj | None, new: Obj, query: Query, where: Target) -> Obj:
        manager = query.as_manager("Update", where.subresource)
        now = timestamp(self._store.clock.now())
        merging = where.resource.group in _BUILTIN_GROUPS
        if where.resource.has_status and live is not None:
            kept = "status" if where.subresource != "status" else "spec"
            new = (
                {**new, kept: live.get(kept)} if kept in live else {k: v for k, v in new.items() if k != kept}
            )
        return tracked(live, new, manager, now, merging=merging)

    def _live(self, where: Target) -> Obj:
        return self._store.require(where.resource, where.namespace, where.name)

    def _checked(self, where: Target, body: Obj) -> Obj:
        """The body with the path's name and namespace; raises BadRequest where they contradict each other."""
        resource = where.resource
        meta = mapping(body.get("metadata") or {}, "metadata")
        kind = body.get("kind") or resource.kind
        version = body.get("apiVersion") or resource.api_version
        if (kind, version) != (resource.kind, resource.api_version):
            raise BadRequest(
                f"the object is {version} {kind}, the path is of {resource.api_version} {resource.kind}"
            )
        for field, wanted in (("name", where.name), ("namespace", where.namespace)):
            if wanted and meta.get(field, wanted) not in (wanted, ""):
                raise BadRequest(f"the {field} of the object ({meta[field]}) is not the path's ({wanted})")
        stated = {"name": where.name or meta.get("name"), "namespace": where.namespace}
        new: Obj = without_nulls({**body, "kind": kind, "apiVersion": version})
        return with_meta(new, **stated)

    def _check_namespace(self, resource: Resource, namespace: str | None) -> None:
        if not resource.namespaced:
            return
        space = self._store.require(NAMESPACES, None, namespace or "default")
        if is_terminating(space):
            raise Forbidden(
                f"{resource} is forbidden: unable to create new content in namespace {namespace} "
                "because it is being terminated",
                {"kind": resource.plural, "group": resource.group, "causes": [_leaving(str(namespace))]},
            )

    def _maybe_dry(self, query: Query) -> Any:
        return self._store.rehearsing() if query.dry else nullcontext()


def _leaving(namespace: str) -> Obj:
    told = f"namespace {namespace} is being terminated"
    return {"reason": "NamespaceTerminating", "message": told, "field": "metadata.namespace"}


def _typed(resource: Resource, new: Obj, live: Obj | None, query: Query) -> Obj:
    """``new`` without fields its type does not have. Raises BadRequest for values of the wrong type, and for
    unknown fields where the client asked for ``fieldValidation=Strict``; what ``live`` has already is let be."""
    found = schema.decode(resource, new)
    before = schema.decode(resource, live) if live and (found.unknown or found.mistyped) else None
    mistyped = [one for one in found.mistyped if before is None or one not in before.mistyped]
    unknown = [one for one in found.unknown if before is None or one not in before.unknown]
    head = f'{resource.kind} in version "{resource.api_version}" cannot be handled as a {resource.kind}: '
    if mistyped:
        raise BadRequest(head + mistyped[0])
    told = [f'unknown field "{name}"' for name in unknown]
    if told and query.strict:
        raise BadRequest(f"{head}strict decoding error: {', '.join(told)}")
    if query.warn:
        query.warned.extend(told)
    return found.obj if before is None else new


def _applicable(resource: Resource, config: Obj) -> Obj:
    """An apply names fields that it will own: one that does not exist is always an error."""
    found = schema.decode(resource, config)
    problems = [f".{name}: field not declared in schema" for name in found.unknown] + found.mistyped
    if problems:
        meta = config["metadata"]
        place = (
            f"{meta.get('namespace', '')}/{meta.get('name')}; {resource.api_version}, Kind={resource.kind}"
        )
        raise ApiError(f"failed to create typed patch object ({place}): {'; '.join(problems)}")
    return config


def _patched(resource: Resource, live: Obj, media_type: str, body: Any) -> Obj:
    patchers: Mapping[str, Callable[[Obj, Any], Obj]] = {
        "application/json-patch+json": json_patch,
        "application/merge-patch+json": merged,
        _STRATEGIC: strategic_merge,
    }
    patcher = patchers.get(media_type)
    if patcher is None or (media_type == _STRATEGIC and resource.group not in _BUILTIN_GROUPS):
        raise UnsupportedMediaType(f"the body of the request was in an unknown format: {media_type}")
    wanted = list if patcher is json_patch else dict
    if not isinstance(body, wanted):
        raise BadRequest(f"a body of {media_type} must be a JSON {wanted.__name__}")
    patched: Obj = without_nulls(patcher(live, body))
    return patched


def _refuse_renaming(live: Obj, new: Obj) -> None:
    for field in ("name", "namespace"):
        if new["metadata"].get(field) != live["metadata"].get(field):
            raise BadRequest(f"metadata.{field} may not be changed by a patch")


def _check_version(live: Obj | None, config: Obj) -> None:
    stated = config["metadata"].get("resourceVersion")
    if live is None and config["metadata"].get("uid"):
        raise Conflict("Precondition failed: the uid is stated, but the object does not exist")
    if live is not None and stated not in (None, "", live["metadata"]["resourceVersion"]):
        raise Conflict("the object has been modified; please apply your changes to the latest version")


def _scoped(config: Obj, where: Target) -> Obj:
    """Only what the (sub)resource may set: a plain apply leaves the status alone, a status apply all else."""
    if not where.resource.has_status:
        return config
    if where.subresource == "status":
        return {k: v for k, v in config.items() if k in ("apiVersion", "kind", "metadata", "status")}
    return {k: v for k, v in config.items() if k != "status"}


def options_of(body: Any, given: Mapping[str, str]) -> deletion.Options:
    """DeleteOptions from the body, else from the query parameters."""
    stated = mapping(body or {}, "DeleteOptions")
    preconditions = stated.get("preconditions") or {}
    grace = stated.get("gracePeriodSeconds", given.get("gracePeriodSeconds"))
    policy = stated.get("propagationPolicy") or given.get("propagationPolicy")
    if stated.get("orphanDependents"):
        policy = "Orphan"
    if policy not in (None, "Background", "Foreground", "Orphan"):
        raise BadRequest(f"invalid propagationPolicy {policy!r}")
    return deletion.Options(
        grace=int(grace) if grace not in (None, "") else None,
        propagation=policy or "Background",
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
    )
