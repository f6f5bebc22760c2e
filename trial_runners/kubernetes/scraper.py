"""Scrapes the ``/metrics`` of an attempt's pod while it runs, in a thread of its own, and keeps what changed.

What was kept before a restart is recalled, so nothing is kept twice. A last value is seen if it stands for one interval
before the trial ends.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from trial_runners.attempt_folder import AttemptFolder
from trial_runners.beside.exposition import Samples
from trial_runners.beside.surroundings import write_state

Fetch = Callable[[], tuple[str, str]]
"""The address that answered, and what. Raises ConnectionError if nothing listens there (yet, or any more), OSError."""


class PodScraper:
    """The scraper of one attempt."""

    def __init__(
        self, fetch: Fetch, folder: AttemptFolder, scrape: Mapping[str, Any], news: Callable[[bool], None]
    ) -> None:
        """scrape: of ``Collection``. news: told (False) of something kept."""
        self._fetch = fetch
        self._folder = folder
        self._seconds = scrape["seconds"]
        self._news = news
        self._samples = Samples(scrape["names"])
        self._state: dict[str, str] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._scrape, name="katib-scraper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Scrape no more."""
        self._closed.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(timeout)

    def _scrape(self) -> None:
        with open(self._folder.collected, "a+b", buffering=0) as file:
            self._recall(file)
            while not self._closed.is_set():
                began = time.monotonic()
                line = self._look()
                if line:
                    file.write(line)
                    self._news(False)
                self._closed.wait(max(0.001, self._seconds - (time.monotonic() - began)))

    def _recall(self, file: Any) -> None:
        """Go on after what was kept before; half a line, which a crash left, is dropped."""
        file.seek(0)
        kept = file.read()
        whole = kept.rfind(b"\n") + 1
        os.ftruncate(file.fileno(), whole)
        self._samples.recall(kept[:whole].splitlines())

    def _look(self) -> bytes:
        """What to keep of one scrape; whatever goes wrong is left as the state."""
        state = {name: self._state[name] for name in ("url",) if name in self._state}
        line = b""
        try:
            state["url"], body = self._fetch()
            line = self._samples.changes(body, time.time())
        except ConnectionError as error:
            state = self._state or {"problem": str(error)}  # at the trial's end it is normal
        except OSError as error:
            state["problem"] = str(error) or type(error).__name__
        if state != self._state:
            self._state = state
            write_state(str(self._folder.path), state)
        return line
