"""Prometheus' instant query over HTTP. Anything but a whole answer is no answer: silence must not look like health."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from rollout.errors import Unreachable
from rollout.model.policy import AlertSource

_TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)
LARGEST = 8 * 1024 * 1024
"""Bytes of an answer that are read: a query that returns more asks for the wrong thing."""

_HINT = "check policy.alerts in site.yaml, and ask the server the same query by hand"


class Prometheus:
    """Implements :class:`rollout.engine.ports.Metrics`; works with what speaks its API (Thanos, Mimir, Victoria)."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)

    def series(self, source: AlertSource) -> tuple[Mapping[str, str], ...]:
        """Redirects are not followed: the token would go along to wherever they lead."""
        status, body = self._asked(source)
        answer = _object(body)
        if answer is None:
            raise _no(source, f"HTTP {status}, and no JSON: {body[:80].decode(errors='replace')!r}")
        if status != 200 or answer.get("status") != "success":
            raise _no(source, f"HTTP {status}: {answer.get('error') or answer.get('status') or 'no reason'}")
        found = _labels(answer.get("data"))
        if found is None:
            raise _no(source, "the answer is no instant vector")
        if answer.get("warnings"):
            raise _no(source, f"the answer may be partial: {'; '.join(map(str, answer['warnings']))[:200]}")
        return found

    def _asked(self, source: AlertSource) -> tuple[int, bytes]:
        try:
            response = self._pool.request(
                "GET",
                f"{source.url}/api/v1/query",
                fields={"query": source.query},
                headers=_credentials(source),
                redirect=False,
                preload_content=False,
            )
            try:
                body = response.read(LARGEST + 1)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _no(source, f"does not answer: {error}") from None
        if len(body) > LARGEST:
            raise _no(source, f"answers with more than {LARGEST} bytes")
        return response.status, body


def _credentials(source: AlertSource) -> dict[str, str]:
    """Read each time: tokens are short-lived and renewed in place."""
    if source.bearer_file is None:
        return {}
    try:
        token = Path(source.bearer_file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise _no(source, f"its token cannot be read: {error}") from None
    return {"Authorization": f"Bearer {token}"}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _labels(data: Any) -> tuple[Mapping[str, str], ...] | None:
    if not isinstance(data, dict) or data.get("resultType") != "vector":
        return None
    rows = data.get("result")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    metrics = [row.get("metric") for row in rows]
    if not all(isinstance(metric, dict) for metric in metrics):
        return None
    return tuple(
        {str(key): str(value) for key, value in metric.items()} for metric in metrics if metric is not None
    )


def _no(source: AlertSource, text: str) -> Unreachable:
    return Unreachable(text, where=f"alerts {source.url}", hint=_HINT)
