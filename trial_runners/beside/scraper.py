"""Scrapes a trial's ``/metrics`` while it runs, and keeps what changed.

Only what a process of the trial itself listens on is scraped, so that trials with one port in common never get each
other's values: first the port that the trial was given (KATIB_METRICS_PORT), then the one that the YAML names.

``collector.log`` gets what ``exposition`` keeps. A last value is seen if it stands for one interval before the trial
ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil

from trial_runners.beside.exposition import Endpoint, Samples, get
from trial_runners.beside.surroundings import detach, has_ended, write_state


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
        self._samples = Samples(beside["names"])
        self._state: dict[str, Any] = {}

    def scrape(self) -> None:
        """One look; whatever goes wrong is left as the state."""
        state = {name: self._state[name] for name in ("url",) if name in self._state}
        try:
            state["url"], body = self._fetch()
            self._keep(body)
        except ConnectionError as error:
            state = self._state or {"problem": str(error)}  # at the trial's end it is normal
        except OSError as error:
            state["problem"] = str(error) or type(error).__name__
        if state != self._state:
            self._state = state
            write_state(self._folder, state)

    def _fetch(self) -> tuple[str, str]:
        """The address that answered, and what. Raises OSError with the reason."""
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
        endpoint = Endpoint(host, port, beside["path"], beside["secure"], beside["headers"])
        return endpoint.url, get(endpoint)

    def _keep(self, body: str) -> None:
        """Write down what changed."""
        line = self._samples.changes(body, time.time())
        if line:
            with open(os.path.join(self._folder, "collector.log"), "ab", buffering=0) as file:
                file.write(line)


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
