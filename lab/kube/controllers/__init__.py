"""Small controllers, one file each: look at the store, make one thing more true, say when to look again."""

from __future__ import annotations

from lab.kube.controllers.budgets import Budgets
from lab.kube.controllers.loop import Controller
from lab.kube.store import Store


def all_controllers(store: Store) -> list[Controller]:
    return [Budgets(store)]
