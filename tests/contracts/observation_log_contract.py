"""What every observation log must do. A test module derives a class and gives it a fixture ``opened``."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from katib.core.objective import Measurement
from katib.core.observation_log import LogRow, Report
from katib.core.store_ports import ObservationLog
from katib.storage import Opened


def measurement(value: float, metric: str = "loss", time: float = 100.0) -> Measurement:
    return Measurement(metric, value, str(value), time)


def append(log: ObservationLog, *values: float, trial: str = "a", attempt: int = 1, **fields: object) -> None:
    """One report with these values."""
    log.append("team", trial, Report(tuple(measurement(value, **fields) for value in values), attempt))


def values(rows: object) -> list[float]:
    return [row.measurement.value for row in rows]


class ObservationLogContract:
    """The suite."""

    def test_rows_come_back_as_they_were_given(self, opened: Opened) -> None:
        odd = (
            Measurement("loss", 0.25, "2.5e-1", 1714564800.123456, step=7),
            Measurement("état", None, "Genotype('☃')\n\"x\"", -62135596800.0),
            Measurement("loss", None, "unavailable", 1714564801.0),
        )
        opened.store.log.append("team", "a", Report(odd, 2))

        rows = opened.store.log.read("team", "a")
        assert sorted(rows) == [LogRow(i, 2, each) for i, each in enumerate(odd)]

    def test_rows_are_in_order_of_time_then_of_arrival(self, opened: Opened) -> None:
        log = opened.store.log
        append(log, 1, 2, time=20.0)
        append(log, 3, time=10.0)
        append(log, 4, time=20.0)

        assert values(log.read("team", "a")) == [3, 1, 2, 4]

    @pytest.mark.parametrize(
        ("metric", "start", "end", "expected"),
        [
            pytest.param("", -math.inf, math.inf, [1, 2, 3, 4], id="all"),
            pytest.param("loss", -math.inf, math.inf, [1, 2, 4], id="metric"),
            pytest.param("acc", -math.inf, math.inf, [3], id="other-metric"),
            pytest.param("Loss", -math.inf, math.inf, [], id="case-matters"),
            pytest.param("", 2.0, 3.0, [2, 3], id="both-ends-included"),
            pytest.param("loss", 2.5, math.inf, [4], id="metric-and-start"),
            pytest.param("", -math.inf, 0.5, [], id="none"),
        ],
    )
    def test_rows_are_chosen(
        self, opened: Opened, metric: str, start: float, end: float, expected: list[float]
    ) -> None:
        log = opened.store.log
        append(log, 1, time=1.0)
        append(log, 2, time=2.0)
        append(log, 3, metric="acc", time=3.0)
        append(log, 4, time=4.0)

        assert values(log.read("team", "a", metric, start, end)) == expected

    def test_trials_and_namespaces_are_apart(self, opened: Opened) -> None:
        log = opened.store.log
        append(log, 1)
        append(log, 2, trial="b")
        log.append("other", "a", Report((measurement(3),)))
        log.delete("team", "b")

        assert [values(log.read(*place)) for place in (("team", "a"), ("team", "b"), ("other", "a"))] == [[1], [], [3]]

    def test_a_report_is_taken_once(self, opened: Opened) -> None:
        log = opened.store.log
        report = Report((measurement(1), measurement(2)), id="one")

        assert [log.append("team", "a", report), log.append("team", "a", report)] == [True, False]
        assert log.append("team", "b", report)
        assert values(log.read("team", "a")) == [1, 2]

    def test_equal_reports_without_an_id_are_both_taken(self, opened: Opened) -> None:
        for _ in range(2):
            append(opened.store.log, 1)

        assert values(opened.store.log.read("team", "a")) == [1, 1]

    def test_news_are_those_of_the_attempt_from_the_cursor_on(self, opened: Opened) -> None:
        log = opened.store.log
        append(log, 1, 2, time=9.0)
        append(log, 3, time=1.0)
        append(log, 4, 5, attempt=2)

        assert values(log.news("team", "a", 1, 0, 10).rows) == [1, 2, 3]
        assert [(row.sequence, row.measurement.value) for row in log.news("team", "a", 1, 1, 10).rows] == [
            (1, 2),
            (2, 3),
        ]
        assert values(log.news("team", "a", 2, 0, 10).rows) == [4, 5]
        assert log.news("team", "b", 1, 0, 10).rows == ()

    @pytest.mark.parametrize(("limit", "more"), [(2, True), (3, False), (4, False)])
    def test_news_say_whether_there_is_more(self, opened: Opened, limit: int, more: bool) -> None:
        append(opened.store.log, 1, 2, 3)

        news = opened.store.log.news("team", "a", 1, 0, limit)

        assert (values(news.rows), news.more) == ([1, 2, 3][:limit], more)

    def test_an_early_stop_is_noted_for_its_attempt(self, opened: Opened) -> None:
        log = opened.store.log
        before = log.early_stopped("team", "a")
        for _ in range(2):
            log.mark_early_stopped("team", "a", 1)

        assert (before, log.early_stopped("team", "a"), log.early_stopped("team", "b")) == (False, True, False)
        assert [log.news("team", "a", attempt, 0, 10).early_stopped for attempt in (1, 2)] == [True, False]

    def test_what_is_deleted_is_gone_and_may_be_reported_again(self, opened: Opened) -> None:
        log = opened.store.log
        log.append("team", "a", Report((measurement(1),), id="one"))
        log.mark_early_stopped("team", "a", 0)
        for _ in range(2):
            log.delete("team", "a")

        assert (log.read("team", "a"), log.early_stopped("team", "a")) == ([], False)
        assert log.append("team", "a", Report((measurement(2),), id="one"))
        assert values(log.read("team", "a")) == [2]

    def test_threads_lose_no_row_and_a_reader_misses_none(self, opened: Opened) -> None:
        log = opened.store.log

        def write(thread: int) -> None:
            for i in range(25):
                append(log, thread * 100 + i)

        seen: list[float] = []
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, thread) for thread in range(4)]
            cursor = 0
            while len(seen) < 100:
                rows = log.news("team", "a", 1, cursor, 7).rows
                seen += values(rows)
                cursor = rows[-1].sequence + 1 if rows else cursor
                if not rows and all(writer.done() for writer in writers):
                    seen += values(log.news("team", "a", 1, cursor, 1000).rows)
                    break
            for writer in writers:
                writer.result()

        assert sorted(seen) == [thread * 100 + i for thread in range(4) for i in range(25)]
        assert all(
            [v for v in seen if v // 100 == thread] == [thread * 100 + i for i in range(25)] for thread in range(4)
        )

    def test_it_answers(self, opened: Opened) -> None:
        opened.store.log.check()
