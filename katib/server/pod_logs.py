"""``pods/log``: what a trial printed, as much of it as was asked for, and what it prints until it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from katib.core.ports import LogReader
from katib.core.trial import AttemptId, Key, Trial
from katib.server.mirror import Mirror
from katib.server.objects import Object
from katib.server.pods import Pods
from katib.server.requests import flag, number
from katib.server.status import ApiError, not_found

CHUNK = 1 << 18  # bytes that are read at a time
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of the output of ``id`` is wanted. tail: so many lines of its end, None for all. limit: bytes, None for any
    number."""

    id: AttemptId
    follow: bool
    tail: int | None
    limit: int | None


def respond(mirror: Mirror, pods: Pods, request: Request, namespace: str, name: str) -> Response:
    """The answer. Raises ApiError."""
    pod, found = pods.get(namespace, name), pods.trial(namespace, name)
    if pod is None or found is None:
        raise not_found(pods.kind.full_name, name)
    asked = _asked(request, pod, found[0].key, found[1])
    return StreamingResponse(_stream(mirror, pods.reader, asked), media_type="text/plain")


def _asked(request: Request, pod: Object, key: Key, trial: Trial) -> _Asked:
    container, previous = request.query_params.get("container", ""), flag(request, "previous")
    names = [each["name"] for each in pod.tree["spec"]["containers"]]
    if container and container not in names:
        raise ApiError(400, f"container {container} is not valid for pod {pod.name}; it has: {', '.join(names)}")
    if flag(request, "timestamps"):
        raise ApiError(400, "timestamps: the output of trials is kept without times")
    if previous and trial.attempt == 1:
        raise ApiError(400, f'previous terminated container "{container}" in pod "{pod.name}" not found')
    id = AttemptId(key, trial.name, trial.attempt - previous)
    tail = number(request, "tailLines")
    if trial.finished is not None and trial.finished < _since(request):
        tail = 0
    return _Asked(id, flag(request, "follow"), tail, number(request, "limitBytes"))


def _since(request: Request) -> float:
    """From when on output is wanted, in seconds since the epoch. Lines have no times: a trial that ended before is left
    out, of any other all is shown. Raises ApiError."""
    if seconds := number(request, "sinceSeconds"):
        return time.time() - seconds
    text = request.query_params.get("sinceTime", "")
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ApiError(400, f"sinceTime: got {text!r}, expected a time as of RFC 3339") from None


async def _stream(mirror: Mirror, reader: LogReader, asked: _Asked) -> AsyncIterator[bytes]:
    remaining = asked.limit
    offset = 0 if asked.tail is None else await run_in_threadpool(_tail_offset, reader, asked.id, asked.tail)
    while remaining is None or remaining > 0:
        over = not asked.follow or _is_over(mirror, asked.id)  # asked first, so that its last words are read after
        data = await run_in_threadpool(reader.read, asked.id, offset, min(CHUNK, remaining or CHUNK))
        if data:
            offset += len(data)
            remaining = None if remaining is None else remaining - len(data)
            yield data
        elif over:
            return
        else:
            await asyncio.sleep(POLL_SECONDS)


def _is_over(mirror: Mirror, id: AttemptId) -> bool:
    """Whether the attempt will print no more: its trial has ended, has a later one, or is gone."""
    snapshot = mirror.snapshot(id.key)
    trial = snapshot.trials.get(id.trial) if snapshot else None
    return trial is None or trial.state.finished or trial.attempt > id.attempt


def _tail_offset(reader: LogReader, id: AttemptId, lines: int) -> int:
    """Where the last ``lines`` lines begin. Read twice, so that memory does not grow with the number of lines."""
    total, size, last = 0, 0, b"\n"
    for chunk in _chunks(reader, id):
        total, size, last = total + chunk.count(b"\n"), size + len(chunk), chunk[-1:]
    skipped = total + (last != b"\n") - lines
    if lines == 0 or skipped <= 0:
        return size if lines == 0 else 0
    offset = 0
    for chunk in _chunks(reader, id):
        found = chunk.count(b"\n")
        if found >= skipped:
            return offset + len(b"\n".join(chunk.split(b"\n", skipped)[:skipped])) + 1
        skipped, offset = skipped - found, offset + len(chunk)
    return offset


def _chunks(reader: LogReader, id: AttemptId) -> Iterator[bytes]:
    offset = 0
    while chunk := reader.read(id, offset, CHUNK):
        yield chunk
        offset += len(chunk)
