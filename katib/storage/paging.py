"""Lists of experiments, cut into pages. A page's token is the key of its last item, so pages survive other writers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from katib.core.errors import SpecError
from katib.core.experiment import Experiment
from katib.core.ports import Page
from katib.core.trial import Key

# At most so many experiments whose key is greater, in order of the key.
After = Callable[[Key, int], Sequence[Experiment]]


def page_of(after: After, selector: Mapping[str, str], limit: int, cont: str) -> Page:
    """The first ``limit`` experiments beyond ``cont`` whose labels are those of ``selector``. Raises SpecError."""
    if limit < 1:
        raise SpecError(f"limit: got {limit}, expected at least 1")
    last = _key(cont)
    items: list[Experiment] = []
    while len(items) <= limit:  # one more than asked for tells whether there is another page
        batch = after(last, limit + 1)
        items += [e for e in batch if all(e.spec.labels.get(name) == value for name, value in selector.items())]
        if len(batch) <= limit:
            break
        last = batch[-1].key
    return Page(tuple(items[:limit]), json.dumps(items[limit - 1].key) if len(items) > limit else "")


def _key(cont: str) -> Key:
    try:
        namespace, name = json.loads(cont) if cont else ("", "")
        return Key(str(namespace), str(name))
    except (ValueError, TypeError) as error:
        raise SpecError(f"cont: got {cont!r}, expected what the page before it gave") from error
