"""EarlyStopping on a real socket: the rules that a Katib controller hands out, where their numbers come from, marks."""

from __future__ import annotations

from dataclasses import replace

import grpc
import pytest

from katib.core.changes import Changes, TrialChange
from katib.core.errors import UnavailableError
from katib.core.objective import Measurement
from katib.core.observation_log import Report
from katib.core.ports import Comparison
from katib.core.trial import TrialState
from katib.storage import open_store
from suggestion_service.curves import KeptCurves
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.early_stopping import EarlyStoppingServicer
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.remote_log import RemoteLog
from suggestion_service.security import ClientSecurity
from suggestion_service.server import db_manager, early_stopping, serve
from tests.algorithms.test_median_stop import SKEWED, started
from tests.contracts.store_contract import create, trial
from tests.suggestion_service.katib_client import OPTIONS, call
from tests.suggestion_service.katib_messages import Condition, experiment_of

Code = grpc.StatusCode
NAMESPACE = "team"


@pytest.fixture
def store():
    opened = open_store("memory://")
    yield opened.store
    opened.store.close()


@pytest.fixture
def started_servers():
    servers = []
    yield servers
    for server in servers:
        server.stop(grace=0)


@pytest.fixture
def channel_to(started_servers):
    """A channel to a server of these services."""
    channels = []

    def start(*services):
        started_servers.append(serve("127.0.0.1:0", services))
        channels.append(grpc.insecure_channel(f"127.0.0.1:{started_servers[-1].port}", options=OPTIONS))
        return channels[-1]

    yield start
    for channel in channels:
        channel.close()


@pytest.fixture
def stopping(store, channel_to):
    return channel_to(early_stopping(EarlyStoppingServicer(store, NAMESPACE)))


def experiment(direction=pb.MINIMIZE, rule="medianstop", **settings):
    message = experiment_of("random")
    message.spec.objective.type = direction
    message.spec.early_stopping.algorithm_name = rule
    for name, value in settings.items():
        message.spec.early_stopping.algorithm_settings.add(name=name, value=value)
    return message


def trials_of(store, *curves, condition=Condition.SUCCEEDED, prefix="katib-exp"):
    """Trials as Katib sends them, their curves in the log of ``store``."""
    found = []
    for number, curve in enumerate(curves):
        name = f"{prefix}-{number:06d}"
        measurements = tuple(Measurement("loss", v, repr(v), 100.0 + i) for i, v in enumerate(curve))
        if measurements:
            store.log.append(NAMESPACE, name, Report(measurements))
        status = {"condition": condition, "start_time": f"2024-05-01T12:00:{number:02d}Z"}
        found.append(pb.Trial(name=name, status=status))
    return found


def ask(channel, experiment, trials, address=""):
    request = pb.GetEarlyStoppingRulesRequest(experiment=experiment, trials=trials, db_manager_address=address)
    reply = call(channel, "EarlyStopping", "GetEarlyStoppingRules", request)
    if not isinstance(reply, pb.GetEarlyStoppingRulesReply):
        return reply
    return [(r.name, float(r.value), r.comparison, r.start_step) for r in reply.early_stopping_rules]


