"""The outside client's load: ``python -m lab.load --address VIP …`` until SIGTERM.

Open loop: requests start on schedule whether or not earlier ones were answered, so a stall shows as loss
and not as a lower rate. One JSON line of running totals goes to stdout every 0.2 s, the last one with
``"final": true``. It ends by itself when its reader goes away or after ``--max-seconds``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time

from lab.load.tally import Tally
from lab.load.wire import Answer, BrokenAnswer, Target, read_answer

REPORT_EVERY_S = 0.2


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, BrokenAnswer):
        return "truncated"
    return type(error).__name__


async def _fresh(target: Target, tally: Tally, timeout: float) -> None:
    started = time.monotonic()
    error: str | None = None
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(target.address, target.port)
            writer.write(target.request(close=True))
            answer = await read_answer(reader)
        error = _status_error(answer)
    except (OSError, TimeoutError, BrokenAnswer) as broken:
        error = _reason(broken)
    finally:
        if writer is not None:
            writer.close()
    tally.fresh(error, (time.monotonic() - started) * 1000)


def _status_error(answer: Answer) -> str | None:
    return None if answer.status == 200 else f"HTTP {answer.status}"


async def _fresh_loop(target: Target, tally: Tally, rate: float, timeout: float, stop: asyncio.Event) -> None:
    pending: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    while not stop.is_set():
        task = asyncio.create_task(_fresh(target, tally, timeout))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*pending)


async def _kept_loop(target: Target, tally: Tally, rate: float, timeout: float, stop: asyncio.Event) -> None:
    """One kept-alive client: reconnects only when told to (Connection: close) or after a counted loss."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(target.address, target.port)
        except (OSError, TimeoutError) as broken:
            tally.kept(_reason(broken))
            await asyncio.sleep(1 / rate)
            continue
        tally.reconnects += 1
        try:
            await _kept_session(target, reader, writer, tally, rate, timeout, stop)
        finally:
            writer.close()


async def _kept_session(
    target: Target,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    tally: Tally,
    rate: float,
    timeout: float,
    stop: asyncio.Event,
) -> None:
    while not stop.is_set():
        try:
            async with asyncio.timeout(timeout):
                writer.write(target.request(close=False))
                await writer.drain()
                answer = await read_answer(reader)
        except (OSError, TimeoutError, BrokenAnswer) as broken:
            tally.kept(_reason(broken))
            return
        tally.kept(_status_error(answer))
        if answer.closes:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1 / rate)


async def _report(tally: Tally, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REPORT_EVERY_S)
        try:
            print(tally.line(final=False), flush=True)
        except BrokenPipeError:
            stop.set()


async def _main(options: argparse.Namespace) -> None:
    target = Target(options.address, options.port, options.host, options.path)
    tally, stop = Tally(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(options.max_seconds, stop.set)
    kept = (
        _kept_loop(target, tally, options.keepalive_rate, options.timeout, stop)
        for _ in range(options.keepalive)
    )
    await asyncio.gather(
        _fresh_loop(target, tally, options.rate, options.timeout, stop), _report(tally, stop), *kept
    )
    print(tally.line(final=True), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.load", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--host", required=True, help="Host header")
    parser.add_argument("--path", default="/")
    parser.add_argument("--rate", type=float, default=120.0, help="fresh connections per second")
    parser.add_argument("--keepalive", type=int, default=20, help="kept-alive connections")
    parser.add_argument(
        "--keepalive-rate", type=float, default=5.0, help="requests per second on each of them"
    )
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds after which a request is lost")
    parser.add_argument("--max-seconds", type=float, default=900.0)
    return parser


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        asyncio.run(_main(_parser().parse_args(sys.argv[1:])))
