"""Images by name: the split of digits, every published form of MNIST and CIFAR-10, what is said without them."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from algorithms.networks.data import load_images  # noqa: E402
from katib.core.errors import NotFoundError, PermanentError, UnknownNameError  # noqa: E402

pytestmark = pytest.mark.requires("torch")

LABELS = np.arange(20, dtype=np.uint8) % 10


def test_digits():
    images = load_images("digits", validation=0.25)
    assert (images.shape, images.classes) == ((1, 8, 8), 10)
    assert [len(each) for each in (images.train, images.validation, images.test)] == [1010, 337, 450]
    both = torch.cat([images.train.inputs, images.validation.inputs])
    assert (abs(float(both.mean())) < 1e-4, abs(float(both.std()) - 1) < 1e-3) == (True, True)
    assert images.train.labels.bincount().min() > 80  # every class in every part


def test_the_split_is_the_same_each_time_and_validation_is_no_part_of_training():
    one, other = load_images("digits"), load_images("digits")
    assert torch.equal(one.train.inputs, other.train.inputs)
    trained = {each.numpy().tobytes() for each in one.train.inputs}
    assert not trained & {each.numpy().tobytes() for each in one.validation.inputs}
    assert not trained & {each.numpy().tobytes() for each in one.test.inputs}


def test_fewer_examples():
    images = load_images("digits", examples=100, validation=0.5)
    assert [len(each) for each in (images.train, images.validation, images.test)] == [50, 50, 450]


def _pixels(channels, size):
    return np.random.RandomState(0).randint(0, 256, (20, channels, size, size)).astype(np.uint8)


def _write_idx(folder, ending):
    write = gzip.compress if ending else bytes
    for part in ("train", "t10k"):
        images = _pixels(1, 28)[:, 0]
        header = b"\x00\x00\x08\x03" + np.array(images.shape, dtype=">u4").tobytes()
        (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(write(header + images.tobytes()))
        header = b"\x00\x00\x08\x01" + np.array([20], dtype=">u4").tobytes()
        (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(write(header + LABELS.tobytes()))


def _write_npz(name, images):
    return lambda folder: np.savez(folder / name, x_train=images, y_train=LABELS, x_test=images, y_test=LABELS[:, None])


def _write_binary(folder):
    records = np.concatenate([LABELS[:, None], _pixels(3, 32).reshape(20, -1)], axis=1)
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(records[4 * number - 4 : 4 * number].tobytes())
    (folder / "test_batch.bin").write_bytes(records.tobytes())


def _write_jpeg(folder):
    pillow = pytest.importorskip("PIL.Image")
    files = []
    for image in _pixels(3, 32):
        file = io.BytesIO()
        pillow.fromarray(np.full((32, 32, 3), image[0, 0, 0])).save(file, "JPEG")
        files.append(file.getvalue())
    np.savez(
        folder / "cifar10_jpeg.npz",
        blob=np.frombuffer(b"".join(files), dtype=np.uint8),
        offset=np.cumsum([0, *map(len, files)]),
        label=LABELS,
        is_test=np.arange(20) >= 15,
    )


@pytest.mark.parametrize(
    ("name", "subfolder", "write", "counts"),
    [
        pytest.param("mnist", "MNIST/raw", lambda folder: _write_idx(folder, ".gz"), (16, 4, 20), id="idx.gz"),
        pytest.param("mnist", "", lambda folder: _write_idx(folder, ""), (16, 4, 20), id="idx"),
        pytest.param("mnist", "mnist", _write_npz("mnist.npz", _pixels(1, 28)[:, 0]), (16, 4, 20), id="mnist-npz"),
        pytest.param("cifar10", "cifar-10-batches-bin", _write_binary, (16, 4, 20), id="binary"),
        pytest.param("cifar10", "", _write_npz("cifar10.npz", _pixels(3, 32).transpose(0, 2, 3, 1)), (16, 4, 20),
                     id="cifar-npz"),
        pytest.param("cifar10", "cifar10", _write_jpeg, (12, 3, 5), id="jpeg"),
    ],
)  # fmt: skip
def test_forms(tmp_path, monkeypatch, name, subfolder, write, counts):
    (tmp_path / subfolder).mkdir(parents=True, exist_ok=True)
    write(tmp_path / subfolder)
    monkeypatch.setenv("KATIB_DATA", str(tmp_path))
    images = load_images(name)
    assert tuple(len(each) for each in (images.train, images.validation, images.test)) == counts
    assert images.shape == ((1, 28, 28) if name == "mnist" else (3, 32, 32))
    if counts[2] == 20:
        assert images.test.labels.tolist() == LABELS.tolist()
        original = torch.tensor(_pixels(images.shape[0], images.shape[1])).float()
        assert torch.allclose(images.test.inputs.mean(dim=(0, 2, 3)), torch.zeros(images.shape[0]), atol=0.1)
        correlation = torch.corrcoef(torch.stack([original[3, 0].ravel(), images.test.inputs[3, 0].ravel()]))
        assert correlation[0, 1] > 0.999


@pytest.mark.parametrize("folder", [None, "empty"])
@pytest.mark.parametrize(("name", "source"), [("mnist", "torchvision"), ("cifar10", "cifar-10-binary.tar.gz")])
def test_without_files(tmp_path, monkeypatch, folder, name, source):
    monkeypatch.delenv("KATIB_DATA", raising=False)
    with pytest.raises(NotFoundError, match=rf"{name}.*--data-folder DIR or \$KATIB_DATA.*{source}"):
        load_images(name, folder=tmp_path if folder else None)


@pytest.mark.parametrize(
    ("file", "content", "name", "message"),
    [
        pytest.param("train-images-idx3-ubyte", b"\x80\x04pickle", "mnist", "not an IDX file", id="no-idx"),
        pytest.param("train-images-idx3-ubyte.gz", b"no gzip", "mnist", "train-images-idx3-ubyte.gz", id="no-gzip"),
        pytest.param("data_batch_1.bin", b"\x00" * 100, "cifar10", "100 bytes, expected a multiple of 3073", id="cut"),
        pytest.param("cifar10.npz", b"nonsense", "cifar10", "expected the arrays x_train", id="no-npz"),
    ],
)
def test_files_that_are_something_else(tmp_path, file, content, name, message):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(PermanentError, match=message):
        load_images(name, folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": "digit"}, UnknownNameError, "did you mean 'digits'"),
        ({"name": "digits", "validation": 1.0}, PermanentError, "at least 0 and below 1"),
        ({"name": "digits", "examples": 1}, PermanentError, "at least 2"),
    ],
    ids=["name", "validation", "examples"],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        load_images(**arguments)