class TestRules:
    """What is answered for trials whose curves are in the log."""

    @pytest.mark.parametrize(
        ("direction", "comparison"), [(pb.MINIMIZE, pb.GREATER), (pb.MAXIMIZE, pb.LESS)], ids=["minimize", "maximize"]
    )
    def test_the_value_is_the_true_median_of_what_trials_averaged_at_the_start(
        self, store, stopping, direction, comparison
    ):
        trials = trials_of(store, (1.0, 3.0, 99.0), (4.0, 4.0), (900.0, 900.0))

        assert ask(stopping, experiment(direction, start_step="2"), trials) == [("loss", 4.0, comparison, 2)]

    @pytest.mark.parametrize(
        ("curves", "settings", "rules"),
        [
            pytest.param([(1.0,)] * 2, {}, 0, id="too-few"),
            pytest.param([(1.0,)] * 3, {}, 1, id="enough"),
            pytest.param([(1.0,), (1.0,), ()], {}, 0, id="one-without-a-log"),
            pytest.param([(1.0,)], {"min_trials_required": "1"}, 1, id="by-the-setting"),
            pytest.param([], {}, 0, id="no-trials"),
        ],
    )
    def test_there_is_none_before_enough_trials_have_succeeded(self, store, stopping, curves, settings, rules):
        assert len(ask(stopping, experiment(**settings), trials_of(store, *curves))) == rules

    @pytest.mark.parametrize(
        "condition", [Condition.RUNNING, Condition.FAILED, Condition.KILLED, Condition.EARLYSTOPPED, Condition.CREATED]
    )
    def test_only_trials_that_succeeded_count(self, store, stopping, condition):
        assert ask(stopping, experiment(), trials_of(store, *[(1.0,)] * 5, condition=condition)) == []

    def test_a_trial_that_was_marked_as_stopped_does_not_count(self, store, stopping):
        trials = trials_of(store, (1.0,), (2.0,), (3.0,), (10.0,))
        for trial_ in trials[:1]:
            call(stopping, "EarlyStopping", "SetTrialStatus", pb.SetTrialStatusRequest(trial_name=trial_.name))

        assert [value for _, value, *_ in ask(stopping, experiment(), trials)] == [3.0]

    def test_reports_that_are_no_number_are_passed_over(self, store, stopping):
        trials = trials_of(store, (1.0,), (2.0,), (3.0,))
        odd = tuple(Measurement("loss", None, text, 50.0) for text in ("nan", "unavailable", "Genotype(1)"))
        store.log.append(NAMESPACE, trials[0].name, Report(odd))

        assert ask(stopping, experiment(), trials) == [("loss", 2.0, pb.GREATER, 4)]

    def test_an_unchanged_question_has_an_unchanged_answer_in_any_order_of_trials(self, store, stopping):
        trials = trials_of(store, *[(float(i), float(i % 3)) for i in range(9)])

        assert ask(stopping, experiment(), trials) == ask(stopping, experiment(), trials[::-1])

    def test_curves_of_our_own_trials_are_those_that_were_recorded(self, store, stopping):
        key = create(store).key
        changes = []
        for number in range(3):
            own = replace(trial(number, state=TrialState.SUCCEEDED, finished=1.0), measured=1)
            changes.append(TrialChange(own, (Measurement("loss", float(number), str(number), 1.0),)))
        store.commit(Changes(key, trials=tuple(changes)))
        shown = [pb.Trial(name=f"study-{n:04}", status={"condition": Condition.SUCCEEDED}) for n in range(3)]

        assert ask(stopping, experiment(), shown) == [("loss", 1.0, pb.GREATER, 4)]


@pytest.mark.parametrize("curves", [SKEWED, [(1.0, 2.0), (5.0,), (2.0, 8.0), (4.0, 4.0)]], ids=["odd", "even"])
def test_a_rule_stops_what_the_stopper_itself_would_stop(curves):
    """One piece of code: the value of the rule lies where ``reason_to_stop`` changes its mind."""
    for report, stops in ((0.0, False), (1e-9, True)):
        simulation, stopper, number = started(curves)
        (rule,) = stopper.rules(simulation.history)
        simulation.report(number, *[rule.value + report] * 2)
        decision = stopper.reason_to_stop(simulation.history.trials[number], simulation.history)
        assert (decision is not None) is stops
        assert rule.comparison is Comparison.GREATER


class TestSettings:
    """ValidateEarlyStoppingSettings refuses with INVALID_ARGUMENT, the only code that Katib's controller heeds."""

    @pytest.mark.parametrize(
        ("rule", "settings", "words"),
        [
            pytest.param("medianstop", {}, None, id="defaults"),
            pytest.param("medianstop", {"min_trials_required": "5", "start_step": "1"}, None, id="all"),
            pytest.param("medianstop", {"min_trials_required": "0"}, "min_trials_required", id="zero"),
            pytest.param("medianstop", {"start_step": "soon"}, "got 'soon', expected an integer", id="text"),
            pytest.param("medianstop", {"start_stop": "1"}, "did you mean 'start_step'?", id="misspelt"),
            pytest.param("medianstopp", {}, "did you mean 'medianstop'?", id="unknown-rule"),
            pytest.param("", {}, "unknown early-stopping rule ''", id="no-name"),
            pytest.param("os:system", {}, "unknown early-stopping rule", id="code"),
        ],
    )
    def test_settings(self, stopping, rule, settings, words):
        message = experiment(rule=rule, **settings).spec.early_stopping
        request = pb.ValidateEarlyStoppingSettingsRequest(early_stopping=message)

        reply = call(stopping, "EarlyStopping", "ValidateEarlyStoppingSettings", request)

        if words is None:
            assert reply == pb.ValidateEarlyStoppingSettingsReply()
        else:
            assert reply[0] is Code.INVALID_ARGUMENT
            assert words in reply[1]

    def test_rules_without_a_rule_are_a_bad_question(self, stopping):
        code, details = ask(stopping, experiment_of("random"), [])

        assert code is Code.INVALID_ARGUMENT
        assert "early_stopping" in details


