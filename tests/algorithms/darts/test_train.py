"""The program of a trial: from the service's texts to an accuracy and a genotype."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from algorithms.architecture.cells import read_genotype  # noqa: E402
from algorithms.architecture.wire import quoted  # noqa: E402
from algorithms.darts import train, trial  # noqa: E402
from algorithms.darts.search import Search  # noqa: E402
from algorithms.darts.suggestion import read_settings  # noqa: E402
from katib.core.experiment import Component  # noqa: E402

pytestmark = pytest.mark.requires("torch")

SETTINGS = {
    "num_epochs": 3, "init_channels": "4", "num_nodes": 1, "batch_size": 16, "w_lr": 0.1, "stem_multiplier": 1,
    "retrain_epochs": "2", "candidates": "2", "candidate_epochs": 1,
}  # fmt: skip
OPERATIONS = ["max_pooling_3x3", "convolution_3x3", "skip_connection"]


def arguments(folder, *more, **settings):
    texts = [f"--algorithm-settings={quoted({**SETTINGS, **settings})}", f"--search-space={quoted(OPERATIONS)}"]
    return [*texts, "--num-layers=2", "--data=digits", "--examples=64", f"--checkpoint={folder}", *more]


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_from_texts_to_a_network(tmp_path, capsys):
    assert train.main(arguments(tmp_path, f"--export={tmp_path / 'net.pt'}")) == 0
    told = lines(capsys)
    assert [line.split()[0] for line in told[:3]] == ["epoch=1", "epoch=2", "epoch=3"]
    assert [line.split(":")[0] for line in told[3:5]] == ["candidate-1", "candidate-2"]
    names = dict(pair.split("=") for pair in told[5].split())
    assert 0 <= float(names["accuracy"]) <= 1
    genotype = read_genotype(told[6])
    assert told[6] == f"Best-Genotype={genotype}"
    assert torch.load(tmp_path / "net.pt", weights_only=True)
    for place, epochs, kept in (("candidates/candidate-1", 1, 0.1), ("retrained/best", 2, 0)):
        setup = json.loads((tmp_path / place / "result.json").read_text())["setup"]
        assert (setup["recipe"]["epochs"], setup["validation"]) == (epochs, kept)
    record = [json.loads(line) for line in (tmp_path / "alphas.jsonl").read_text().splitlines()]
    assert [each["epoch"] for each in record] == [1, 2, 3]
    assert record[0]["operations"] == ["none", *OPERATIONS]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [({}, 15), ({"retrain_epochs": 2}, 1), ({"retrain_epochs": 7}, 2), ({"candidate_epochs": 9}, 9)],
    ids=["default", "at-least-1", "rounded-up", "set"],
)
def test_epochs_by_which_a_candidate_is_chosen(settings, epochs):
    component = Component("darts", {name: str(value) for name, value in settings.items()})
    assert read_settings(component).epochs_of_candidates == epochs


def test_goes_on_where_it_was_interrupted(tmp_path, capsys, monkeypatch):
    assert train.main(arguments(tmp_path / "whole")) == 0
    whole = lines(capsys)
    step = Search.step

    def interrupted(search):
        if search.epoch == 2:
            raise KeyboardInterrupt
        step(search)

    monkeypatch.setattr(Search, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.main(arguments(tmp_path / "broken"))
    assert lines(capsys) == whole[:2]
    monkeypatch.setattr(Search, "step", step)
    assert train.main(arguments(tmp_path / "broken")) == 0
    assert lines(capsys) == whole


@pytest.mark.parametrize(("stops", "epochs"), [("on", 1), ("off", 3)])
def test_collapse_is_told_and_ends_the_search_if_wished(stops, epochs, tmp_path, capsys, monkeypatch):
    def collapsed(self):
        return {kind: [[0.0, 0.1, 0.2, 0.7]] * 2 for kind in ("normal", "reduce")}

    monkeypatch.setattr(Search, "strengths", collapsed)
    assert train.main(arguments(tmp_path, preset="darts", stop_at_collapse=stops)) == 0
    told = lines(capsys)
    assert sum("warning: 2 of the normal cell's 2 edges" in line for line in told) == epochs
    assert sum(line.startswith("epoch=") for line in told) == epochs
    normal = told[-1].split("normal_concat")[0]
    assert normal.count("skip_connection") == (1 if stops == "on" else 2)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set=nonsense"], "expected NAME=VALUE"),
        (["--set=presett=darts"], "no such setting"),
        (["--set=zero_one=1"], "[zero_one]: got 1 with sampling softmax, expected 0, or sampling sigmoid"),
        (["--search-space={}"], "expected a list"),
        (["--search-space=['attention']"], "unknown operation 'attention'"),
        (["--export=net.txt"], "expected an ending of .pt, .onnx, .py"),
        (["--device=cuda:7"], "device 'cuda:7'"),
    ],
)
def test_what_is_wrong(more, message, tmp_path, capsys):
    assert train.main([*arguments(tmp_path), *more]) == 2
    assert message in capsys.readouterr().err


def test_the_smallest_graph(tmp_path, capsys, monkeypatch):
    """Katib's example for processors: one operation, one layer, one node, one channel."""
    monkeypatch.setenv("KATIB_CHECKPOINT_DIR", str(tmp_path / "checkpoint"))
    monkeypatch.setenv("KATIB_SEED", "3")
    settings = {"num_epochs": 1, "num_nodes": 1, "init_channels": 1, "stem_multiplier": 1, "retrain_epochs": 1}
    texts = [f"--algorithm-settings={quoted(settings)}", "--search-space=['max_pooling_3x3']", "--num-layers=1"]
    assert train.main([*texts, "--data=digits", "--examples=64"]) == 0
    assert "Best-Genotype=Genotype(normal=[[('max_pooling_3x3', 0), ('max_pooling_3x3', 1)]]" in lines(capsys)[-1]
    assert (tmp_path / train.RECORD).is_file()
    assert (tmp_path / "checkpoint" / trial.CHECKPOINT).is_file()
