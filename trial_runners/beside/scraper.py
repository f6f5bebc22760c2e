"""Scrapes a trial's ``/metrics`` while it runs, and keeps what changed.

Only what a process of the trial itself listens on is scraped, so that trials with one port in common never get each
other's values: first the port that the trial was given (KATIB_METRICS_PORT), then the one that the YAML names.

``collector.log`` gets a line of JSON for each scrape that brought something new. ``new``: samples that changed;
``same``: the other samples of their names, without which a name with several series would seem to have one. ``names``:
what else there is, when that changes. A last value is seen if it stands for one interval before the trial ends.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil

from trial_runners.beside.surroundings import detach, has_ended, write_state

_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 4 << 20
_MAX_NAMES = 20
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# What client libraries export of their own process.
_OWN = ("process_", "python_", "go_", "promhttp_")
_ACCEPT = "text/plain;version=0.0.4"


def main(folder: str, beside: dict[str, Any]) -> None:
    """beside: hosts and ports to try, path, secure, headers, names to look for, seconds between two scrapes."""
    session = detach()
    threading.Thread(target=_leave_with_the_trial, daemon=True).start()
    scraper = Scraper(folder, beside, session)
    while True:
        began = time.monotonic()
        scraper.scrape()
        time.sleep(max(0.001, beside["seconds"] - (time.monotonic() - began)))


def _leave_with_the_trial() -> None:
    """Whatever a slow endpoint lets the main thread wait for."""
    while not has_ended(3600.0):
        pass
    os._exit(0)


class Scraper:
    """Remembers the samples of the scrape before. A restart of the engine does not touch it."""

    def __init__(self, folder: str, beside: dict[str, Any], session: int) -> None:
        """session: the trial's."""
        self._folder = folder
        self._beside = beside
        self._session = session
        self._wanted = {name for base in beside["names"] for name in (base, f"{base}_total")}
        self._samples: dict[str, list[str]] = {}
        self._names: list[str] = []
        self._state: dict[str, Any] = {}

    def scrape(self) -> None:
        """One look; whatever goes wrong is left as the state."""
        state = {name: self._state[name] for name in ("url",) if name in self._state}
        try:
            state["url"], body = self._fetch()
            self._keep(body, time.time())
        except ConnectionError as error:
            state = self._state or {"problem": str(error)}  # at the trial's end it is normal
        except (OSError, http.client.HTTPException, ValueError) as error:
            state["problem"] = str(error) or type(error).__name__
        if state != self._state:
            self._state = state
            write_state(self._folder, state)

    def _fetch(self) -> tuple[str, str]:
        """The address that answered, and what. Raises OSError, HTTPException or ValueError with the reason."""
        beside = self._beside
        for port in beside["ports"]:
            if not listens(self._session, port):
                continue
            for host in beside["hosts"]:
                try:
                    return self._get(host, port)
                except ConnectionRefusedError:
                    continue
        own, declared = beside["ports"]
        raise ConnectionError(f"no process of the trial listens on port {declared} or {own} (KATIB_METRICS_PORT)")

    def _get(self, host: str, port: int) -> tuple[str, str]:
        beside = self._beside
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        url = f"{'https' if beside['secure'] else 'http'}://{address}{beside['path']}"
        connection: http.client.HTTPConnection
        if beside["secure"]:  # as Kubernetes does: certificates of a pod are seldom anybody's
            context = ssl._create_unverified_context()  # noqa: S323
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("GET", beside["path"], headers={"Accept": _ACCEPT, **dict(beside["headers"])})
            response = connection.getresponse()
            body = response.read(_MAX_BYTES + 1)
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
        if len(body) > _MAX_BYTES:
            raise OSError(f"{url} answered with more than {_MAX_BYTES} bytes")
        return url, body.decode("utf-8", "replace")

    def _keep(self, body: str, now: float) -> None:
        """Write down what changed."""
        samples: dict[str, list[str]] = {}
        names: dict[str, None] = {}
        for name, line in _samples(body):
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
        if record:
            self._append({"time": now, **record})
        self._samples = samples

    def _append(self, record: dict[str, Any]) -> None:
        path = os.path.join(self._folder, "collector.log")
        with open(path, "ab", buffering=0) as file:
            file.write(json.dumps(record).encode() + b"\n")


def listens(session: int, port: int) -> bool:
    """Whether a process of ``session`` listens on ``port``; where that cannot be known, yes."""
    try:
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for process in _members(session)
            for connection in process.net_connections("tcp")
        )
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _members(session: int) -> Iterator[psutil.Process]:
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                yield psutil.Process(pid)
        except (OSError, psutil.NoSuchProcess):
            continue


def _samples(body: str) -> Iterator[tuple[str, str]]:
    """(name, line) of each line that holds a sample."""
    for line in body.splitlines():
        found = _NAME.match(line)
        if found is not None:
            yield found[0], line
