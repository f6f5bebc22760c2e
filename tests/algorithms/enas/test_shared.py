"""ENAS with shared weights: the supernet's paths, a search that goes on where it was interrupted, and the program."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from algorithms.architecture.operations import Operation, operation_named
from algorithms.architecture.reading import read_architecture
from algorithms.enas import train
from algorithms.enas.search import Plan, SharedSearch
from algorithms.enas.settings import EnasSettings
from algorithms.enas.supernet import ChainSupernet
from algorithms.networks.data import load_images
from algorithms.networks.threads import one_torch_thread
from katib.core.errors import PermanentError

pytestmark = pytest.mark.requires("torch")

OPERATIONS = (
    operation_named("convolution_3x3"),
    Operation("convolution", (("filter_size", 3), ("num_filter", 4), ("stride", 2))),
    Operation("reduction", (("reduction_type", "avg_pooling"), ("pool_size", 2))),
    Operation("separable_convolution", (("filter_size", 3), ("num_filter", 8), ("depth_multiplier", 2))),
    operation_named("skip_connection"),
)
SETTINGS = EnasSettings(controller_hidden_size=8, controller_train_steps=3, controller_learning_rate=0.01)
PLAN = Plan(epochs=3, channels=8, candidates=6, retrained=2, retrain_epochs=1, seed=5)


@pytest.fixture(autouse=True)
def one_thread():
    with one_torch_thread():
        yield


@pytest.fixture(scope="module")
def images():
    return load_images("digits", examples=96, validation=0.5)


def supernet():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return ChainSupernet(OPERATIONS, 3, 10, (1, 8, 8), 8)


@pytest.mark.parametrize(
    "rows",
    [
        [[0], [0, 0], [0, 0, 0]],
        [[1], [2, 1], [3, 1, 1]],
        [[0], [1, 1], [1, 1, 0]],
        [[4], [4, 1], [2, 0, 1]],
    ],
    ids=["plain", "smaller-and-smaller", "joined-to-a-smaller-image", "without-weights"],
)
def test_only_the_weights_on_the_path_are_trained(rows):
    made = supernet()
    scores = made(torch.randn(4, 1, 8, 8), rows)
    assert scores.shape == (4, 10)
    scores.square().sum().backward()
    for number, (layer, (operation, *skips)) in enumerate(zip(made.layers, rows, strict=True)):
        for place, module in enumerate(layer.operations):
            trained = [parameter.grad is not None for parameter in module.parameters()]
            assert all(trained) if place == operation else not any(trained)
        joined = [*skips, any(skips)]  # and the last layer's, where there are joins
        assert [join.weight.grad is not None for join in layer.joins] == [bool(each) for each in joined], number


def test_every_operation_has_weights():
    for layer in supernet().layers:
        assert all(list(operation.parameters()) for operation in layer.operations)


def search(images, plan=PLAN):
    return SharedSearch(OPERATIONS, 2, images, plan, SETTINGS)


def test_an_interrupted_search_ends_as_it_would_have(images, tmp_path):
    whole = search(images)
    whole.run()

    class InterruptedError(Exception):
        pass

    def interrupt(metrics):
        if metrics.epoch == 2:
            raise InterruptedError

    file = tmp_path / "search.pt"
    with pytest.raises(InterruptedError):
        search(images).run(file, interrupt)
    told = []
    continued = search(images)
    continued.run(file, told.append)
    assert told == continued.done == whole.done
    assert continued.candidates() == whole.candidates()
    for name, value in whole.supernet.state_dict().items():
        assert torch.equal(value, continued.supernet.state_dict()[name])
    assert continued.finished(tmp_path) == whole.finished()


def test_what_is_measured(images):
    made = search(images)
    made.run()
    assert [metrics.epoch for metrics in made.done] == [1, 2, 3]
    assert all(0 <= metrics.reward <= 1 and 0 <= metrics.joined <= 1 for metrics in made.done)
    assert all(metrics.loss > 0 and metrics.entropy > 0 for metrics in made.done)
    chains, scores = zip(*made.candidates(), strict=True)
    assert len(set(map(str, chains))) == len(chains) <= PLAN.candidates
    assert list(scores) == sorted(scores, reverse=True)


def test_the_controller_prefers_what_is_accurate(images):
    """The validation images are the trained ones, and one of the two operations destroys the image."""
    given = replace(images, validation=images.train)
    plan = replace(PLAN, epochs=15, seed=1)
    settings = replace(SETTINGS, controller_train_steps=10, controller_learning_rate=0.03, controller_skip_weight=None)
    made = SharedSearch((operation_named("convolution_3x3"), operation_named("none")), 2, given, plan, settings)
    made.run()
    drawn = [layer.operation.type for chain, _ in made.candidates() for layer in chain.layers]
    assert drawn.count("convolution") > 0.6 * len(drawn)
    assert made.candidates()[0][0].layers[-1].operation.type == "convolution"


def test_another_searchs_checkpoint_is_refused(images, tmp_path):
    search(images, replace(PLAN, epochs=1)).run(tmp_path / "search.pt")
    with pytest.raises(PermanentError, match="another search"):
        search(images, replace(PLAN, epochs=2)).run(tmp_path / "search.pt")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"retrained": 0}, {"learning_rate": 0.0}], ids=str)
def test_plans_out_of_range(wrong):
    with pytest.raises(PermanentError, match=r"search: out of range: .* (at least 1|greater than 0)"):
        replace(PLAN, **wrong)


def test_images_to_validate_on_are_needed():
    with pytest.raises(PermanentError, match="validation images"):
        search(load_images("digits", examples=20, validation=0.0))


QUICK = (
    "--epochs=1", "--controller-train-steps=2", "--controller-hidden-size=8", "--channels=4", "--candidates=3",
    "--retrained=1", "--retrain-epochs=1", "--validation=0.9",
)  # fmt: skip
NAS_CONFIG = (
    '{"graphConfig": {"numLayers": 2}, "operations": [{"operationType": "reduction", "parameters": ['
    '{"name": "reduction_type", "parameterType": "categorical", "feasibleSpace": {"list": ["max_pooling"]}}, '
    '{"name": "pool_size", "parameterType": "int", "feasibleSpace": {"min": "2", "max": "3"}}]}]}'
)


@pytest.mark.parametrize(
    ("options", "layers"),
    [(["--operations=convolution_3x3,max_pooling_3x3", "--layers=3"], 3), ([f"--nas-config={NAS_CONFIG}"], 2)],
    ids=["labels", "nas-config"],
)
def test_the_program(capsys, tmp_path, options, layers):
    assert train.main([*QUICK, *options, f"--checkpoint={tmp_path}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch=1 loss=")
    assert lines[1].startswith("candidate=0 retrain_epoch=1 retrain_loss=")
    assert len(read_architecture(lines[-2]).layers) == layers
    accuracy = lines[-1].rpartition("accuracy=")[2]
    assert 0 <= float(accuracy) <= 1
    assert train.main([*QUICK, *options, f"--checkpoint={tmp_path}"]) == 0  # all of it is there
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--controller-temperature=-1"], "controller_temperature"),
        (["--operations=convolution_3x3,convlution_5x5"], "unknown operation"),
        (["--nas-config={"], "--nas-config: expected a nasConfig as JSON"),
        (["--data=digit"], "did you mean 'digits'"),
        (["--epochs=0"], "epochs 0, at least 1"),
    ],
    ids=["setting", "operation", "nas-config", "data", "plan"],
)
def test_what_is_wrong_with_the_arguments(capsys, options, words):
    assert train.main([*QUICK, *options]) == 2
    assert words in capsys.readouterr().err
