"""What programs really print: lines by kind, each with the reports that are to be found in it.

The metrics asked for are METRICS. A report is (value, text, metric); value None stands for a report without a number.
An empty list: the line says nothing about them.
"""

from __future__ import annotations

from typing import NamedTuple

METRICS = ("loss", "accuracy", "val-loss", "f1_score", "точность", "mAP@0.5")


class Report(NamedTuple):
    value: float | None
    text: str
    metric: str = "loss"


class Case(NamedTuple):
    kind: str
    format: str
    data: bytes
    reports: tuple[Report, ...]


def at(value: float | None, text: str | None = None, metric: str = "loss") -> Report:
    return Report(value, str(value) if text is None else text, metric)


def accuracy(value: float | None, text: str | None = None) -> Report:
    return at(value, text, "accuracy")


Lines = list[tuple[str | bytes, list[Report]]]

TEXT: dict[str, Lines] = {
    "plain": [
        ("loss=0.5", [at(0.5)]),
        ("loss=1", [at(1, "1")]),
        ("loss=0", [at(0, "0")]),
        ("loss=12.25", [at(12.25)]),
        ("epoch=3 loss=0.143", [at(0.143)]),
        ("Epoch 3: loss=0.143 done", [at(0.143)]),
        ("loss=007", [at(7, "007")]),
    ],
    "spaces": [
        ("loss = 0.5", [at(0.5)]),
        ("loss =0.5", [at(0.5)]),
        ("loss= 0.5", [at(0.5)]),
        ("   loss   =   0.5   ", [at(0.5)]),
        ("loss =      0.5     epoch = 2", [at(0.5)]),
    ],
    "tabs": [
        ("loss\t=\t0.5", [at(0.5)]),
        ("\tloss=0.5\t", [at(0.5)]),
        ("step\t10\tloss=0.5\taccuracy=0.9", [at(0.5), accuracy(0.9)]),
    ],
    "leading point": [
        ("loss=.5", [at(0.5, ".5")]),
        ("loss=-.5", [at(-0.5, "-.5")]),
        ("loss=+.5", [at(0.5, "+.5")]),
        ("loss=.5e1", [at(5.0, ".5e1")]),
        ("loss = .125,", [at(0.125, ".125")]),
    ],
    "trailing point": [
        ("loss=1.", [at(1.0, "1")]),
        ("final loss=0.25.", [at(0.25)]),
        ("loss=2.e-3", [at(0.002, "2.e-3")]),
        ("loss=3... done", [at(3.0, "3")]),
    ],
    "exponents": [
        ("loss=1e-5", [at(1e-5, "1e-5")]),
        ("loss=1e-05", [at(1e-5, "1e-05")]),
        ("loss=1E5", [at(1e5, "1E5")]),
        ("loss=2.5e+3", [at(2500.0, "2.5e+3")]),
        ("loss=1e0", [at(1.0, "1e0")]),
    ],
    "huge and small": [
        ("loss=1e300", [at(1e300, "1e300")]),
        ("loss=1e-300", [at(1e-300, "1e-300")]),
        ("loss=5e-324", [at(5e-324, "5e-324")]),
        ("loss=1e-999", [at(0.0, "1e-999")]),
        ("loss=" + "9" * 40, [at(1e40, "9" * 40)]),
        ("loss=0." + "3" * 60, [at(1 / 3, "0." + "3" * 60)]),
    ],
    "overflow": [
        ("loss=1e999", [at(None, "1e999")]),
        ("loss=-1e999", [at(None, "-1e999")]),
        ("loss=" + "9" * 400, [at(None, "9" * 400)]),
    ],
    "signs": [
        ("loss=+3", [at(3, "+3")]),
        ("loss=-3.5", [at(-3.5)]),
        ("loss= -3.5", [at(-3.5)]),
        ("loss=--3", []),
        ("loss=+-3", []),
        ("loss=- 3", []),
        ("loss=−3", []),
    ],
    "genotypes": [
        ("accuracy=Genotype(normal=[('conv', 0)])  ", [accuracy(None, "Genotype(normal=[('conv', 0)])")]),
        ("loss=0.5 accuracy = Genotype(a=1), b", [at(0.5), accuracy(None, "Genotype(a=1), b")]),
        ("loss=genotype", []),
        ("accuracy=Genotyp", []),
    ],
    "negative zero": [("loss=-0", [at(-0.0, "-0")]), ("loss=-0.0", [at(-0.0)])],
    "nan": [
        ("loss=nan", [at(None, "nan")]),
        ("loss=NaN", [at(None, "NaN")]),
        ("loss = NAN", [at(None, "NAN")]),
        ("loss=-nan", [at(None, "-nan")]),
        ("loss=nan accuracy=0.1", [at(None, "nan"), accuracy(0.1)]),
        ("loss=nan, epoch=2", [at(None, "nan")]),
        ("loss=tensor(nan)", [at(None, "nan")]),
        ("loss=nanometres", []),
    ],
    "inf": [
        ("loss=inf", [at(None, "inf")]),
        ("loss=-inf", [at(None, "-inf")]),
        ("loss=+inf", [at(None, "+inf")]),
        ("loss=Infinity", [at(None, "Infinity")]),
        ("loss=-INF;", [at(None, "-INF")]),
        ("loss=info", []),
    ],
    "empty": [
        ("loss=", [at(None, "")]),
        ("loss=   ", [at(None, "")]),
        ("loss=, accuracy=0.5", [at(None, ""), accuracy(0.5)]),
        ("loss= accuracy=0.5", [at(None, ""), accuracy(0.5)]),
        ("{loss=}", [at(None, "")]),
        ("loss", []),
        ("", []),
        ("    ", []),
    ],
    "words": [
        ("loss=None", []),
        ("loss=N/A", []),
        ("loss=unavailable", []),
        ("loss=abc", []),
        ("Namespace(loss='mse', lr=0.1)", []),
        ("loss=True", []),
        ("loss=<function mse at 0x7f2a>", []),
    ],
    "other operators": [
        ("loss: 0.5", []),
        ("loss:0.5", []),
        ("loss 0.5", []),
        ("loss -> 0.5", []),
        ("loss==0.5", []),
        ("loss<=0.5", []),
        ("loss!=0.5", []),
        ("loss＝0.5", []),
        ("the loss is 0.5", []),
    ],
    "several metrics": [
        ("loss=0.5 accuracy=0.9", [at(0.5), accuracy(0.9)]),
        ("accuracy=0.9,loss=0.5", [accuracy(0.9), at(0.5)]),
        ("loss=0.5;accuracy=0.9", [at(0.5), accuracy(0.9)]),
        ("loss=0.5|accuracy=0.9", [at(0.5)]),
        ("(loss=0.5)(accuracy=0.9)", [at(0.5), accuracy(0.9)]),
        ("loss=0.5/accuracy=0.9", [at(0.5), accuracy(0.9)]),
        ("loss=0.5 val-loss=0.7 f1_score=0.8", [at(0.5), at(0.7, metric="val-loss"), at(0.8, metric="f1_score")]),
    ],
    "repeated": [
        ("loss=0.5 loss=0.4", [at(0.5), at(0.4)]),
        ("loss=0.5 loss=nan", [at(0.5), at(None, "nan")]),
        ("loss loss=0.4", [at(0.4)]),
        ("loss=loss=0.4", [at(0.4)]),
    ],
    "longer names": [
        ("my_loss=0.5", []),
        ("my-loss=0.5", []),
        ("loss2=0.5", []),
        ("losses=0.5", []),
        ("loss_mean=0.5", []),
        ("loss|x=0.5", []),
        ("x|loss=0.5", []),
        ("--loss=0.5", []),
        ("2loss=0.5", []),
        ("éloss=0.5", []),
        ("loss_=0.5", []),
        ("Loss=0.5", []),
        ("LOSS=0.5", []),
        ("val-loss=0.7", [at(0.7, metric="val-loss")]),
        ("xval-loss=0.7", []),
    ],
    "paths of names": [
        ("train/loss=0.5", [at(0.5)]),
        ("val.loss=0.5", [at(0.5)]),
        ("loss/train=0.5", []),
        ("loss.train=0.5", []),
        ("loss[0]=0.5", []),
        ("mAP@0.5=0.31", [at(0.31, metric="mAP@0.5")]),
    ],
    "units": [
        ("accuracy=95%", [accuracy(95, "95")]),
        ("accuracy=95.5 %", [accuracy(95.5)]),
        ("loss=12ms", [at(12, "12")]),
        ("loss=0.5f", [at(0.5)]),
        ("loss=1.5k", [at(1.5)]),
        ("loss=0.5±0.1", [at(0.5)]),
        ("loss=3/10", [at(3, "3")]),
        ("loss=0.5-0.1", [at(0.5)]),
        ("loss=0.5eV", [at(0.5)]),
        ("loss=$0.5", []),
        ("loss=~0.5", []),
    ],
    "separators": [
        ("loss=1,234", []),
        ("loss=1,234,567.8", []),
        ("loss=1_000", []),
        ("loss=0,5", []),
        ("loss=1'234", []),
        ("loss=1’234", []),
        ("loss=1\u00a0234", []),
        ("loss=1\u202f234", []),
        ("loss=1.234.567", []),
        ("loss=1, 2", [at(1, "1")]),
    ],
    "no decimals": [
        ("loss=0x1F", []),
        ("loss=0XFF", []),
        ("loss=1e-", []),
        ("loss=1e+", []),
        ("loss=1d-5", []),
        ("loss=1D5", []),
        ("loss=1e5e5", []),
        ("loss=..5", []),
        ("loss=.", []),
        ("loss=e5", []),
        ("loss=½", []),
        ("loss=٠٫٥", []),
        ("loss=１", []),
    ],
    "trailing punctuation": [
        ("loss=0.5,", [at(0.5)]),
        ("loss=0.5;", [at(0.5)]),
        ("loss=0.5:", [at(0.5)]),
        ("loss=0.5!", [at(0.5)]),
        ("(loss=0.5)", [at(0.5)]),
        ("[loss=0.5]", [at(0.5)]),
        ("<loss=0.5>", [at(0.5)]),
        ("loss=0.5...", [at(0.5)]),
    ],
    "array libraries": [
        ("loss=tensor(0.5)", [at(0.5)]),
        ("loss=tensor(0.5000, device='cuda:0')", [at(0.5, "0.5000")]),
        ("loss=tensor(0.5, grad_fn=<NllLossBackward0>)", [at(0.5)]),
        ("loss=np.float64(0.3)", [at(0.3)]),
        ("loss=numpy.float32(0.3)", [at(0.3)]),
        ("loss=Array(0.5, dtype=float32)", [at(0.5)]),
        ("loss=tf.Tensor(0.5, shape=(), dtype=float32)", [at(0.5)]),
        ("loss=np.float64(nan)", [at(None, "nan")]),
        ("loss=tensor([0.5, 0.3])", []),
        ("loss=[0.5]", []),
        ("loss=(0.5+0j)", []),
        ("loss=log(0.5)", []),
    ],
    "quotes": [
        ('loss="0.5"', [at(0.5)]),
        ("loss='0.5'", [at(0.5)]),
        ("loss='nan'", [at(None, "nan")]),
        ('loss=""', []),
        ('"loss"=0.5', []),
    ],
    "colours": [
        ("\x1b[32mloss=0.5\x1b[0m", [at(0.5)]),
        ("loss=\x1b[1;31m0.5\x1b[0m", [at(0.5)]),
        ("\x1b[1mloss\x1b[22m=\x1b[38;5;196m0.5\x1b[0m", [at(0.5)]),
        ("lo\x1b[0mss=0.5", [at(0.5)]),
        ("\x1b[2K\x1b[1Gloss=0.5", [at(0.5)]),
        ("\x1b]0;my title\x07loss=0.5", [at(0.5)]),
        ("\x1b]8;;http://x.y\x1b\\loss=0.5\x1b]8;;\x1b\\", [at(0.5)]),
        ("\x1b(Bloss=0.5", [at(0.5)]),
        ("\x9b32mloss=0.5", []),
        ("loss=0.5\x1b", [at(0.5)]),
        ("loss=0.5\x1b[", [at(0.5)]),
    ],
    "line ends": [
        (b"loss=0.5\r\n", [at(0.5)]),
        (b"loss=0.5\r\nloss=0.4\r\n", [at(0.5), at(0.4)]),
        (b"loss=0.5\rloss=0.4\r", [at(0.5), at(0.4)]),
        (b"loss=0.5\n\n\n\nloss=0.4\n", [at(0.5), at(0.4)]),
        (b"loss=\n0.5\n", [at(None, "")]),
        (b"loss\n=0.5\n", []),
        (b"loss=0.5\x0bloss=0.4\n", [at(0.5)]),
        ("loss=0.5\u2028loss=0.4", [at(0.5), at(0.4)]),
    ],
    "half lines": [
        (b"loss=0.5", [at(0.5)]),
        (b"loss=0.5\nloss=0.", [at(0.5), at(0.0, "0")]),
        (b"loss=0.5\nlos", [at(0.5)]),
        (b"loss=0.5\nloss=", [at(0.5), at(None, "")]),
    ],
    "progress bars": [
        (" 30%|###   | 3/10 [00:01<00:02,  2.98it/s, loss=0.5]", [at(0.5)]),
        (" 30%|███▎  | 3/10 [00:01<00:02,  2.98it/s, loss=0.5, accuracy=0.9]", [at(0.5), accuracy(0.9)]),
        (b"\r 10%|#   | loss=0.5\r 20%|##  | loss=0.4\r\n", [at(0.5), at(0.4)]),
        ("[=====>....] - ETA: 2s - loss=0.5", [at(0.5)]),
        ("[=====>....] - ETA: 2s - loss: 0.5", []),
        (" 30%|loss=0.5", []),
    ],
    "json in text": [
        ('{"loss": 0.5}', []),
        ('{"msg": "loss=0.5"}', [at(0.5)]),
        ("{'loss': 0.5}", []),
    ],
    "time stamps": [
        ("2024-05-01T12:00:00Z loss=0.5", [at(0.5)]),
        ("2024-05-01T12:00:00.123456789Z loss=0.5", [at(0.5)]),
        ("2024-05-01T12:00:00+02:00 INFO loss=0.5", [at(0.5)]),
        ("2024-05-01 12:00:00,123 INFO loss=0.5", [at(0.5)]),
        ("[12:00:00] loss=0.5", [at(0.5)]),
        ("2024-13-45T99:00:00Z loss=0.5", [at(0.5)]),
        ("I0501 12:00:00.123456 7 train.py:10] loss=0.5", [at(0.5)]),
        ("2024-05-01T12:00:00Zloss=0.5", []),
    ],
    "unicode": [
        ("точность=0.9", [at(0.9, metric="точность")]),
        ("моя_точность=0.9", []),
        ("損失 loss=0.5 です", [at(0.5)]),
        ("🎉 loss=0.5 🎉", [at(0.5)]),
        ("loss\u00a0=\u00a00.5", [at(0.5)]),
        ("loss=0.5\u200b", [at(0.5)]),
    ],
    "byte order marks": [
        (b"\xef\xbb\xbfloss=0.5\n", [at(0.5)]),
        ("loss=0.5\n".encode("utf-16"), [at(0.5)]),
        ("loss=0.5\n".encode("utf-16-le"), [at(0.5)]),
    ],
    "nul and controls": [
        (b"\x00\x00loss=0.5\x00", [at(0.5)]),
        (b"l\x00o\x00s\x00s\x00=\x000\x00.\x005\x00", [at(0.5)]),
        (b"\x07\x08loss=0.5", [at(0.5)]),
        (b"\x00" * 100, []),
        (b"\x7floss=0.5\x01", [at(0.5)]),
    ],
    "invalid utf-8": [
        (b"\xff\xfe loss=0.5", [at(0.5)]),
        (b"loss=0.5\xff", [at(0.5)]),
        (b"loss=\xff0.5", []),
        (b"\xc3loss=0.5", [at(0.5)]),
        (b"lo\xffss=0.5", []),
        (b"\xed\xa0\x80 loss=0.5", [at(0.5)]),
        (b"\xe2\x82\nloss=0.5\n", [at(0.5)]),
    ],
    "long lines": [
        ("x" * 10_000 + " loss=0.5", [at(0.5)]),
        ("loss=0.5 " + "x" * 10_000, [at(0.5)]),
        (b"loss=0.5 " + b"x" * (1 << 20) + b"\nloss=0.4\n", [at(0.4)]),
        (b"loss=0.3\n" + b"loss=0.5 " * 200_000 + b"\nloss=0.4\n", [at(0.3), at(0.4)]),
    ],
}

