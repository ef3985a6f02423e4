"""What happened on one host, read from pyinfra's operations rather than from its output."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State, StateOperationHostData
from pyinfra.connectors.util import CommandOutput

from rollout.engine.ports import HostOutcome


def outcome(state: State, host: Host, error: str | None) -> HostOutcome:
    changed, failed = [], error
    for name, data in _operations(state, host):
        meta = data.operation_meta
        if not meta.is_complete():
            failed = failed or f"{name}: did not run"
        elif meta.did_error():
            failed = failed or f"{name}: {_words(meta)}"
        elif meta.did_change():
            changed.append(name)
    return HostOutcome(host.name, tuple(changed), failed)


def predict(state: State, host: Host) -> None:
    """Mark each operation as a run would leave it, so that one report reads dry runs and runs alike.

    pyinfra ignores ``_if`` while preparing, so a restart that depends on a change would always show as one. With the
    operations before it marked, such a condition (``other.did_change``) can be asked here.
    """
    for _, data in _operations(state, host):
        meta = data.operation_meta
        changes = bool(meta.will_change) and _conditions_hold(data)
        meta.set_complete(
            success=True, commands=["predicted"] if changes else [], combined_output=CommandOutput([])
        )


def _conditions_hold(data: StateOperationHostData) -> bool:
    conditions = data.global_arguments.get("_if") or []
    asked = conditions if isinstance(conditions, list) else [conditions]
    return all(condition() for condition in asked)


def _operations(state: State, host: Host) -> Iterator[tuple[str, StateOperationHostData]]:
    for op_hash in state.get_op_order():
        if op_hash in state.ops[host]:
            yield sorted(state.op_meta[op_hash].names)[0], state.ops[host][op_hash]


def _words(meta: OperationMeta) -> str:
    """stderr if there is any: what a command printed on the way is no reason."""
    said = [line.strip() for line in meta.stderr_lines or meta.stdout_lines]
    return " / ".join([line for line in said if line][-8:]) or "failed without a word"
