"""The trial that trains one architecture: what it prints, the same for the same seed, and mistakes in one line."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")

from algorithms.networks.train import main  # noqa: E402

pytestmark = pytest.mark.requires("torch")

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
GENOTYPE = "Genotype(normal=[[('convolution_3x3', 0), ('skip_connection', 1)]], normal_concat=range(2, 3), " \
           "reduce=[[('max_pooling_3x3', 0), ('skip_connection', 1)]], reduce_concat=range(2, 3))"  # fmt: skip
NETWORK = "{'embedding': {'3': {'opt_type': 'convolution', 'opt_params': {'filter_size': 3, 'num_filter': 4}}}}"
SMALL = ("--examples=60", "--channels=4", "--epochs=2")
LINE = r"epoch={} loss=\d\.\d{{6}} {}=[01]\.\d{{6}}"


@pytest.fixture
def train(capsys, monkeypatch):
    """Runs the trial: (status, lines of output, lines of errors)."""
    for name in ("KATIB_SEED", "KATIB_CHECKPOINT_DIR", "KATIB_DATA"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()

    def run(*words):
        status = main(words)
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    yield run
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("words", "after"),
    [
        pytest.param(("--architecture", CELL, "--cells=1"), [], id="benchmark"),
        pytest.param(("--genotype", GENOTYPE, "--cells=1"), [f"Best-Genotype={GENOTYPE}"], id="genotype"),
        pytest.param(("--architecture=[[3],[3,1]]", "--nn-config", NETWORK), [], id="chain"),
    ],
)
def test_a_line_for_each_epoch(train, words, after):
    status, out, err = train(*words, *SMALL)
    assert (status, err, out[2:]) == (0, [], after)
    assert all(re.fullmatch(LINE.format(epoch, "accuracy"), line) for epoch, line in enumerate(out[:2], 1))


def test_over_several_seeds(train):
    _, out, _ = train("--architecture", CELL, "--cells=1", "--seeds=2", *SMALL)
    assert re.fullmatch(LINE.format(2, "seed-accuracy"), out[3])
    last = [float(out[number].rpartition("=")[2]) for number in (1, 3)]
    assert out[4].startswith(f"accuracy={sum(last) / 2:.6f}"[:-1])
    assert "accuracy-half-width=" in out[4]


def test_the_trials_seed_and_its_checkpoint(train, monkeypatch, tmp_path):
    words = ("--architecture", CELL, "--cells=1", *SMALL)
    plain = train(*words)
    monkeypatch.setenv("KATIB_SEED", "123")
    monkeypatch.setenv("KATIB_CHECKPOINT_DIR", str(tmp_path))
    seeded = train(*words)
    assert seeded == train(*words, "--seed=123") != plain
    assert train(*words, "--seed=0")[1] == plain[1]
    assert {file.name for file in tmp_path.iterdir()} == {"seed-123.checkpoint", "seed-0.checkpoint"}


def test_an_architecture_in_a_file(train, tmp_path):
    (tmp_path / "cell.txt").write_text(f"{CELL}\n")
    words = ("--cells=1", *SMALL)
    assert train("--architecture", str(tmp_path / "cell.txt"), *words) == train("--architecture", CELL, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--architecture", "nothing"), "got 'nothing', expected Genotype"),
        (("--architecture", CELL, "--data=cifar10"), "cifar10: it is read from data_batch_1.bin"),
        (("--architecture", CELL, "--epochs=0"), "epochs 0, at least 1"),
        (("--architecture", CELL.replace("1x1", "2x2")), "unknown operation 'nor_conv_2x2'"),
    ],
    ids=["architecture", "data", "epochs", "operation"],
)
def test_mistakes(train, words, message):
    status, out, err = train(*words)
    assert (status, out, len(err)) == (2, [], 1)
    assert message in err[0]