JSON: dict[str, Lines] = {
    "json numbers": [
        ('{"loss": 0.5}', [at(0.5)]),
        ('{"loss": 1}', [at(1, "1")]),
        ('{"loss": 1e-05}', [at(1e-5, "1e-05")]),
        ('{"loss": -0.0}', [at(-0.0)]),
        ('  {"loss":0.5,"accuracy":0.9}  ', [at(0.5), accuracy(0.9)]),
        ('{"loss": 1e999}', [at(None, "1e999")]),
        ('{"loss": ' + "9" * 5000 + "}", [at(None, "9" * 4096)]),
    ],
    "json texts": [
        ('{"loss": "0.5"}', [at(0.5)]),
        ('{"loss": " 0.5 "}', [at(0.5)]),
        ('{"loss": ""}', [at(None, "")]),
        ('{"loss": "nan"}', [at(None, "nan")]),
        ('{"loss": "Genotype(a=1)"}', [at(None, "Genotype(a=1)")]),
        ('{"loss": "0.5\\u0000"}', [at(0.5)]),
        ('{"loss": "\\ud800"}', [at(None, "?")]),
    ],
    "json without a value": [
        ('{"loss": NaN}', [at(None, "NaN")]),
        ('{"loss": -Infinity}', [at(None, "-Infinity")]),
        ('{"loss": null}', [at(None, "")]),
        ('{"loss": true}', []),
        ('{"loss": [0.5]}', []),
        ('{"loss": {"value": 0.5}}', []),
        ('{"train": {"loss": 0.5}}', []),
    ],
    "json malformed": [
        ('{"loss": 0.5', []),
        ('{"loss": 0.5}}', []),
        ("{'loss': 0.5}", []),
        ('{"loss": .5}', []),
        ('[{"loss": 0.5}]', []),
        ('"loss"', []),
        ("loss=0.5", []),
        (b'{"loss": 0.\n5}\n{"loss": 0.4}\n', [at(0.4)]),
        ('{"a":' * 5000, []),
        (b"\x00\xff{}\n", []),
    ],
    "json duplicates": [('{"loss": 0.5, "loss": 0.4}', [at(0.4)])],
}

CASES = [
    Case(kind, format, line if isinstance(line, bytes) else line.encode(), tuple(reports))
    for format, kinds in (("TEXT", TEXT), ("JSON", JSON))
    for kind, lines in kinds.items()
    for line, reports in lines
]
