"""``/metrics`` for Prometheus: Katib's own names, and how the server itself does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from katib.core.errors import RetryableError
from katib.core.ports import Store
from katib.resources.projection import condition_of
from katib.server.mirror import Mirror
from katib.server.tally import COUNTED, Tally
from katib.server.traffic import BUCKETS, Traffic

Number = Callable[[], float]


class Metrics(Collector):
    """Makes the answer when it is asked for. Counters begin at 0 with the process, as Prometheus expects."""

    def __init__(self, store: Store, mirror: Mirror, tally: Tally, traffic: Traffic) -> None:
        self._store = store
        self._mirror = mirror
        self._tally = tally
        self._traffic = traffic
        self._gauges: list[tuple[str, str, Number]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def watch(self, name: str, meaning: str, number: Number) -> None:
        """Tell a number of another part too."""
        self._gauges.append((name, meaning, number))

    def answer(self, request: Request) -> Response:
        """The endpoint; must be called in a thread of its own."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._registry), media_type=media_type)

    def collect(self) -> Iterator[Metric]:
        """All but what the process tells of itself."""
        yield from self._happened()
        yield from self._current()
        yield from self._requests()
        for name, meaning, number in self._gauges:
            yield GaugeMetricFamily(name, meaning, value=number())
        yield GaugeMetricFamily("katib_mirror_revision", "Newest revision that is served", value=self._mirror.revision)
        lag = self._lag()
        if lag is not None:
            yield GaugeMetricFamily("katib_mirror_lag_revisions", "Revisions of the store not yet served", value=lag)

    def _happened(self) -> Iterator[Metric]:
        counts = self._tally.counts.copy()
        for kind, ends in COUNTED.items():
            for end in ends:
                family = CounterMetricFamily(
                    f"katib_{kind}_{end}", f"{kind}s that were {end}, since the server began", labels=["namespace"]
                )
                for (of, what, namespace), count in sorted(counts.items()):
                    if (of, what) == (kind, end):
                        family.add_metric([namespace], count)
                yield family

    def _current(self) -> Iterator[Metric]:
        experiments: Counter[tuple[str, str]] = Counter()
        trials: Counter[tuple[str, str]] = Counter()
        for snapshot in self._mirror.snapshots():
            namespace = snapshot.key.namespace
            experiments[namespace, condition_of(snapshot.experiment)[0]] += 1
            for state, count in snapshot.experiment.status.counts.items():
                if count:
                    trials[namespace, state.value] += count
        for kind, counts in (("experiments", experiments), ("trials", trials)):
            family = GaugeMetricFamily(f"katib_{kind}_current", f"{kind} now", labels=["namespace", "status"])
            for labels, count in sorted(counts.items()):
                family.add_metric(labels, count)
            yield family

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("katib_api_requests", "Answers of the API", labels=["verb", "kind", "code"])
        for (verb, kind, code), count in sorted(self._traffic.requests.copy().items()):
            requests.add_metric([verb, kind, str(code)], count)
        yield requests
        durations = HistogramMetricFamily(
            "katib_api_request_duration_seconds",
            "Time from a request's headers to the end of its answer; watches are left out",
            labels=["verb", "kind"],
        )
        for (verb, kind), classes in sorted(self._traffic.durations.copy().items()):
            ends = [*map(repr, BUCKETS), "+Inf"]
            buckets = list(zip(ends, map(float, accumulate(classes)), strict=True))
            durations.add_metric([verb, kind], buckets, sum_value=float(self._traffic.seconds[verb, kind]))
        yield durations

    def _lag(self) -> int | None:
        """None while the store does not answer."""
        served = self._mirror.revision
        try:
            newer = self._store.changes(served)
        except RetryableError:
            return None
        return newer[-1].revision - served if newer else 0
