"""All that reads what an attempt says while it runs: the output of its containers, and the endpoint of its pod."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trial_runners.beside.exposition import ACCEPT, MAX_BYTES, TIMEOUT_SECONDS, Endpoint, get
from trial_runners.kubernetes.api import PODS, Api, RefusedError, Request, Tree, UnansweredError
from trial_runners.kubernetes.log_follower import LogFollower
from trial_runners.kubernetes.scraper import Fetch, PodScraper

# How the API server begins what it says of an endpoint that it cannot reach.
_UNREACHED = "error trying to reach service"


class Listeners:
    """Threads that fill the attempt's folder."""

    def __init__(self, followers: Sequence[LogFollower], scraper: PodScraper | None) -> None:
        """followers: of its containers' output."""
        self._followers = followers
        self._scraper = scraper

    @property
    def finished(self) -> bool:
        """Whether all was read, or cannot be."""
        return all(follower.finished for follower in self._followers)

    @property
    def problem(self) -> str:
        """Why something could not be read."""
        return next((follower.problem for follower in self._followers if follower.problem), "")

    def look(self) -> None:
        """Something of the pod has changed."""
        for follower in self._followers:
            follower.look()

    def finish(self) -> None:
        """Nothing runs any more: stop when what there is was read."""
        if self._scraper is not None:
            self._scraper.close()
        for follower in self._followers:
            follower.finish()

    def close(self) -> None:
        """Stop now."""
        if self._scraper is not None:
            self._scraper.close()
        for follower in self._followers:
            follower.close()

    def join(self, timeout: float) -> None:
        """Wait for the threads to end."""
        deadline = time.monotonic() + timeout
        if self._scraper is not None:
            self._scraper.join(timeout)
        for follower in self._followers:
            follower.join(max(0.0, deadline - time.monotonic()))


def fetch_from(api: Api, namespace: str, scrape: Mapping[str, Any], running: Callable[[], Tree | None]) -> Fetch:
    """What asks the endpoint of the pod that ``running`` gives: within the cluster at the pod's own address, which
    costs the API server nothing and needs no right to its proxy; else through the API server, which reaches pods from
    anywhere."""

    def fetch() -> tuple[str, str]:
        pod = running()
        if pod is None:
            raise ConnectionError("its pod does not run")
        if api.inside:
            address = pod["status"]["podIP"]
            endpoint = Endpoint(address, scrape["port"], scrape["path"], scrape["secure"], scrape["headers"])
            return endpoint.url, get(endpoint)
        return _proxied(api, namespace, scrape, pod["metadata"]["name"])

    return fetch


def _proxied(api: Api, namespace: str, scrape: Mapping[str, Any], pod: str) -> tuple[str, str]:
    name = f"{'https:' if scrape['secure'] else ''}{pod}:{scrape['port']}"
    place = f"port {scrape['port']}{scrape['path']} of pod {pod}"
    headers = {"Accept": ACCEPT, **dict(scrape["headers"])}
    request = Request("proxy", PODS, namespace, name, part=f"proxy{scrape['path']}", headers=headers)
    body = b""
    try:
        for chunk in api.stream(request, TIMEOUT_SECONDS).chunks():
            body += chunk
            if len(body) > MAX_BYTES:
                raise OSError(f"{place} answered with more than {MAX_BYTES} bytes")
    except UnansweredError as error:
        if not error.status or _UNREACHED in str(error):
            raise ConnectionError(f"{place} did not answer: {error}") from error
        raise OSError(f"{place} answered: {error}") from error
    except RefusedError as error:
        raise OSError(f"{place} answered: {error}") from error
    return place, body.decode("utf-8", "replace")
