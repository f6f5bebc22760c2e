"""Files that MNIST and CIFAR-10 are published as, read without pickle and without downloading anything.

MNIST: the four IDX files of its authors (gzipped or not), or one ``mnist.npz`` with ``x_train, y_train, x_test,
y_test``. CIFAR-10: the binary version of its authors (``data_batch_1.bin`` to ``5``, ``test_batch.bin``), one
``cifar10.npz`` with the same four arrays, or one ``cifar10_jpeg.npz``, whose image i is the JPEG
``blob[offset[i]:offset[i + 1]]``, with ``label`` and ``is_test``.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from katib.core.errors import MissingExtraError, NotFoundError, PermanentError

Array = NDArray[Any]

VARIABLE, OPTION = "KATIB_DATA", "--data-folder"
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_RECORD = 1 + 3 * 32 * 32  # bytes of an image in CIFAR-10's binary version: a label, then red, green and blue


@dataclass(frozen=True, slots=True)
class RawImages:
    """images: uint8, (number, channels, height, width). labels: whole numbers from 0 on."""

    train: Array
    train_labels: Array
    test: Array
    test_labels: Array


@dataclass(frozen=True, slots=True)
class Published:
    """A data set that is not bundled. forms: (a file that shows that this form is there, how its folder is read).
    source: where a user gets it."""

    folders: tuple[str, ...]
    forms: tuple[tuple[str, Callable[[Path], RawImages]], ...]
    source: str


def read_published(name: str, folder: Path | None) -> RawImages:
    """The data set ``name`` out of the first of its forms that lies in ``folder`` or in a folder of its usual name.

    Raises NotFoundError, which says where it was looked for and where a user gets it, and PermanentError for files
    that are something else.
    """
    published = PUBLISHED[name]
    if folder is not None:
        for place in (folder, *(folder / each for each in published.folders)):
            for file, read in published.forms:
                if (place / file).is_file():
                    return _checked(name, read(place), place / file)
    files = ", ".join(file for file, _ in published.forms)
    looked = f"found none of {files} in {str(folder)!r}" if folder is not None else f"it is read from {files}"
    raise NotFoundError(
        f"{name}: {looked}; name the folder with {OPTION} DIR or ${VARIABLE}. Nothing is downloaded: {published.source}"
    )


def _checked(name: str, raw: RawImages, file: Path) -> RawImages:
    for images, labels in ((raw.train, raw.train_labels), (raw.test, raw.test_labels)):
        if images.ndim != 4 or images.dtype != np.uint8 or labels.shape != images.shape[:1] or not len(images):
            raise PermanentError(
                f"{file}: got images {images.dtype}{images.shape} with labels {labels.shape}, expected uint8 images of "
                f"{name} and a label for each"
            )
        if labels.min() < 0 or labels.max() > 9:
            raise PermanentError(f"{file}: got labels {labels.min()} to {labels.max()}, expected 0 to 9")
    return raw


def _mnist_idx(ending: str) -> Callable[[Path], RawImages]:
    def read(folder: Path) -> RawImages:
        images, labels, test, test_labels = (
            _idx(folder / f"{name}{ending}")
            for name in (*_idx_names("train"), *_idx_names("t10k"))
        )  # fmt: skip
        return RawImages(images[:, None], labels, test[:, None], test_labels)

    return read


def _idx_names(part: str) -> tuple[str, str]:
    return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"


def _idx(file: Path) -> Array:
    """A file of IDX: two zeros, the type (8: unsigned bytes), the number of dimensions; each dimension, big-endian;
    the data."""
    data = _bytes(file)
    dimensions = data[3] if data[:3] == b"\x00\x00\x08" and len(data) > 3 else 0
    start = 4 + 4 * dimensions
    shape = np.frombuffer(data[4:start], dtype=">u4").astype(int)
    if not dimensions or len(data) - start != shape.prod():
        raise PermanentError(f"{file}: not an IDX file of unsigned bytes, or cut off")
    return np.frombuffer(data[start:], dtype=np.uint8).reshape(shape)


def _bytes(file: Path) -> bytes:
    """Raises PermanentError for a file that is not there or is damaged."""
    try:
        return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except FileNotFoundError:
        raise PermanentError(f"{file}: missing beside the other files of its data set") from None
    except (OSError, EOFError) as error:
        raise PermanentError(f"{file}: {error}") from None


def _npz(name: str) -> Callable[[Path], RawImages]:
    """Arrays by name; images may have their channels last, or none."""

    def read(folder: Path) -> RawImages:
        arrays = _loaded(folder / name, _ARRAYS)
        train, labels, test, test_labels = (arrays[each] for each in _ARRAYS)
        return RawImages(_channels_first(train), labels.reshape(-1), _channels_first(test), test_labels.reshape(-1))

    return read


def _channels_first(images: Array) -> Array:
    if images.ndim == 3:
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if images.ndim == 4 and images.shape[-1] in (1, 3) else images


def _loaded(file: Path, names: tuple[str, ...]) -> Mapping[str, Array]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (ValueError, KeyError, OSError) as error:
        raise PermanentError(f"{file}: expected the arrays {', '.join(names)}: {error}") from None


def _cifar_binary(folder: Path) -> RawImages:
    batches = [_records(folder / f"data_batch_{number}.bin") for number in range(1, 6)]
    (labels, images), (test_labels, test) = map(np.concatenate, zip(*batches, strict=True)), _records(
        folder / "test_batch.bin"
    )  # fmt: skip
    return RawImages(images, labels, test, test_labels)


def _records(file: Path) -> tuple[Array, Array]:
    """(labels, images)."""
    data = np.frombuffer(_bytes(file), dtype=np.uint8)
    if not len(data) or len(data) % _RECORD:
        raise PermanentError(f"{file}: {len(data)} bytes, expected a multiple of {_RECORD}")
    rows = data.reshape(-1, _RECORD)
    return rows[:, 0], rows[:, 1:].reshape(-1, 3, 32, 32)


def _cifar_jpeg(folder: Path) -> RawImages:
    arrays = _loaded(folder / "cifar10_jpeg.npz", ("blob", "offset", "label", "is_test"))
    test = arrays["is_test"].astype(bool)
    images = np.stack(list(_decoded(arrays["blob"], arrays["offset"])))
    labels = arrays["label"]
    return RawImages(images[~test], labels[~test], images[test], labels[test])


def _decoded(blob: Array, offset: Array) -> Iterator[Array]:
    try:
        pillow = import_module("PIL.Image")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pillow", "nas") from error
    for start, end in pairwise(offset):
        with pillow.open(io.BytesIO(blob[start:end].tobytes()), formats=("JPEG",)) as image:
            yield np.asarray(image.convert("RGB")).transpose(2, 0, 1)


PUBLISHED: Mapping[str, Published] = {
    "mnist": Published(
        ("mnist", "MNIST/raw"),
        (
            ("train-images-idx3-ubyte.gz", _mnist_idx(".gz")),
            ("train-images-idx3-ubyte", _mnist_idx("")),
            ("mnist.npz", _npz("mnist.npz")),
        ),
        "torchvision.datasets.MNIST(DIR, download=True) fetches the original files, or take them from "
        "https://yann.lecun.com/exdb/mnist",
    ),
    "cifar10": Published(
        ("cifar10", "cifar-10-batches-bin"),
        (
            ("data_batch_1.bin", _cifar_binary),
            ("cifar10.npz", _npz("cifar10.npz")),
            ("cifar10_jpeg.npz", _cifar_jpeg),
        ),
        "unpack the binary version, cifar-10-binary.tar.gz, of https://www.cs.toronto.edu/~kriz/cifar.html (the "
        "Python version is pickles, which are not read)",
    ),
}
