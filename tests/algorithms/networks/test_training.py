"""Training: it learns, goes on from a checkpoint as if nothing had been, and is the same for the same seed."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from algorithms.networks.building import Width, network  # noqa: E402
from algorithms.networks.data import load_images  # noqa: E402
from algorithms.networks.training import Recipe, accuracy, interval, load_tensors, retrain  # noqa: E402
from algorithms.networks.training import _augmented as augmented  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402

pytestmark = pytest.mark.requires("torch")

CELLS = "Genotype(normal=[[('convolution_3x3', 0), ('skip_connection', 1)]], " \
        "reduce=[[('max_pooling_3x3', 0), ('skip_connection', 1)]])"  # fmt: skip
RICH = Recipe(epochs=3, drop_path=0.2, cutout=2, shift=1, flip=True, label_smoothing=0.1)


@pytest.fixture(scope="module")
def images():
    return load_images("digits", examples=300)


def _network(images, seed=0):
    return network(CELLS, images.classes, images.shape, Width(4, 3, auxiliary=True), seed=seed)


def test_it_learns(images):
    module = _network(images)
    metrics = retrain(module, images.train, images.test, Recipe(epochs=8, batch_size=16, learning_rate=0.1))
    assert [each.epoch for each in metrics] == list(range(1, 9))
    assert metrics[-1].loss < metrics[0].loss / 2
    assert metrics[-1].accuracy == accuracy(module, images.test) > 0.8


def test_interrupted_training_ends_as_it_would_have(images, tmp_path):
    whole = _network(images)
    expected = retrain(whole, images.train, images.test, RICH)
    checkpoint = tmp_path / "deep" / "checkpoint.pt"
    interrupted = _network(images)
    with pytest.raises(KeyboardInterrupt):
        retrain(interrupted, images.train, images.test, RICH, checkpoint=checkpoint, report=_interrupt_at(2))
    seen = []
    continued = _network(images, seed=9)
    assert retrain(continued, images.train, images.test, RICH, checkpoint=checkpoint, report=seen.append) == expected
    assert seen == expected
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), continued.state_dict().values(), strict=True)
    )


def _interrupt_at(epoch):
    def report(metrics):
        if metrics.epoch == epoch:
            raise KeyboardInterrupt

    return report


def test_the_seed_decides(images):
    recipe = Recipe(epochs=1)
    one, same, other = (
        retrain(_network(images), images.train, images.test, recipe, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize("change", [{"seed": 1}, {"recipe": Recipe(epochs=4)}], ids=["seed", "recipe"])
def test_a_checkpoint_of_other_training(images, tmp_path, change):
    file = tmp_path / "checkpoint.pt"
    arguments = {"recipe": Recipe(epochs=1), "checkpoint": file}
    retrain(_network(images), images.train, images.test, **arguments)
    with pytest.raises(PermanentError, match="a checkpoint of other training"):
        retrain(_network(images), images.train, images.test, **(arguments | change))


@pytest.mark.filterwarnings("ignore")
def test_training_that_diverges(images):
    with pytest.raises(PermanentError, match="the loss is"):
        retrain(_network(images), images.train, images.test, Recipe(epochs=3, learning_rate=1e30))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"epochs": 0}, "epochs 0, at least 1"), ({"drop_path": 1.0}, "drop_path 1.0, from 0 to below 1"),
     ({"learning_rate": math.nan}, "learning_rate nan")],
    ids=["epochs", "drop_path", "nan"],
)  # fmt: skip
def test_recipes_out_of_range(changes, message):
    with pytest.raises(PermanentError, match=message):
        Recipe(**changes)


@pytest.mark.parametrize(
    ("recipe", "changed"),
    [(Recipe(cutout=4), 16), (Recipe(), 0)],
    ids=["cutout", "nothing"],
)
def test_pixels_that_are_blanked(recipe, changed):
    blanked = (augmented(torch.ones(50, 2, 8, 8), recipe) == 0).sum(dim=(1, 2, 3)) / 2
    assert float(blanked.max()) == changed


def test_moved_images_are_moved_by_whole_pixels():
    image = torch.arange(1.0, 17).reshape(1, 1, 4, 4).expand(30, 1, 4, 4)
    padded = torch.nn.functional.pad(image[:1], (1,) * 4)[0, 0]
    expected = {padded[y : y + 4, x : x + 4].numpy().tobytes() for y in range(3) for x in range(3)}
    assert {each[0].contiguous().numpy().tobytes() for each in augmented(image, Recipe(shift=1))} <= expected


def test_mean_and_interval():
    found = interval([0.9, 0.92, 0.94])
    assert found.mean == pytest.approx(0.92)
    assert found.half_width == pytest.approx(4.3027 * 0.02 / math.sqrt(3), rel=1e-4)
    assert str(found) == "92.00 ± 4.97 %"
    assert str(interval([0.5])) == "50.00 %"


@pytest.mark.parametrize("content", [b"nonsense", b"cos\nsystem\n(S'true'\ntR."], ids=["text", "pickle"])
def test_files_that_are_no_tensors(tmp_path, content):
    (tmp_path / "file.pt").write_bytes(content)
    with pytest.raises(PermanentError, match="not a file of tensors"):
        load_tensors(tmp_path / "file.pt")
