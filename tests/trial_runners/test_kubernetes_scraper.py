"""The scraper of a pod's endpoint: what it keeps, also across a restart, and what it tells of trouble."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from tests.contracts.runner_contract import until
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes.scraper import PodScraper
from trial_runners.kubernetes.sources import Collection, scrape_of

SCRAPE = {"names": ["loss"], "seconds": 0.01}


class Endpoint:
    """Answers with what it is told to."""

    def __init__(self) -> None:
        self.answer: str | OSError = ConnectionError("no pod yet")
        self.asked = threading.Semaphore(0)

    def __call__(self) -> tuple[str, str]:
        self.asked.release()
        if isinstance(self.answer, OSError):
            raise self.answer
        return "http://pod/metrics", self.answer

    def says(self, answer: str | OSError) -> None:
        """Wait until it was asked after this."""
        self.answer = answer
        while self.asked.acquire(blocking=False):
            pass
        assert self.asked.acquire(timeout=5)
        assert self.asked.acquire(timeout=5)


@pytest.fixture
def folder(tmp_path: Path) -> AttemptFolder:
    return AttemptFolder(tmp_path)


@pytest.fixture
def scraped(folder: AttemptFolder):
    scrapers: list[PodScraper] = []

    def scrape(endpoint: Endpoint, news: Callable[[bool], None] = lambda urgent: None) -> PodScraper:
        scrapers.append(PodScraper(endpoint, folder, SCRAPE, news))
        return scrapers[-1]

    yield scrape
    for scraper in scrapers:
        scraper.close()
        scraper.join(5)


def kept(folder: AttemptFolder) -> list[list[str]]:
    return [json.loads(line).get("new", []) for line in folder.collected.read_bytes().splitlines()]


def test_what_changed_is_kept_once(folder: AttemptFolder, scraped) -> None:
    told: list[bool] = []
    endpoint = Endpoint()
    first = scraped(endpoint, told.append)
    endpoint.says("loss 1\nother 5\n")
    endpoint.says("loss 0.5\nother 5\n")
    first.close()
    first.join(5)
    with open(folder.collected, "ab") as file:
        file.write(b'{"time": 1, "new": ["lo')  # a crash
    scraped(endpoint)
    endpoint.says("loss 0.5\nother 5\n")
    assert kept(folder) == [["loss 1"], ["loss 0.5"]]
    endpoint.says("loss 0.25\nother 5\n")
    assert kept(folder) == [["loss 1"], ["loss 0.5"], ["loss 0.25"]]
    assert told == [False, False]


def test_trouble_is_told(folder: AttemptFolder, scraped) -> None:
    collection = Collection("PrometheusMetric", scrape=SCRAPE)
    endpoint = Endpoint()
    scraped(endpoint)
    endpoint.says(ConnectionError("no pod yet"))
    assert collection.looked(folder, "") == ("no pod yet", "")
    endpoint.says("loss 1\n")
    endpoint.says(OSError("it answered 500"))
    assert collection.looked(folder, "") == ("http://pod/metrics answered, and at last it answered 500", "")
    endpoint.says("loss 1\n")
    endpoint.says(ConnectionError("gone"))
    until(lambda: collection.looked(folder, "") == ("http://pod/metrics answered", ""))


def test_what_a_scraper_is_told() -> None:
    action = {"port": 9090, "scheme": "HTTPS", "httpHeaders": [{"name": "X", "value": "y"}]}
    spec = CollectorSpec("PrometheusMetric", options={"httpGet": action})
    assert scrape_of(spec, ('loss{split="val"}', "loss", "acc")) == {
        "port": 9090,
        "path": "/metrics",
        "secure": True,
        "headers": [["X", "y"]],
        "names": ["acc", "loss"],
        "seconds": 0.5,
    }
    with pytest.raises(RunnerError, match="it is the pod"):
        scrape_of(CollectorSpec("PrometheusMetric", options={"httpGet": {"host": "example.org"}}), ())
