#!/usr/bin/env python3
"""Write a container image to a tar file, from plain directories, with no registry.

    mkimage.py OUT.tar --name localhost/trial:1 --layer ./rootfs --layer ./code:/app \
        --env PYTHONUNBUFFERED=1 --cmd python3 /app/train.py
    mkimage.py OUT.tar --name localhost/trial:2 --base BASE.tar --layer ./code:/app

The file is a Docker archive, which containerd, podman and docker import alike.
Files keep their modes and times and belong to root in the image.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_layer(source, prefix, path):
    """Write the tree under `source` to the tar file `path`, below `prefix`; return its digest."""

    def as_root(info):
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        parts = [p for p in prefix.split("/") if p]
        for i in range(len(parts)):
            info = tarfile.TarInfo("/".join(parts[: i + 1]))
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for entry in sorted(os.listdir(source)):
            tar.add(os.path.join(source, entry), arcname="/".join([*parts, entry]), filter=as_root)
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("out")
    p.add_argument("--name", required=True, help="the image's name and tag")
    p.add_argument("--base", help="an archive of this tool's to build on")
    p.add_argument("--layer", action="append", default=[], metavar="DIR[:PREFIX]")
    p.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("--workdir", default=None)
    p.add_argument("--user", default=None)
    p.add_argument("--entrypoint", nargs="*", default=None)
    p.add_argument("--cmd", nargs=argparse.REMAINDER, default=None)
    args = p.parse_args()

    config, diff_ids, layers = {}, [], []  # layers: (name in the archive, path, base's member)
    base = None
    if args.base:
        base = tarfile.open(args.base)  # noqa: SIM115 - read until the end, layer by layer
        manifest = json.load(base.extractfile("manifest.json"))[0]
        old = json.load(base.extractfile(manifest["Config"]))
        config, diff_ids = old.get("config", {}), list(old["rootfs"]["diff_ids"])
        layers = [(name, None, base.getmember(name)) for name in manifest["Layers"]]

    work = []
    for i, spec in enumerate(args.layer):
        source, _, prefix = spec.partition(":")
        path = f"{args.out}.layer{i}"
        work.append(path)
        digest = write_layer(source, prefix, path)
        if f"sha256:{digest}" in diff_ids:
            continue
        diff_ids.append(f"sha256:{digest}")
        layers.append((f"{digest}.tar", path, None))

    config["Env"] = config.get("Env", []) + args.env
    if not any(e.startswith("PATH=") for e in config["Env"]):
        config["Env"].append("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    for key, value in (
        ("WorkingDir", args.workdir),
        ("User", args.user),
        ("Entrypoint", args.entrypoint),
        ("Cmd", args.cmd),
    ):
        if value is not None:
            config[key] = value
    machine = platform.machine()
    raw = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    config_name = hashlib.sha256(raw).hexdigest() + ".json"
    manifest = json.dumps(
        [
            {
                "Config": config_name,
                "RepoTags": [args.name],
                "Layers": [name for name, _, _ in layers],
            }
        ]
    ).encode()

    with tarfile.open(args.out + ".new", "w") as out:
        for name, data in ((config_name, raw), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        for name, path, member in layers:
            if member is not None:
                out.addfile(member, base.extractfile(member))
            else:
                out.add(path, arcname=name)
    os.replace(args.out + ".new", args.out)
    for path in work:
        os.remove(path)


if __name__ == "__main__":
    main()
