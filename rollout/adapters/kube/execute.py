"""Commands inside a pod, by websocket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL

from rollout.adapters.kube.api import new_client
from rollout.errors import StepFailed, Unreachable
from rollout.model.site import Kubernetes

TIMEOUT = 15  # seconds


@dataclass(frozen=True, slots=True)
class Container:
    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod} ({self.container})"


def run_in_container(kubernetes: Kubernetes, target: Container, command: Sequence[str]) -> str:
    """The command's output. Raises :class:`StepFailed` with its words unless it exits 0.

    A client of its own: ``kubernetes.stream`` swaps the request method of the client it is given, which
    would hit whatever the other thread asks at that moment.
    """
    api_client = new_client(kubernetes)
    try:
        session = _open(client.CoreV1Api(api_client), target, command)
        try:
            session.run_forever(timeout=TIMEOUT)
            output = session.read_all()
            _raise_unless_success(session.read_channel(ERROR_CHANNEL), output, target, command)
        finally:
            session.close()
    finally:
        api_client.rest_client.pool_manager.clear()
    return str(output)


def _open(core: Any, target: Container, command: Sequence[str]) -> Any:
    try:
        return stream(
            core.connect_get_namespaced_pod_exec,
            target.pod,
            target.namespace,
            container=target.container,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
    except ApiException as error:
        where = core.api_client.configuration.host
        raise _not_opened(error, target, f"kubernetes {where}") from None


def _not_opened(error: ApiException, target: Container, where: str) -> Exception:
    """The websocket library folds the HTTP answer into one line of text; only its status can be told apart."""
    words = str(error.reason or error)
    if "Handshake status" in words:
        return StepFailed(
            f"the API refused to run a command in {target}: {words.splitlines()[0]}",
            where=where,
            hint="check that the pod still runs and that our account may create pods/exec",
        )
    return Unreachable(f"no command session to {target}: {words}", where=where)


def _raise_unless_success(status: str, output: str, target: Container, command: Sequence[str]) -> None:
    """The error channel carries one ``Status`` object when the command ends, and nothing when it does not."""
    shown = " ".join(command)
    if not status:
        raise StepFailed(
            f"`{shown}` did not finish within {TIMEOUT} s or lost its connection",
            where=str(target),
            hint="look at the pod's node; the step may be run again",
        )
    found = yaml.safe_load(status)
    if found.get("status") != "Success":
        words = output.strip() or found.get("message") or "no output"
        raise StepFailed(f"`{shown}` failed: {words}", where=str(target), hint="look at the container's log")
