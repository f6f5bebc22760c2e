"""The trial's side of reporting: values, places a report goes to, and what it costs to import."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import katib
from katib.core.objective import Measurement
from katib.core.ports import Chunk
from katib.core.trial import Cursor
from katib.metrics.json_lines import json_collector
from katib.metrics.text import text_collector
from katib.report import Report, TrialStopped, report_metrics
from katib.storage import open_store
from suggestion_service.db_manager import DBManagerServicer
from suggestion_service.server import db_manager, serve


@pytest.fixture(autouse=True)
def outside_any_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KATIB_METRICS_FILE", "KATIB_METRICS_FORMAT", "KATIB_DB_MANAGER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def test_it_is_a_public_name() -> None:
    assert katib.report_metrics is report_metrics


@pytest.mark.parametrize(
    ("arguments", "keywords", "line"),
    [
        pytest.param([{"loss": 0.3}], {}, "loss=0.3", id="dict"),
        pytest.param([], {"loss": 0.3}, "loss=0.3", id="keyword"),
        pytest.param([{"loss": 0.3}], {"accuracy": 1}, "loss=0.3 accuracy=1", id="both"),
        pytest.param([], {"metrics": {"loss": 0.3}}, "loss=0.3", id="katibs-keyword"),
        pytest.param([], {"loss": 0.3, "step": 4}, "step=4 loss=0.3", id="step"),
        pytest.param([{"loss": 1e-05}], {"step": np.int64(0)}, "step=0 loss=1e-05", id="numpy-step"),
        pytest.param([{"loss": np.float32(0.5)}], {}, "loss=0.5", id="numpy"),
        pytest.param([{"loss": "1e-5"}], {}, "loss=1e-5", id="text-keeps-its-form"),
        pytest.param([{"loss": math.nan, "acc": -math.inf}], {}, "loss=nan acc=-inf", id="not-finite"),
    ],
)
def test_outside_a_trial_it_prints_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[Any], keywords: dict[str, Any], line: str
) -> None:
    report_metrics(*arguments, **keywords)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize(
    ("metrics", "step", "said"),
    [
        pytest.param({}, None, "no metric given", id="nothing"),
        pytest.param({"loss": None}, None, "metric 'loss': got None (NoneType), expected a number", id="none"),
        pytest.param({"loss": True}, None, "metric 'loss': got True (bool), expected a number", id="bool"),
        pytest.param({"loss": "low"}, None, "metric 'loss': got 'low' (str), expected a number", id="text"),
        pytest.param({"a": 1, "b": [1]}, None, "metric 'b': got [1] (list), expected a number", id="second"),
        pytest.param({"": 1}, None, "metric name '': expected printable text", id="empty-name"),
        pytest.param({"a b": 1}, None, "metric name 'a b': expected no space", id="space-in-name"),
        pytest.param({"a=b": 1}, None, "metric name 'a=b': expected no space and no '='", id="equals-in-name"),
        pytest.param({"a\nb=2": 1}, None, "expected printable text", id="line-end-in-name"),
        pytest.param({"loss": 1}, -1, "step: got -1 (int), expected an integer >= 0", id="negative-step"),
        pytest.param({"loss": 1}, 0.5, "step: got 0.5 (float), expected an integer >= 0", id="float-step"),
        pytest.param({"loss": 1}, 2**63, "expected an integer >= 0", id="huge-step"),
    ],
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], metrics: dict[Any, Any], step: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        report_metrics(metrics, step=step)
    assert capsys.readouterr().out == ""


def test_a_file_takes_lines_with_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.log"
    monkeypatch.setenv("KATIB_METRICS_FILE", str(path))
    before = datetime.now(UTC)
    report_metrics(loss=0.5, step=1)
    report_metrics({"loss": 0.25, "accuracy": 0.75})
    stamps, lines = zip(*(line.split(" ", 1) for line in path.read_text().splitlines()), strict=True)
    assert lines == ("step=1 loss=0.5", "loss=0.25 accuracy=0.75")
    assert before <= datetime.fromisoformat(stamps[0]) <= datetime.fromisoformat(stamps[1]) <= datetime.now(UTC)
    assert all(stamp.endswith("Z") for stamp in stamps)


def test_the_collectors_read_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.log"
    monkeypatch.setenv("KATIB_METRICS_FILE", str(path))
    report_metrics({"loss": 1e-05, "val-acc": np.float64(0.1)}, step=7)
    report_metrics(loss=math.nan)
    chunk = Chunk("metrics.log", Cursor(), path.read_bytes(), 0.0, final=True)
    found = text_collector(["loss", "val-acc"])(chunk).measurements
    assert [(m.metric, m.value, m.text, m.step) for m in found] == [
        ("loss", 1e-05, "1e-05", 7),
        ("val-acc", 0.1, "0.1", 7),
        ("loss", None, "nan", None),
    ]
    assert all(m.time > 1e9 for m in found)


def test_a_file_in_json_takes_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.log"
    monkeypatch.setenv("KATIB_METRICS_FILE", str(path))
    monkeypatch.setenv("KATIB_METRICS_FORMAT", "JSON")
    report_metrics({"val loss": 1e-05, "a=b": np.float32(0.5), "точность": "0.10", "nan": math.nan}, step=7)
    report_metrics({"step": 3, "val loss": -math.inf})
    chunk = Chunk("metrics.log", Cursor(), path.read_bytes(), 0.0, final=True)
    found = json_collector(["val loss", "a=b", "точность", "nan"])(chunk).measurements
    assert [(m.metric, m.value, m.text, m.step) for m in found] == [
        ("val loss", 1e-05, "1e-05", 7),
        ("a=b", 0.5, "0.5", 7),
        ("точность", 0.1, "0.10", 7),
        ("nan", None, "nan", 7),
        ("val loss", None, "-inf", 3),
    ]
    assert all(m.time > 1e9 for m in found)


@pytest.mark.parametrize("name", ["timestamp", "step"])
def test_names_that_a_json_line_needs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("KATIB_METRICS_FILE", str(tmp_path / "metrics.log"))
    monkeypatch.setenv("KATIB_METRICS_FORMAT", "JSON")
    with pytest.raises(ValueError, match=f"metric name '{name}' is taken"):
        report_metrics({name: 1.0}, step=1)
    assert not (tmp_path / "metrics.log").exists()


def test_a_report_has_the_fields_of_a_measurement() -> None:
    assert Report._fields == Measurement.__match_args__


def test_training_code_cannot_swallow_a_stop_by_accident() -> None:
    assert not issubclass(TrialStopped, Exception)


def test_a_thread_cannot_be_told_apart_while_two_trials_run() -> None:
    said: list[str] = []

    def report_in_a_thread() -> None:
        try:
            report_metrics(loss=1.0)
        except RuntimeError as error:
            said.append(str(error))

    with katib.report.receiving(lambda reports: None), katib.report.receiving(lambda reports: None):
        thread = threading.Thread(target=report_in_a_thread)
        thread.start()
        thread.join()
    assert said
    assert "several trials run in this process" in said[0]


def test_it_loads_the_standard_library_only() -> None:
    code = "import sys, katib; katib.report_metrics; print(*{name.partition('.')[0] for name in sys.modules})"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-S", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    assert set(loaded) - sys.stdlib_module_names == {"__main__", "katib"}


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        pytest.param({}, "printed", id="nothing"),
        pytest.param({"KATIB_METRICS_FILE": "{file}"}, "file", id="file"),
        pytest.param({"KATIB_DB_MANAGER_ADDRESS": "{address}"}, "pushed", id="address"),
        pytest.param({"KATIB_METRICS_FILE": "{file}", "KATIB_DB_MANAGER_ADDRESS": "{address}"}, "file", id="both"),
    ],
)
def test_where_a_report_goes(tmp_path: Path, variables: dict[str, str], place: str) -> None:
    """In a process of its own: gRPC is loaded only where an address is given."""
    store = open_store("memory://").store
    server = serve("127.0.0.1:0", [db_manager(DBManagerServicer(store), store)])
    file = tmp_path / "metrics.log"
    values = {n: v.format(file=file, address=f"127.0.0.1:{server.port}") for n, v in variables.items()}
    code = (
        "import sys, katib; katib.report_metrics(loss=0.5, step=2); print(sorted({'grpc', 'numpy'} & set(sys.modules)))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "KATIB_TRIAL_NAME": "t", **values},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    server.stop(grace=0)
    rows = [(row.measurement.value, row.measurement.step) for row in store.log.read("default", "t")]
    assert rows == ([(0.5, 2)] if place == "pushed" else [])
    assert file.exists() is (place == "file")
    lines = done.stdout.splitlines()
    assert lines[:-1] == (["step=2 loss=0.5"] if place == "printed" else [])
    assert ("grpc" in lines[-1]) is (place == "pushed")
