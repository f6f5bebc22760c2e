"""DBManager on a real socket, over each kind of store."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from katib.core.changes import Changes, TrialChange
from katib.core.experiment import CollectorSpec
from katib.core.objective import Measurement
from katib.core.observation_log import PUSHED
from katib.core.trial import Cursor, TrialState
from katib.metrics.values import parse_time
from katib.storage import open_store
from suggestion_service.codec.logs import decode_report, encode_report, encode_time
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.server import db_manager, serve
from tests.contracts.store_contract import KEY, create, experiment, trial
from tests.suggestion_service.katib_client import OPTIONS, call, report, rows_of

Code = grpc.StatusCode
T = "2024-05-01T12:00:{:02d}Z"


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/katib.db"}
    opened = open_store(urls[request.param])
    yield opened.store
    opened.store.close()


@pytest.fixture
def channel(store):
    server = serve("127.0.0.1:0", [db_manager(DBManagerServicer(store, KEY.namespace), store)])
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=OPTIONS) as opened:
        yield opened
    server.stop(grace=0)


def send(channel, *rows, trial="katib-abc", **fields):
    return call(channel, "DBManager", "ReportObservationLog", report(trial, *rows, **fields))


def read(channel, trial="katib-abc", **fields):
    reply = call(channel, "DBManager", "GetObservationLog", pb.GetObservationLogRequest(trial_name=trial, **fields))
    return rows_of(reply) if isinstance(reply, pb.GetObservationLogReply) else reply


def create_pushing(store):
    """Experiment team/study, whose trials push their metrics."""
    pushing = experiment()
    pushing = replace(pushing, spec=replace(pushing.spec, collector=CollectorSpec("Push")))
    store.commit(Changes(KEY, pushing), expected=0)


class TestForeignTrials:
    """A Katib collector reports, a Katib controller reads, of trials that are not in the store."""

    def test_rows_come_back_in_order_of_time_then_of_arrival(self, channel):
        send(channel, (T.format(2), "loss", "0.2"), (T.format(1), "loss", "0.1"))
        send(channel, (T.format(1), "acc", "0.9"), (T.format(2), "loss", "0.3"))

        assert read(channel) == [
            (T.format(1), "loss", "0.1"),
            (T.format(1), "acc", "0.9"),
            (T.format(2), "loss", "0.2"),
            (T.format(2), "loss", "0.3"),
        ]

    @pytest.mark.parametrize("value", ["1e-05", "unavailable", "nan", "-inf", "Genotype(normal=[('☃', 1)])", ""])
    def test_a_value_is_kept_as_it_was_written(self, channel, value):
        send(channel, (T.format(1), "loss", value))

        assert read(channel) == [(T.format(1), "loss", value)]

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"),
            ("2024-05-01T14:00:00.5+02:00", "2024-05-01T12:00:00.500000Z"),
            ("2024-05-01T12:00:00.123456789Z", "2024-05-01T12:00:00.123457Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:00Z", "9999-12-31T23:59:00Z"),
        ],
    )
    def test_times_are_utc_to_the_microsecond(self, channel, sent, kept):
        send(channel, (sent, "loss", "1"))

        assert [time for time, _, _ in read(channel)] == [kept]

    def test_rows_without_a_time_are_skipped(self, channel):
        reply = send(channel, ("", "loss", "1"), (T.format(1), "loss", "2"), ("", "loss", "3"))

        assert reply == pb.ReportObservationLogReply()
        assert read(channel) == [(T.format(1), "loss", "2")]

    @pytest.mark.parametrize("rows", [[], [("", "loss", "1")]], ids=["no-rows", "no-times"])
    def test_a_report_of_nothing_is_no_error(self, channel, rows):
        assert send(channel, *rows) == pb.ReportObservationLogReply()
        assert read(channel) == []

    @pytest.mark.parametrize(
        ("fields", "seconds"),
        [
            pytest.param({}, [1, 2, 3], id="all"),
            pytest.param({"start_time": T.format(2)}, [2, 3], id="start-included"),
            pytest.param({"end_time": T.format(2)}, [1, 2], id="end-included"),
            pytest.param({"start_time": "2024-05-01T14:00:02+02:00", "end_time": T.format(2)}, [2], id="other-zone"),
            pytest.param({"start_time": T.format(3), "end_time": T.format(1)}, [], id="empty-range"),
            pytest.param({"metric_name": "loss"}, [1, 3], id="metric"),
            pytest.param({"metric_name": "f1"}, [], id="unknown-metric"),
        ],
    )
    def test_rows_are_chosen(self, channel, fields, seconds):
        send(channel, (T.format(1), "loss", "1"), (T.format(2), "acc", "2"), (T.format(3), "loss", "3"))

        assert [time for time, _, _ in read(channel, **fields)] == [T.format(s) for s in seconds]

    @pytest.mark.parametrize(
        ("rows", "words"),
        [
            pytest.param([("yesterday", "loss", "1")], "metric_logs[1].time_stamp: got 'yesterday'", id="text"),
            pytest.param([("2024-05-01 12:00:00", "loss", "1")], "expected a time of RFC 3339", id="no-zone"),
            pytest.param([("2024-13-01T12:00:00Z", "loss", "1")], "metric_logs[1].time_stamp", id="month"),
            pytest.param([(T.format(1), "", "1")], "metric_logs[1].metric.name: got ''", id="no-name"),
            pytest.param([(T.format(1), "x" * 254, "1")], "expected a name of 1 to 253", id="long-name"),
            pytest.param([("soon", "a", "1"), ("later", "b", "1")], "metric_logs[2].time_stamp", id="every-one"),
        ],
    )
    def test_a_wrong_row_is_named_and_nothing_of_its_report_is_taken(self, channel, rows, words):
        code, details = send(channel, (T.format(1), "loss", "1"), *rows)

        assert code is Code.INVALID_ARGUMENT
        assert words in details
        assert read(channel) == []

    @pytest.mark.parametrize(
        ("request_", "words"),
        [
            pytest.param({"start_time": "soon"}, "start_time: got 'soon'", id="start"),
            pytest.param({"end_time": "2024-05-01"}, "end_time: got '2024-05-01'", id="end"),
            pytest.param({"trial": ""}, "trial_name: got ''", id="no-trial"),
            pytest.param({"trial": "a\nb"}, "trial_name: got 'a\\nb'", id="control-character"),
        ],
    )
    def test_a_wrong_question_is_an_invalid_argument(self, channel, request_, words):
        code, details = read(channel, **request_)

        assert code is Code.INVALID_ARGUMENT
        assert words in details

    def test_a_deleted_log_is_empty_and_deleting_nothing_is_no_error(self, channel):
        send(channel, (T.format(1), "loss", "1"))

        for _ in range(2):
            request = pb.DeleteObservationLogRequest(trial_name="katib-abc")
            assert call(channel, "DBManager", "DeleteObservationLog", request) == pb.DeleteObservationLogReply()
        assert read(channel) == []

    def test_namespaces_are_apart(self, channel):
        send(channel, (T.format(1), "loss", "1"))
        send(channel, (T.format(1), "loss", "2"), namespace="elsewhere")

        assert [v for *_, v in read(channel)] == ["1"]
        assert [v for *_, v in read(channel, namespace=KEY.namespace)] == ["1"]
        assert [v for *_, v in read(channel, namespace="elsewhere")] == ["2"]

    def test_a_report_that_names_itself_is_taken_once(self, channel):
        for _ in range(2):
            send(channel, (T.format(1), "loss", "1"), report="r1")
        send(channel, (T.format(1), "loss", "1"), report="r2")

        assert len(read(channel)) == 2

    def test_a_large_report_is_taken_whole(self, channel):
        rows = [(T.format(i % 60), f"m{i % 7}", str(i)) for i in range(20_000)]
        send(channel, *rows)

        assert len(read(channel)) == 20_000


class TestOwnTrials:
    """Trials of the store's own experiments: what the engine recorded, and what it has not taken in yet."""

    def measured(self, store, *values, **fields):
        """Trial study-0000 with these values recorded."""
        create_pushing(store)
        reports = tuple(Measurement("loss", v, repr(v), 100.0 + i) for i, v in enumerate(values))
        own = replace(trial(0, state=TrialState.RUNNING), measured=len(values), **fields)
        store.commit(Changes(KEY, trials=(TrialChange(own, reports),)))

    def test_the_recorded_curve_is_answered(self, store, channel):
        self.measured(store, 0.5, 0.25)

        assert read(channel, "study-0000") == [
            ("1970-01-01T00:01:40Z", "loss", "0.5"),
            ("1970-01-01T00:01:41Z", "loss", "0.25"),
        ]
        assert read(channel, "study-0000", metric_name="acc") == []

    def test_what_the_engine_took_in_is_not_answered_twice(self, store, channel):
        self.measured(store)
        for second in (1, 2, 3):
            send(channel, (T.format(second), "loss", str(second)), trial="study-0000")
        own = store.trial(KEY, "study-0000")
        rows = store.log.news(KEY.namespace, "study-0000", 1, 0, 2).rows
        taken = replace(own, measured=2, cursors={PUSHED: Cursor(2)})
        store.commit(Changes(KEY, trials=(TrialChange(taken, tuple(row.measurement for row in rows)),)))

        assert [value for *_, value in read(channel, "study-0000")] == ["1", "2", "3"]

    def test_reports_belong_to_the_attempt_that_runs(self, store, channel):
        self.measured(store, attempt=2)
        send(channel, (T.format(1), "loss", "1"), trial="study-0000")
        send(channel, (T.format(2), "loss", "2"), trial="study-0000", attempt=1)

        assert [row.measurement.text for row in store.log.news(KEY.namespace, "study-0000", 2, 0, 9).rows] == ["1"]
        assert [value for *_, value in read(channel, "study-0000")] == ["1"]

    def test_one_whose_metrics_are_collected_otherwise_is_told_so(self, store, channel):
        create(store)
        store.commit(Changes(KEY, trials=(TrialChange(trial(0)),)))

        code, details = send(channel, (T.format(1), "loss", "1"), trial="study-0000")

        assert code is Code.FAILED_PRECONDITION
        assert "collected by StdOut; the kind for metrics from here is Push" in details
        assert read(channel, "study-0000") == []

    def test_their_log_goes_with_their_experiment(self, store, channel):
        self.measured(store, 0.5)

        request = pb.DeleteObservationLogRequest(trial_name="study-0000")
        code, details = call(channel, "DBManager", "DeleteObservationLog", request)

        assert code is Code.FAILED_PRECONDITION
        assert "team/study" in details
        assert len(read(channel, "study-0000")) == 1


