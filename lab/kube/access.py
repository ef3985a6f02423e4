"""Who asks, and whether RBAC lets them: the lab's token may do everything, a ServiceAccount what its bindings say.

Not here: aggregated ClusterRoles, impersonation, and the check that nobody grants more than they have.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.kube.errors import Forbidden, Unauthorized
from lab.kube.objects import Obj, namespace_of
from lab.kube.resource import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS
from lab.kube.store import Store

MASTERS = "system:masters"
_ACCOUNT = "system:serviceaccount:"
_EVERYONE = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request in RBAC's words. ``resource`` is ``pods`` or ``pods/exec``."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


class Access:
    """``token`` is the administrator's, and what signs the tokens of ServiceAccounts."""

    def __init__(self, store: Store, token: str) -> None:
        self._store = store
        self._token = token.encode()

    def user(self, header: str) -> User:
        """Who sends this Authorization header, nobody if it is empty; raises Unauthorized."""
        if not header:
            return User("system:anonymous", frozenset({"system:unauthenticated"}))
        given = header.removeprefix("Bearer ").encode()
        if hmac.compare_digest(given, self._token):
            return User("rackroll-lab-admin", frozenset({MASTERS, _EVERYONE}))
        body, _, mark = given.partition(b".")
        if not hmac.compare_digest(mark, self._mark(body)):
            raise Unauthorized("Unauthorized")
        try:
            namespace, name, uid = json.loads(base64.urlsafe_b64decode(body))
        except (ValueError, binascii.Error):
            raise Unauthorized("Unauthorized") from None
        account = self._store.get(SERVICE_ACCOUNTS, namespace, name)
        if account is None or account["metadata"]["uid"] != uid:
            raise Unauthorized("Unauthorized")
        groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", _EVERYONE}
        return User(f"{_ACCOUNT}{namespace}:{name}", frozenset(groups))

    def issue(self, account: Obj) -> str:
        """A token of this ServiceAccount, good for as long as it exists."""
        meta = account["metadata"]
        body = base64.urlsafe_b64encode(json.dumps([meta["namespace"], meta["name"], meta["uid"]]).encode())
        return (body + b"." + self._mark(body)).decode()

    def require(self, user: User, asked: Asked) -> None:
        """Raises Forbidden in the words of the real API."""
        if self.allows(user, asked):
            return
        plural = asked.resource.partition("/")[0]
        about = f"{plural}.{asked.group}" if asked.group else plural
        place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        named = f'{about} "{asked.name}"' if asked.name else about
        raise Forbidden(
            f'{named} is forbidden: User "{user.name}" cannot {asked.verb} resource "{asked.resource}" '
            f'in API group "{asked.group}" {place}',
            {"name": asked.name, "group": asked.group, "kind": plural},
        )

    def require_known(self, user: User, path: str) -> None:
        """Discovery is for whoever has a name. Raises Forbidden."""
        if _EVERYONE not in user.groups:
            raise Forbidden(f'forbidden: User "{user.name}" cannot get path "{path}"')

    def allows(self, user: User, asked: Asked) -> bool:
        return MASTERS in user.groups or any(_grants(rule, asked) for rule in self._rules(user, asked))

    def _rules(self, user: User, asked: Asked) -> Iterator[Mapping[str, Any]]:
        bindings = self._store.list(CLUSTER_ROLE_BINDINGS)
        if asked.namespace:
            bindings = [*bindings, *self._store.list(ROLE_BINDINGS, asked.namespace)]
        for binding in bindings:
            if any(_is(user, subject) for subject in binding.get("subjects") or ()):
                yield from self._role(binding).get("rules") or ()

    def _role(self, binding: Obj) -> Mapping[str, Any]:
        wanted = binding["roleRef"]
        if wanted["kind"] == "Role":
            return self._store.get(ROLES, namespace_of(binding), wanted["name"]) or {}
        return self._store.get(CLUSTER_ROLES, None, wanted["name"]) or {}

    def _mark(self, body: bytes) -> bytes:
        return hmac.digest(self._token, body, "sha256").hex().encode()


def _is(user: User, subject: Mapping[str, Any]) -> bool:
    match subject.get("kind"):
        case "ServiceAccount":
            return user.name == f"{_ACCOUNT}{subject.get('namespace')}:{subject['name']}"
        case "User":
            return bool(user.name == subject["name"])
        case _:
            return subject["name"] in user.groups


def _grants(rule: Mapping[str, Any], asked: Asked) -> bool:
    below = f"*/{asked.resource.partition('/')[2]}"
    names = rule.get("resourceNames") or ()
    return (
        bool({"*", asked.verb} & set(rule.get("verbs") or ()))
        and bool({"*", asked.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", asked.resource, below} & set(rule.get("resources") or ()))
        and (not names or asked.name in names)
    )
