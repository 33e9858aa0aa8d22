"""The wheels that travel inside the extension: python scripts/wheel_lock.py pins them anew in requirements/wheels.lock.

Versions come from requirements/engine.lock, so that the zips hold what the tests ran on. NumPy is left out, Blender has
it. On Linux the public index serves PyTorch with CUDA, which needs several GB more; the zip holds the CPU build, from
PyTorch's own index of CPU builds (--torch-index) or from a folder that pip is told of (PIP_FIND_LINKS).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINE_LOCK = ROOT / "requirements" / "engine.lock"
WHEELS_LOCK = ROOT / "requirements" / "wheels.lock"
WITH_BLENDER = {"numpy"}
HEADER = """\
# The wheels inside the extension's zips, for Python 3.11 (Blender 4.2 to 5.0): platform, SHA-256, file.
# Written by scripts/wheel_lock.py from engine.lock.
"""
TAGS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64",
                  "manylinux_2_12_x86_64", "manylinux2010_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64"),
    "macos-arm64": (*(f"macosx_{major}_0_{cpu}" for major in (14, 13, 12, 11) for cpu in ("arm64", "universal2")),
                    "macosx_10_9_universal2"),
    "windows-x64": ("win_amd64",),
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Wheel:
    """One pinned file.

    Attributes:
        platform: Blender's name of it, or "any".
        sha256: of the file.
        name: of the file.
    """

    platform: str
    sha256: str
    name: str

    @property
    def requirement(self) -> str:
        """What to ask pip for: project==version."""
        project, version = self.name.split("-")[:2]
        return f"{project}=={version}"


def read_lock(path: Path = WHEELS_LOCK) -> list[Wheel]:
    """The pinned wheels of every platform."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Wheel(*line.split()) for line in lines if line and not line.startswith("#")]


def wheels_for(platform: str, wheels: list[Wheel]) -> list[Wheel]:
    """Those that a platform's zip holds."""
    return [wheel for wheel in wheels if wheel.platform in ("any", platform)]


def target_options(platform: str) -> list[str]:
    """Make pip choose for another platform's Python 3.11."""
    options = ["--only-binary=:all:", "--no-deps", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]
    options += ["--abi=abi3", "--abi=none"]
    return options + [f"--platform={tag}" for tag in TAGS[platform]]


def resolve(platform: str, pins: list[str], index: list[str]) -> list[Wheel]:
    """Ask pip which files it would install on a platform. Nothing is installed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
        where = ["--target", folder, "--report", str(report)]
        subprocess.run([*pip, *where, *target_options(platform), *index, *pins], check=True)
        items = json.loads(report.read_text())["install"]
    files = [item["download_info"] for item in items]
    return [Wheel(platform, file["archive_info"]["hashes"]["sha256"], file_name(file["url"])) for file in files]


def file_name(address: str) -> str:
    """The file's name at the end of its address."""
    return address.rsplit("/", 1)[-1].replace("%2B", "+").replace("%2b", "+")


def shared(wheels: list[Wheel]) -> list[Wheel]:
    """Name files that every platform takes once, as "any"."""
    platforms: dict[tuple[str, str], set[str]] = defaultdict(set)
    for wheel in wheels:
        platforms[wheel.name, wheel.sha256].add(wheel.platform)
    return sorted(
        Wheel(platform, sha256, name)
        for (name, sha256), places in platforms.items()
        for platform in (["any"] if len(places) == len(TAGS) else places)
    )


def engine_pins() -> list[str]:
    """The versions in engine.lock, without what Blender brings."""
    pins = re.findall(r"^[\w.-]+==\S+", ENGINE_LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return [pin for pin in pins if pin.split("==")[0].lower() not in WITH_BLENDER]


def main() -> None:
    """Write wheels.lock."""
    parser = argparse.ArgumentParser(description="Pin the wheels that travel inside the extension.")
    parser.add_argument("--torch-index", metavar="ADDRESS", help="the package index of PyTorch's CPU builds")
    arguments = parser.parse_args()
    index = ["--extra-index-url", arguments.torch_index] if arguments.torch_index else []
    wheels: list[Wheel] = []
    for platform in TAGS:
        wheels += resolve(platform, engine_pins(), index)
    lines = [f"{wheel.platform:12} {wheel.sha256} {wheel.name}\n" for wheel in shared(wheels)]
    WHEELS_LOCK.write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"Pinned {len(lines)} wheels in {WHEELS_LOCK}")


if __name__ == "__main__":
    main()
