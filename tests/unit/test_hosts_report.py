"""What is reported of a host: changes that were made, failures in their own words, dry runs without false alarms."""

from __future__ import annotations

from typing import Any, cast

from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State, StateOperationHostData
from pyinfra.connectors.util import CommandOutput, OutputLine

from rollout.adapters.hosts.report import outcome, predict


class FakeHost:
    name = "n1"


class FakeState:
    """The four attributes of a pyinfra State that a report reads."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.ops: dict[Any, dict[str, StateOperationHostData]] = {self.host: {}}
        self.op_meta: dict[str, Any] = {}

    def get_op_order(self) -> list[str]:
        return list(self.op_meta)

    def add(self, name: str, *, changes: bool, when: Any = None) -> OperationMeta:
        meta = OperationMeta(name, changes)
        data = StateOperationHostData(lambda: iter(()), cast(Any, {"_if": when}), meta)
        self.ops[self.host][name] = data
        self.op_meta[name] = type("Meta", (), {"names": {name}})
        return meta

    @property
    def as_state(self) -> State:
        return cast(State, self)

    @property
    def as_host(self) -> Host:
        return cast(Host, self.host)


def predicted(state: FakeState) -> tuple[str, ...]:
    predict(state.as_state, state.as_host)
    return outcome(state.as_state, state.as_host, None).changed


def test_a_restart_that_depends_on_a_change_is_not_predicted_without_it() -> None:
    state = FakeState()
    conf = state.add("conf", changes=False)
    state.add("restart", changes=True, when=conf.did_change)
    assert predicted(state) == ()


def test_a_restart_that_depends_on_a_change_is_predicted_with_it() -> None:
    state = FakeState()
    conf = state.add("conf", changes=True)
    state.add("restart", changes=True, when=[conf.did_change])
    assert predicted(state) == ("conf", "restart")


def test_conditions_chain() -> None:
    state = FakeState()
    conf = state.add("conf", changes=False)
    restart = state.add("restart", changes=True, when=conf.did_change)
    state.add("wait", changes=True, when=restart.did_change)
    assert predicted(state) == ()


def output(*lines: str) -> CommandOutput:
    return CommandOutput([OutputLine("stderr" if line.startswith("!") else "stdout", line) for line in lines])


def test_a_failure_is_told_in_the_hosts_own_words() -> None:
    state = FakeState()
    state.add("kernel", changes=True).set_complete(False, ["x"], output("working", "!wanted 1, got 2"))
    told = outcome(state.as_state, state.as_host, None)
    assert (told.changed, told.error) == ((), "kernel: !wanted 1, got 2")


def test_the_first_failure_counts_and_what_never_ran_is_not_a_change() -> None:
    state = FakeState()
    state.add("kernel", changes=True).set_complete(True, ["x"], output())
    state.add("chrony", changes=True).set_complete(False, ["x"], output("!no source"))
    state.add("later", changes=True)
    told = outcome(state.as_state, state.as_host, None)
    assert (told.changed, told.error) == (("kernel",), "chrony: !no source")


def test_an_unreachable_host_keeps_its_reason() -> None:
    state = FakeState()
    state.add("kernel", changes=True)
    assert outcome(state.as_state, state.as_host, "Could not connect").error == "Could not connect"
