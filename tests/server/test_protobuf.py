"""Bodies in protocol buffers that are no such: every one is refused with words, none breaks the server."""

from __future__ import annotations

import pytest

from katib.server.protobuf import decoded
from katib.server.status import ApiError
from katib.server.wire import field

KIND = field(1, field(1, "v1") + field(2, "ConfigMap"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"{}", 400),
        (b"k8s\x00", 415),
        (b"k8s\x00" + field(1, field(1, "v1") + field(2, "Pear")), 415),
        (b"k8s\x00" + KIND + b"\x12\xff", 400),
        (b"k8s\x00" + KIND + b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 400),
        (b"k8s\x00" + KIND + field(2, b"\x08\x01"), 400),
        (b"k8s\x00" + KIND + field(2, field(2, field(1, b"\xff"))), 400),
        (b"k8s\x00" + KIND + field(2, b"\x0b"), 400),
    ],
    ids=[
        "empty", "json", "nothing", "another-kind", "cut-off", "too-long-a-number", "number-for-message", "no-utf8",
        "wire-type",
    ],
)  # fmt: skip
def test_what_is_refused(body, code):
    with pytest.raises(ApiError) as caught:
        decoded(body)
    assert caught.value.code == code


def test_a_config_map():
    entry = field(1, "key") + field(2, b"\x00\xff")
    raw = field(1, field(1, "name")) + field(2, field(1, "a") + field(2, "b")) + field(3, entry) + b"\x20\x01"
    assert decoded(b"k8s\x00" + KIND + field(2, raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "name"},
        "data": {"a": "b"},
        "binaryData": {"key": "AP8="},
        "immutable": True,
    }
