"""Checkpoints behind a URL: which ones there are, and their removal. Training code writes and reads them itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import fsspec

from katib.core.errors import RunnerError, UnavailableError


def first_of(urls: Iterable[str]) -> str:
    """The first URL below which something lies, empty if there is none. Raises RunnerError, UnavailableError."""
    for url in urls:
        files, path = _files(url)
        try:
            if files.exists(path) and files.find(path, maxdepth=2):
                return url
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UnavailableError(f"checkpoints at {url} cannot be looked up: {error}") from error
    return ""


def remove(url: str) -> None:
    """Remove all that lies below ``url``. Raises RunnerError, UnavailableError."""
    files, path = _files(url)
    try:
        files.rm(path, recursive=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnavailableError(f"the checkpoint at {url} cannot be removed: {error}") from error


def _files(url: str) -> tuple[Any, str]:
    try:
        files, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except TypeError:
        files, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise RunnerError(f"checkpoints at {url!r}: {error}") from error
    return files, path
