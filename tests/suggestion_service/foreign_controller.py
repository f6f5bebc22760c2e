"""A small Katib: controller, collector sidecars and trials in one process, knowing Katib's protocol and nothing else.

Run as a program with the folder of the generated stubs in PYTHONPATH and the experiment as JSON on the command line.
It follows Katib 0.19 where that matters to a service: replies must have exactly the count that was asked for, else they
are thrown away and asked for again; labels are never sent back; settings in a reply are kept and sent with later
requests; trials without a metric are hidden; early-stopping rules go to every trial of a batch and are applied beside
the trial; an observation is read from DBManager. Unlike Katib it stops when it is stuck.

Trials advance by one step a round. Their values, failures and missing metrics follow from their parameters alone.
"""

import json
import random
import sys
import time
import zlib

import api_pb2 as pb
import api_pb2_grpc as rpc
import grpc

Condition = pb.TrialStatus
STEPS = 4
MAX_STUCK = 8  # rounds with nothing running and no acceptable reply


class Trial:
    def __init__(self, name, values, rules, start):
        self.name, self.values, self.rules, self.start = name, values, rules, start
        self.steps, self.seen, self.condition, self.end, self.observed = 0, {}, Condition.RUNNING, "", None
        draw = zlib.crc32(json.dumps(values, sort_keys=True).encode()) % 100
        self.fate = "fail" if draw < 8 else "silent" if draw < 14 else "end"

    def value(self):
        """Loss after the steps so far: falls towards the distance from the best parameters."""
        lr, layers = float(self.values["lr"]), float(self.values["layers"])
        return abs(lr - 0.3) + abs(layers - 4) / 10 + 1.0 / (1 + self.steps)