class TestOtherDBManagers:
    """``db_manager_address`` is a wish of the caller: only addresses that this service was told of are called."""

    @pytest.fixture
    def other(self, channel_to, started_servers):
        """Another engine's DBManager with its own store, and its address."""
        store = open_store("memory://").store
        channel_to(db_manager(DBManagerServicer(store, NAMESPACE), store))
        return store, f"127.0.0.1:{started_servers[-1].port}"

    def test_a_listed_one_is_read(self, store, channel_to, other):
        elsewhere, address = other
        log = RemoteLog(address, ClientSecurity())
        channel = channel_to(early_stopping(EarlyStoppingServicer(store, NAMESPACE, {address: log.curves})))
        trials = trials_of(elsewhere, (1.0,), (2.0,), (3.0,))

        assert ask(channel, experiment(), trials, address) == [("loss", 2.0, pb.GREATER, 4)]
        assert ask(channel, experiment(), trials, "") == []

    @pytest.mark.parametrize("address", ["{}", "169.254.169.254:80", "unix:/run/secret.sock", "no-such-host.invalid:1"])
    def test_any_other_is_never_called(self, store, stopping, other, address, caplog):
        elsewhere, real = other
        trials = trials_of(elsewhere, (1.0,), (2.0,), (3.0,))

        assert ask(stopping, experiment(), trials, address.format(real)) == []
        assert "--db-manager" in caplog.text

    def test_one_that_is_gone_is_unavailable(self, store, channel_to):
        address = "127.0.0.1:1"
        log = RemoteLog(address, ClientSecurity(), timeout=5)
        channel = channel_to(early_stopping(EarlyStoppingServicer(store, NAMESPACE, {address: log.curves})))

        code, details = ask(channel, experiment(), trials_of(store, (1.0,)), address)

        assert code is Code.UNAVAILABLE
        assert address in details

    def test_there_is_no_time_without_end(self, channel_to, other):
        _, address = other
        log = RemoteLog(address, ClientSecurity(), timeout=0.0)

        with pytest.raises(UnavailableError, match="no answer for all trials"):
            log.curves(["a"], "loss")


@pytest.mark.parametrize("name", ["", "x" * 254, "a\x00b"], ids=["empty", "too-long", "control-character"])
def test_a_trial_that_cannot_be_is_refused(stopping, name):
    reply = call(stopping, "EarlyStopping", "SetTrialStatus", pb.SetTrialStatusRequest(trial_name=name))

    assert reply[0] is Code.INVALID_ARGUMENT


class TestKeptCurves:
    """Curves of trials that have ended are read once."""

    def test_a_question_reads_what_is_new(self):
        asked = []

        def read(names):
            asked.append(list(names))
            return {name: [Measurement("loss", 1.0, "1", 1.0)] if name != "empty" else [] for name in names}

        kept = KeptCurves()
        kept.get({"a": "a", "empty": "empty"}, read)
        curves = kept.get({"a": "a", "empty": "empty", "b": "b"}, read)

        assert asked == [["a", "empty"], ["empty", "b"]]
        assert {name: len(curve) for name, curve in curves.items()} == {"a": 1, "empty": 0, "b": 1}

    def test_the_oldest_go_first(self):
        asked = []

        def read(names):
            asked.extend(names)
            return {name: [Measurement("loss", 1.0, "1", 1.0)] * 4 for name in names}

        kept = KeptCurves(max_rows=10)
        for name in ("a", "b", "a", "c", "a", "b"):
            kept.get({name: name}, read)

        assert asked == ["a", "b", "c", "b"]

    def test_a_later_trial_of_the_same_name_has_its_own(self, store, stopping):
        first = trials_of(store, (1.0,), (1.0,), (1.0,))
        assert ask(stopping, experiment(), first) == [("loss", 1.0, pb.GREATER, 4)]
        for trial_ in first:
            store.log.delete(NAMESPACE, trial_.name)
        second = trials_of(store, (2.0,), (2.0,), (2.0,))
        for trial_ in second:
            trial_.status.start_time = trial_.status.start_time.replace("2024", "2025")

        assert ask(stopping, experiment(), second) == [("loss", 2.0, pb.GREATER, 4)]