@pytest.mark.parametrize("name", ["", "grpc.health.v1.Health", "api.v1.beta1.DBManager"])
def test_health_is_that_of_the_store(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)

    before = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10).status

    assert before == health_pb2.HealthCheckResponse.SERVING


def test_a_store_that_does_not_answer_is_not_healthy(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/katib.db").store
    server = serve("127.0.0.1:0", [db_manager(DBManagerServicer(store), store)])
    (tmp_path / "katib.db").unlink()
    store.close()
    (tmp_path / "katib.db").mkdir()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=OPTIONS) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert reply.status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert send(channel, (T.format(1), "loss", "1"))[0] is Code.UNAVAILABLE
    server.stop(grace=0)


def test_reflection_knows_the_service(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)

    (reply,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=10)

    assert "api.v1.beta1.DBManager" in {service.name for service in reply.list_services_response.service}


@given(st.floats(-62135596800.0, 253402300740.0))
def test_a_time_reads_back_to_the_microsecond(seconds):
    assert parse_time(encode_time(seconds)) == pytest.approx(seconds, abs=1e-5)


@given(
    st.lists(
        st.builds(
            Measurement,
            st.sampled_from(["loss", "état", "val/acc"]),
            st.floats(allow_nan=False, allow_infinity=False),
            st.none(),
            st.integers(-(10**9), 10**10).map(float),
            st.none() | st.integers(0, 2**62),
        ).map(lambda m: replace(m, text=repr(m.value)))
    )
)
def test_measurements_survive_the_wire(measurements):
    request = pb.ReportObservationLogRequest(trial_name="t", observation_log=encode_report(measurements))

    assert list(decode_report(request).measurements) == measurements
