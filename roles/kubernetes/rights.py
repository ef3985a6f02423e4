"""The rights of the user that runs rackroll, read from the manifest that grants them: there is no second list."""

from __future__ import annotations

from pathlib import Path

import yaml

from rollout.model.rights import Right

MANIFEST = Path(__file__).with_name("runner-rbac.yaml")
RUNNER = "rackroll-runner"


def runner_rights() -> tuple[Right, ...]:
    """Those of the engine itself; what Helm needs on top depends on the charts."""
    documents = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    role = next(each for each in documents if each["metadata"]["name"] == RUNNER)
    return tuple(
        Right(group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )
