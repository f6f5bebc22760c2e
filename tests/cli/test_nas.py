"""``katib nas``: from an experiment, a file or a text to trained networks, exports and pictures."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
import yaml

from katib.cli.exits import FAILED, NOT_FOUND, OK, USAGE
from tests.cli.command_line import document, write

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
SMALL = ("--examples", "80", "--epochs", "2", "--seeds", "2", "--channels", "4", "--cells", "1")
torch_needed = pytest.mark.requires("torch")


def _search(folder, script, **spec):
    operations = [{"operationType": name} for name in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3")]
    tree = document(
        "search",
        script,
        objective={"type": "maximize", "objectiveMetricName": "accuracy"},
        nasConfig={"graphConfig": {"numLayers": 1}, "operations": operations},
        **spec,
    )
    del tree["spec"]["parameters"]
    tree["spec"]["trialTemplate"]["trialParameters"] = [{"name": "architecture", "reference": "architecture"}]
    return write(folder, tree)


@pytest.fixture
def search(katib, tmp_path):
    """A finished search of three trials, each better than the one before."""
    script = 'echo "${trialParameters.architecture}" > /dev/null; echo accuracy=0.$(date +%s%N)'
    assert katib("run", _search(tmp_path, script), "--seed", "1").status == OK
    return "search"


@torch_needed
def test_retrain_evaluate_export(katib, tmp_path):
    torch = pytest.importorskip("torch")
    answer = katib("nas", "retrain", CELL, *SMALL, "--out", "out")
    assert (answer.status, answer.err) == (OK, "")
    table = [line for line in answer.out.splitlines() if " epoch " not in line]
    assert answer.out.count(" epoch ") == 4
    assert f"best: {CELL}" in table
    again = katib("nas", "retrain", CELL, *SMALL, "--out", "out")
    assert again.out.splitlines() == table  # nothing is trained twice
    before = torch.get_num_threads()
    retrained = json.loads(katib("nas", "retrain", CELL, *SMALL, "--out", "out", "-o", "json", "--threads", "3").out)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)
    evaluated = json.loads(katib("nas", "evaluate", "out", "-o", "json").out)
    assert retrained == evaluated
    (found,) = evaluated["networks"]
    assert len(found["test"]["values"]) == 2
    for form in ("state-dict", "source"):
        assert katib("nas", "export", "out", "--format", form).status == OK
    assert not list(tmp_path.glob("out/*/*.checkpoint"))
    names = {}
    exec((tmp_path / "out" / "network.py").read_text(), names)
    images = torch.randn(3, 1, 8, 8)
    assert names["load"](tmp_path / "out" / "network.pt")(images).shape == (3, 10)


@torch_needed
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("retrain", CELL, *SMALL, "--out", "out", "--epochs", "3"), USAGE, "results of other training"),
        (("evaluate", "out", "--data", "mnist"), NOT_FOUND, "mnist: it is read from train-images-idx3-ubyte.gz"),
        (("export", "out", "--format", "source", "--name", "other"), NOT_FOUND, "there are architecture"),
        (("evaluate", "nowhere"), NOT_FOUND, "make some with: katib nas retrain"),
        (("retrain", CELL, "--data", "digit", "--out", "other"), USAGE, "did you mean 'digits'"),
        (("retrain", CELL, "--device", "cuda:77", "--out", "other"), USAGE, "device 'cuda:77'"),
        (("retrain", CELL.replace("1x1", "2x2"), "--out", "other"), USAGE, "unknown operation 'nor_conv_2x2'"),
    ],
    ids=["other-training", "no-data", "no-network", "nothing", "data", "device", "operation"],
)
def test_mistakes_of_training(katib, tmp_path, monkeypatch, words, status, message):
    pytest.importorskip("torch")
    monkeypatch.delenv("KATIB_DATA", raising=False)
    if "out" in words:
        small = (*SMALL[:2], "--epochs", "1", "--seeds", "1", *SMALL[6:])
        assert katib("nas", "retrain", CELL, *small, "--out", "out").status == OK
    answer = katib("nas", *words)
    assert answer.status == status
    assert message in answer.err


@torch_needed
def test_the_best_of_an_experiment(katib, search):
    pytest.importorskip("torch")
    small = (*SMALL[:2], "--epochs", "1", "--seeds", "1", *SMALL[6:], "--validation", "0")
    answer = katib("nas", "retrain", search, *small, "--top", "2", "--out", "out", "-o", "json")
    best = json.loads(katib("best", search, "-o", "json").out)
    networks = json.loads(answer.out)["networks"]
    assert [len(networks), networks[0]["name"]] == [2, best["trial"]]
    assert networks[0]["architecture"] == best["parameters"]["architecture"]


def test_drawing(katib, search, tmp_path):
    names = [trial.rpartition("/")[2] for trial in katib("get", "trials", search, "-o", "name").out.split()]
    assert katib("nas", "draw", search, "-o", "best.svg").status == OK
    texts = [each.text for each in ET.parse(tmp_path / "best.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert sum(any(name in (text or "") for name in names) for text in texts) == 2
    (tmp_path / "cell.txt").write_text(f"architecture={CELL}\n")
    assert katib("nas", "draw", "cell.txt").out == katib("nas", "draw", CELL).out


GENOTYPE = (
    "Genotype(normal=[[('{0}', 0), ('skip_connection', 1)]], normal_concat=range(2, 3), "
    "reduce=[[('max_pooling_3x3', 0), ('skip_connection', 1)]], reduce_concat=range(2, 3))"
)
KATIB_FILTERS = [r"([\w-]+)=(Genotype.*)", r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"]


@pytest.mark.parametrize(
    ("objective", "filters", "best"),
    [
        pytest.param("accuracy", [], 0, id="number-with-the-default-rule"),
        pytest.param("accuracy", KATIB_FILTERS, 0, id="number-with-filters"),
        pytest.param("Best-Genotype", KATIB_FILTERS[:1], 1, id="text"),
    ],
)
def test_a_genotype_beside_a_number(katib, tmp_path, objective, filters, best):
    """As Katib's image for darts prints it: the architecture of a search within one trial is a text metric."""
    genotypes = [GENOTYPE.format(name) for name in ("convolution_3x3", "convolution_5x5")]
    (tmp_path / "0").write_text(f"epoch 1 accuracy=0.9\nBest-Genotype={genotypes[0]}\n")
    (tmp_path / "1").write_text(f"epoch 1 accuracy=0.8\nBest-Genotype={genotypes[1]}\n")
    script = f"cd {tmp_path}; echo ${{trialParameters.architecture}}; if mkdir once; then cat 0; else cat 1; fi"
    additional = [] if objective == "Best-Genotype" else ["Best-Genotype"]
    spec = {"objective": {"type": "maximize", "objectiveMetricName": objective, "additionalMetricNames": additional}}
    if filters:
        collector = {"collector": {"kind": "StdOut"}, "source": {"filter": {"metricsFormat": filters}}}
        spec["metricsCollectorSpec"] = collector
    tree = yaml.safe_load(_search(tmp_path, script, maxTrialCount=2).read_text())
    tree["spec"] |= spec | {"algorithm": {"algorithmName": "darts"}}
    tree["spec"]["nasConfig"]["operations"] = [{"operationType": "skip_connection"}]
    tree["spec"]["trialTemplate"]["trialParameters"][0]["reference"] = "num-layers"
    assert katib("run", write(tmp_path, tree)).status == OK
    report = json.loads(katib("best", "search", "-o", "json").out)
    assert (report["number"], report["architecture"]) == (best, genotypes[best])
    assert genotypes[best] in katib("best", "search", "-o", "markdown").out
    assert genotypes[best] in katib("get", "trial", report["trial"], "-o", "json").out
    assert genotypes[best] in katib("describe", "search").out
    assert "conv" in katib("nas", "draw", "search").out


@pytest.mark.parametrize("place", ["$KATIB_CHECKPOINT_DIR", "$KATIB_CHECKPOINT_DIR/.."])
def test_drawing_weights(katib, tmp_path, place):
    line = {"epoch": 1, "operations": ["none", "skip"], "normal": [[0.3, 0.7]] * 2, "reduce": [[0.5, 0.5]] * 2}
    text = json.dumps(line)
    keep = f"mkdir -p $KATIB_CHECKPOINT_DIR; echo '{text}' > {place}/alphas.jsonl"
    script = f"{keep}; echo '${{trialParameters.architecture}}'; echo accuracy=0.5"
    assert katib("run", _search(tmp_path, script, maxTrialCount=1)).status == OK
    answer = katib("nas", "draw", "search", "--weights")
    assert answer.status == OK
    assert "search: weights of the operations" in answer.out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("draw", "nothing"), NOT_FOUND, "no experiment 'nothing'"),
        (("draw", "|a~0|"), USAGE, "got '|a~0|', expected Genotype"),
        (("draw", "exp"), NOT_FOUND, "experiment 'exp' has no finished trial with an architecture"),
        (("draw", "nothing", "--weights"), NOT_FOUND, "no experiment 'nothing'"),
    ],
    ids=["name", "text", "no-architectures", "weights"],
)
def test_mistakes_of_drawing(katib, finished, words, status, message):
    answer = katib("nas", *words)
    assert answer.status == status
    assert message in answer.err


def test_without_pytorch(home):
    program = (
        "import sys; sys.modules['torch'] = None; from katib.cli.main import main; "
        f"sys.exit(main(['nas', 'retrain', '{CELL}', '--out', 'out']))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert answer.returncode == FAILED
    assert "package 'torch' is not installed; install it with: pip install 'katib-engine[nas]'" in answer.stderr
