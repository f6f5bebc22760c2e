"""Trees as Katib hands them to trial images: JSON with single quotes in place of double ones, in one argument."""

from __future__ import annotations

import ast
import json
from typing import Any


def quoted(tree: Any) -> str:
    """The text of a tree. Raises ValueError if a text in it has a quotation mark, which could not be told apart."""
    text = json.dumps(tree, allow_nan=False)
    if "'" in text or '\\"' in text:
        raise ValueError("a text in it has a quotation mark")
    return text.replace('"', "'")


def unquoted(text: str) -> Any:
    """The tree of such a text; JSON proper, and Python's literals, are read too. Raises ValueError."""
    for read in (json.loads, lambda given: json.loads(given.replace("'", '"')), ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise ValueError(f"got {text!r}, expected a tree as JSON, single quotes allowed")
