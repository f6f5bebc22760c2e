"""Runs a function's program in a trial: what ``KatibClient.tune`` sends along, by its source, as the trial's command.

Only the standard library is used, and no syntax newer than Python 3.8, for images come with a Python of their own. In a
pod missing packages are installed into its image. Anywhere else the environment belongs to a person: they go into a
folder of the trial's own, and only if no package of that name is there.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile


def launch(program: str, name: str, command: list[str], packages: list[str], indexes: list[str]) -> None:
    """Write the program to a file ``name`` and become ``command`` with it; never returns.

    command: words before the file; ``python`` stands for this Python. packages: requirements, as pip takes them.
    indexes: URLs of indexes for pip, the main one first.
    """
    folder = tempfile.mkdtemp(prefix="katib-")
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(program)
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    wanted = packages if in_pod else [each for each in packages if not is_installed(each)]
    if wanted:
        place = [] if in_pod else ["--target", folder]
        subprocess.run([sys.executable, "-m", "pip", *pip_words(wanted, indexes), *place], check=True)
        if not in_pod:
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    words = [sys.executable if word == "python" else word for word in command]
    sys.stdout.flush()
    os.execvp(words[0], [*words, path])  # noqa: S606 - words of our own, no shell


def pip_words(packages: list[str], indexes: list[str]) -> list[str]:
    """Arguments of pip that install the packages."""
    urls = []
    for number, url in enumerate(indexes):
        urls += ["--extra-index-url" if number else "--index-url", url]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location", "--prefer-binary"]
    return ["install", *quiet, *urls, *packages]


def is_installed(requirement: str) -> bool:
    """Whether a package of the requirement's name is there, whatever its version."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
    return True