class Controller:
    def __init__(self, config):
        self.config = config
        options = [("grpc.enable_http_proxy", 0), ("grpc.initial_reconnect_backoff_ms", 100)]
        main, stopping = (grpc.insecure_channel(config[key], options) for key in ("address", "stopping_address"))
        self.suggestion, self.db = rpc.SuggestionStub(main), rpc.DBManagerStub(main)
        self.stopping = rpc.EarlyStoppingStub(stopping)
        self.dice = random.Random(config["name"])
        self.trials, self.settings, self.labels = [], dict(config["settings"]), {}
        self.clock = self.suggested = 0
        self.counts = dict.fromkeys(("calls", "refused", "retried", "rules", "stuck"), 0)

    def call(self, method, request):
        """Katib asks again, later, whatever the code of the failure is."""
        while True:
            self.counts["calls"] += 1
            try:
                return method(request, timeout=60)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self.counts["retried"] += 1
                time.sleep(0.1)

    def experiment(self):
        config = self.config
        message = pb.Experiment(name=config["name"])
        spec = message.spec
        for parameter in config["parameters"]:
            space = pb.FeasibleSpace(**parameter["space"])
            spec.parameter_specs.parameters.add(
                name=parameter["name"], parameter_type=parameter["type"], feasible_space=space
            )
        spec.objective.CopyFrom(pb.ObjectiveSpec(type=pb.MINIMIZE, objective_metric_name="loss"))
        spec.algorithm.algorithm_name = config["algorithm"]
        for name, value in self.settings.items():
            spec.algorithm.algorithm_settings.add(name=name, value=value)
        spec.early_stopping.algorithm_name = "medianstop"
        spec.early_stopping.algorithm_settings.add(name="start_step", value="2")
        spec.parallel_trial_count, spec.max_trial_count = config["parallel"], config["maximum"]
        return message

    def run(self):
        experiment = self.experiment()
        self.call(self.suggestion.ValidateAlgorithmSettings, pb.ValidateAlgorithmSettingsRequest(experiment=experiment))
        settings = pb.ValidateEarlyStoppingSettingsRequest(early_stopping=experiment.spec.early_stopping)
        self.call(self.stopping.ValidateEarlyStoppingSettings, settings)
        stuck = 0
        while self.count() < self.config["maximum"] and stuck < MAX_STUCK:
            accepted = self.ask()
            running = [trial for trial in self.trials if trial.condition == Condition.RUNNING]
            stuck = 0 if accepted or running else stuck + 1
            for trial in running:
                self.advance(trial)
            print(f"trials {len(self.trials)}", flush=True)
        self.counts["stuck"] = int(stuck >= MAX_STUCK)
        return self.summary()

    def count(self):
        return sum(trial.condition != Condition.RUNNING for trial in self.trials)

    def ask(self):
        """Katib's arithmetic of requests (its trials without a metric are left out of what is complete)."""
        active = len(self.trials) - self.count()
        complete = sum(t.condition not in (Condition.RUNNING, Condition.METRICSUNAVAILABLE) for t in self.trials)
        wanted = min(self.config["parallel"], self.config["maximum"] - complete) - active
        total = len(self.trials) + max(wanted, 0)
        current = total - self.suggested
        if current <= 0:
            return True
        reply = self.call(self.suggestion.GetSuggestions, pb.GetSuggestionsRequest(
            experiment=self.experiment(), trials=self.shown(), current_request_number=current,
            total_request_number=total,
        ))  # fmt: skip
        if len(reply.parameter_assignments) != current:
            self.counts["refused"] += 1
            return False
        rules = self.call(self.stopping.GetEarlyStoppingRules, pb.GetEarlyStoppingRulesRequest(
            experiment=self.experiment(), trials=self.shown(), db_manager_address="katib-db-manager.kubeflow:6789"
        )).early_stopping_rules  # fmt: skip
        self.counts["rules"] += len(rules)
        self.settings |= {setting.name: setting.value for setting in reply.algorithm.algorithm_settings}
        self.suggested = total
        for assignments in reply.parameter_assignments:
            name = assignments.trial_name or f"{self.config['name']}-{self.dice.randrange(16**8):08x}"
            values = {a.name: a.value for a in assignments.assignments}
            self.trials.append(Trial(name, values, list(rules), self.tick()))
            self.labels[name] = dict(assignments.labels)
        return True

    def shown(self):
        messages = []
        for trial in self.trials:
            if trial.condition == Condition.METRICSUNAVAILABLE:
                continue
            if trial.condition == Condition.EARLYSTOPPED and trial.observed is None:
                continue
            message = pb.Trial(name=trial.name)
            message.spec.objective.CopyFrom(pb.ObjectiveSpec(type=pb.MINIMIZE, objective_metric_name="loss"))
            for name, value in trial.values.items():
                message.spec.parameter_assignments.assignments.add(name=name, value=value)
            message.status.start_time, message.status.completion_time = trial.start, trial.end
            message.status.condition = trial.condition
            if trial.observed is not None:
                message.status.observation.metrics.add(name="loss", value=trial.observed)
            messages.append(message)
        self.dice.shuffle(messages)
        return messages

    def advance(self, trial):
        """One step of the training code and of the sidecar that reads it."""
        trial.steps += 1
        if trial.fate == "fail" and trial.steps == 2:
            self.end(trial, Condition.FAILED)
            return
        value = "unavailable" if trial.fate == "silent" else repr(trial.value())
        log = pb.ObservationLog()
        log.metric_logs.add(time_stamp=self.tick(), metric={"name": "loss", "value": value})
        log.metric_logs.add(time_stamp=self.tick(), metric={"name": "epoch", "value": str(trial.steps)})
        self.call(
            self.db.ReportObservationLog, pb.ReportObservationLogRequest(trial_name=trial.name, observation_log=log)
        )
        if trial.fate != "silent" and self.stopped_by_rules(trial, float(value)):
            self.call(self.stopping.SetTrialStatus, pb.SetTrialStatusRequest(trial_name=trial.name))
            self.end(trial, Condition.EARLYSTOPPED)
        elif trial.steps == STEPS:
            self.end(trial, Condition.METRICSUNAVAILABLE if trial.fate == "silent" else Condition.SUCCEEDED)

    def stopped_by_rules(self, trial, value):
        """As Katib's sidecar: the best value so far, tested at the start step; all rules must hold."""
        trial.seen["loss"] = min(value, trial.seen.get("loss", value))
        return bool(trial.rules) and all(
            rule.name == "loss" and rule.comparison == pb.GREATER and trial.steps == rule.start_step
            and trial.seen["loss"] > float(rule.value)
            for rule in trial.rules
        )  # fmt: skip

    def end(self, trial, condition):
        trial.condition, trial.end = condition, self.tick()
        request = pb.GetObservationLogRequest(trial_name=trial.name, metric_name="loss")
        rows = self.call(self.db.GetObservationLog, request).observation_log.metric_logs
        numbers = [row.metric.value for row in rows if row.metric.value != "unavailable"]
        expected = max(trial.steps - (trial.fate == "fail"), 0)
        assert len(rows) >= expected, (trial.name, len(rows), expected)
        trial.observed = min(numbers, key=float) if numbers else None

    def tick(self):
        self.clock += 1
        return f"2024-05-01T{self.clock // 3600:02d}:{self.clock // 60 % 60:02d}:{self.clock % 60:02d}Z"

    def summary(self):
        names = Condition.TrialConditionType
        states = [names.Name(trial.condition) for trial in self.trials]
        values = [float(t.observed) for t in self.trials if t.condition == Condition.SUCCEEDED]
        for trial in self.trials:  # as Katib's finalizer does
            self.call(self.db.DeleteObservationLog, pb.DeleteObservationLogRequest(trial_name=trial.name))
        left = [
            self.call(self.db.GetObservationLog, pb.GetObservationLogRequest(trial_name=t.name)) for t in self.trials
        ]
        return {
            **self.counts,
            "states": {state: states.count(state) for state in sorted(set(states))},
            "best": min(values),
            "first": values[0],
            "points": [trial.values for trial in self.trials],
            "names": [trial.name for trial in self.trials],
            "labels": list(self.labels.values()),
            "rows_left": sum(len(reply.observation_log.metric_logs) for reply in left),
            "ours": sorted(
                m for m in sys.modules if m.partition(".")[0] in ("katib", "algorithms", "suggestion_service")
            ),
        }


if __name__ == "__main__":
    print(json.dumps(Controller(json.loads(sys.argv[1])).run()), flush=True)
