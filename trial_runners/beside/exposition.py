"""Prometheus' text format, as far as a scraper needs it: what an endpoint answers, and what changed in it.

A line of JSON is kept for each scrape that brought something new. ``new``: samples that changed; ``same``: the other
samples of their names, without which a name with several series would seem to have one. ``names``: what else there is,
when that changes.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 4 << 20
ACCEPT = "text/plain;version=0.0.4"

_MAX_NAMES = 20
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# What client libraries export of their own process.
_OWN = ("process_", "python_", "go_", "promhttp_")


class Endpoint(NamedTuple):
    """Where metrics are served. headers: (name, value), sent beside our own."""

    host: str
    port: int
    path: str
    secure: bool
    headers: Sequence[tuple[str, str]]

    @property
    def url(self) -> str:
        """Its address."""
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        return f"{'https' if self.secure else 'http'}://{address}{self.path}"


def get(endpoint: Endpoint) -> str:
    """What it answers. Raises OSError (ConnectionError, ConnectionRefusedError if nobody listens) with the reason."""
    url = endpoint.url
    connection: http.client.HTTPConnection
    if endpoint.secure:  # as Kubernetes does: certificates of a pod are seldom anybody's
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", endpoint.path, headers={"Accept": ACCEPT, **dict(endpoint.headers)})
        response = connection.getresponse()
        body = response.read(MAX_BYTES + 1)
    except ConnectionRefusedError:
        raise
    except ConnectionError as error:
        raise ConnectionError(f"{url} did not answer: {error}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise OSError(f"{url} did not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise OSError(f"{url} answered {response.status} {response.reason}")
    if len(body) > MAX_BYTES:
        raise OSError(f"{url} answered with more than {MAX_BYTES} bytes")
    return body.decode("utf-8", "replace")


class Samples:
    """The samples of the scrape before."""

    def __init__(self, metrics: Iterable[str]) -> None:
        """metrics: names to look for; a counter's may have ``_total`` behind."""
        self._wanted = {name for base in metrics for name in (base, f"{base}_total")}
        self._samples: dict[str, list[str]] = {}
        self._names: list[str] = []

    def changes(self, body: str, now: float) -> bytes:
        """The line to keep of an answer, empty if nothing changed. now: seconds since the epoch."""
        samples: dict[str, list[str]] = {}
        names: dict[str, None] = {}
        for name, line in _lines(body):
            if name in self._wanted:
                samples.setdefault(name, []).append(line)
            elif not name.startswith(_OWN):
                names[name] = None
        changed = [name for name, lines in samples.items() if lines != self._samples.get(name)]
        before = {line for lines in self._samples.values() for line in lines}
        lines = [line for name in changed for line in samples[name]]
        new = [line for line in lines if line not in before]
        record: dict[str, Any] = {}
        if new:
            record = {"new": new, "same": [line for line in lines if line in before]}
        if (shown := sorted(names)[:_MAX_NAMES]) != self._names:
            record["names"] = self._names = shown
        self._samples = samples
        return json.dumps({"time": now, **record}).encode() + b"\n" if record else b""

    def recall(self, kept: Iterable[bytes]) -> None:
        """Go on after the lines ``kept`` by a scraper before this one, as if it had been this one."""
        for line in kept:
            record: Mapping[str, Any] = json.loads(line)
            samples: dict[str, list[str]] = {}
            for name, sample in _lines("\n".join([*record.get("new", ()), *record.get("same", ())])):
                samples.setdefault(name, []).append(sample)
            self._samples |= samples
            self._names = record.get("names", self._names)


def _lines(body: str) -> Iterator[tuple[str, str]]:
    """(name, line) of each line that holds a sample."""
    for line in body.splitlines():
        found = _NAME.match(line)
        if found is not None:
            yield found[0], line
