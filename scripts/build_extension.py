"""The installable zips: python scripts/build_extension.py [--variant full|small] [--platform PLATFORM|all].

The full variant holds everything the engine needs, one zip a platform. The small one is the add-on alone, for those who
let an interpreter of their own run the engine (see the add-on's preferences). Blender's own tool builds and validates.
The same sources and wheels give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.wheel_lock import TAGS, WHEELS_LOCK, Wheel, read_lock, target_options, wheels_for

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "wheels"
MANIFEST = "blender_manifest.toml"
CONTENTS = ("__init__.py", MANIFEST, "LICENSE", "engine", "operators", "ui")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "evaluation", "training")
TIMESTAMP = 1_735_689_600  # 2025-01-01: a zip notes when files changed, which would differ from clone to clone
SYSTEMS = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}


class BuildError(Exception):
    """The zip cannot be built; the text says why."""


def this_platform() -> str:
    """Blender's name of the machine this runs on, such as linux-x64."""
    machine = {"AMD64": "x64", "x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{SYSTEMS.get(platform.system(), platform.system())}-{machine}"


def blender_tool() -> Path:
    """Blender's extension tool, inside the bpy module. Finds it without importing bpy."""
    spec = importlib.util.find_spec("bpy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for tool in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return tool
    raise BuildError("The bpy module is not installed in this Python; run make setup, then .venv's Python.")


def run_tool(*arguments: str | Path) -> None:
    """Run Blender's extension tool."""
    command = [sys.executable, str(blender_tool()), *map(str, arguments)]
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode:
        raise BuildError(f"Blender's tool refuses to {arguments[0]}:\n{outcome.stdout}{outcome.stderr}".rstrip())


def matches(path: Path, wheel: Wheel) -> bool:
    """Whether a file is the pinned one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == wheel.sha256


def fetch_wheels(target: str, wheels: Sequence[Wheel], pip_options: Sequence[str] = ()) -> list[Path]:
    """Have every wheel in wheels/, verified against its pinned hash.

    Args:
        target: Blender's name of the platform they are for.
        wheels: which.
        pip_options: where else pip shall look.

    Raises:
        BuildError: one cannot be had, or is not the pinned file.
    """
    WHEELS.mkdir(exist_ok=True)
    missing = [wheel for wheel in wheels if not matches(WHEELS / wheel.name, wheel)]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            wanted = Path(folder) / "requirements.txt"
            wanted.write_text("".join(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n" for wheel in missing))
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-qq", "--require-hashes"]
            command = [*pip, *target_options(target), *pip_options, "-r", str(wanted), "-d", str(WHEELS)]
            if subprocess.run(command).returncode:
                raise BuildError(
                    f"pip could not fetch the wheels pinned for {target}; what it says above tells why.\n"
                    "PyTorch's CPU build for Linux is on its own index: give its address as --torch-index, "
                    "or a folder that holds the file as --wheel-dir."
                )
    for wheel in wheels:
        if not matches(WHEELS / wheel.name, wheel):
            raise BuildError(f"wheels/{wheel.name} is not the file pinned in wheels.lock.")
    return [WHEELS / wheel.name for wheel in wheels]


def stage(folder: Path, target: str | None, wheels: Sequence[Path]) -> None:
    """Copy what the extension needs at run time, and list the wheels in its manifest.

    One platform at a time, because Blender's own --split-platforms stamps the manifest with the time of the build.
    """
    for name in CONTENTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OUT)
        else:
            shutil.copy(ROOT / name, folder / name)
    if target is not None:
        (folder / "wheels").mkdir()
        for wheel in wheels:
            shutil.copy(wheel, folder / "wheels" / wheel.name)
        manifest = folder / MANIFEST
        manifest.write_text(with_wheels(manifest.read_text(encoding="utf-8"), target, wheels), encoding="utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (TIMESTAMP, TIMESTAMP))


def with_wheels(manifest: str, target: str, wheels: Sequence[Path]) -> str:
    """The manifest with its platform and wheels, before its first table."""
    head, table, rest = manifest.partition("\n[permissions]")
    listed = "".join(f'  "./wheels/{wheel.name}",\n' for wheel in sorted(wheels))
    return f'{head}\nplatforms = ["{target}"]\nwheels = [\n{listed}]\n{table}{rest}'


def build(out: Path, target: str | None, lock: Path = WHEELS_LOCK, pip_options: Sequence[str] = ()) -> Path:
    """Build and validate one zip.

    Args:
        out: folder it goes to.
        target: Blender's name of a platform, or None for the small variant, without wheels, for all of them.
        lock: the pinned wheels.
        pip_options: where else pip shall look for wheels.

    Returns:
        The zip.

    Raises:
        BuildError: a wheel is not to be had, or Blender's tool refuses.
    """
    wheels = fetch_wheels(target, wheels_for(target, read_lock(lock)), pip_options) if target else []
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder), target, wheels)
        path = out / f"{identity(Path(folder) / MANIFEST)}-{(target or 'small').replace('-', '_')}.zip"
        run_tool("build", "--source-dir", folder, "--output-filepath", path)
    sort_entries(path)
    run_tool("validate", path)
    return path


def sort_entries(path: Path) -> None:
    """Put a zip's entries in alphabetical order; Blender's tool takes them as the file system lists them."""
    ordered = path.with_suffix(".sorted")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(ordered, "w") as target:
        for entry in sorted(source.infolist(), key=lambda entry: entry.filename):
            with source.open(entry) as reader, target.open(entry, "w") as writer:
                shutil.copyfileobj(reader, writer, 1 << 20)
    os.replace(ordered, path)


def identity(manifest: Path) -> str:
    """The extension's id and version, as in likeness-0.1.0."""
    import tomllib

    values = tomllib.loads(manifest.read_text(encoding="utf-8"))
    return f"{values['id']}-{values['version']}"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the installable zips.")
    parser.add_argument("--variant", choices=("full", "small"), default="full", help="with the engine's wheels, or not")
    parser.add_argument("--platform", choices=(*TAGS, "all"), default=None, help="default: this machine's")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--lock", type=Path, default=WHEELS_LOCK, metavar="FILE", help="other pinned wheels")
    parser.add_argument("--wheel-dir", type=Path, metavar="DIR", help="folder of wheels that pip may take")
    parser.add_argument("--torch-index", metavar="ADDRESS", help="the package index of PyTorch's CPU builds")
    arguments = parser.parse_args()
    options = ["--find-links", str(arguments.wheel_dir)] if arguments.wheel_dir else []
    options += ["--extra-index-url", arguments.torch_index] if arguments.torch_index else []
    try:
        for target in targets(arguments.variant, arguments.platform):
            path = build(arguments.out, target, arguments.lock, options)
            print(f"{path} ({path.stat().st_size / 1e6:.0f} MB)", flush=True)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def targets(variant: str, chosen: str | None) -> list[str | None]:
    """The platforms to build for; None is the small variant."""
    if variant == "small":
        return [None]
    if chosen == "all":
        return list(TAGS)
    target = chosen or this_platform()
    if target not in TAGS:
        raise BuildError(f"There are no wheels for {target}: build the small variant, or choose a --platform.")
    return [target]


if __name__ == "__main__":
    sys.exit(main())
