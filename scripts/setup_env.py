"""Make the Python environments of this project: python scripts/setup_env.py [--bpy 4.2] [--bpy 5.0].

`.venv` holds the engine, Blender 4.5 as a module, and the development tools; `--bpy` makes `.venv-bpy42` or
`.venv-bpy50`, which hold another Blender to test in. Everything is pinned in requirements/*.lock, full closures, so
pip resolves nothing. An environment that is up to date is left as it is. Standard library only, and parsed by old
Pythons too, to tell them what they lack.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "requirements"
PYTHON = (3, 11)
STAMP = "likeness-locks"
SYSTEM_LIBRARIES = (
    "libegl1 libgl1 libice6 libsm6 libx11-6 libxext6 libxfixes3 libxi6 libxkbcommon0 libxrender1 libxxf86vm1"
)


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment: its folder's name and the locks that fill it."""

    folder: str
    locks: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The folder."""
        return ROOT / self.folder

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def fingerprint(self) -> str:
        """Changes whenever the environment must be brought up to date."""
        digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
        for lock in self.locks:
            digest.update((LOCKS / lock).read_bytes())
        return digest.hexdigest()

    def is_up_to_date(self) -> bool:
        """Whether the last set-up here ended well and installed what the locks name now."""
        stamp = self.path / STAMP
        return self.python.exists() and stamp.is_file() and stamp.read_text() == self.fingerprint()


MAIN = Environment(".venv", ("engine.lock", "dev.lock"))
BLENDERS = {
    "4.2": Environment(".venv-bpy42", ("bpy42.lock",)),
    "5.0": Environment(".venv-bpy50", ("bpy50.lock",)),
}


def set_up(environment: Environment, torch_index: str | None = None) -> None:
    """Create the environment or bring it up to date; a no-op if it is.

    Args:
        environment: which.
        torch_index: address of another package index for PyTorch's builds, or None.

    Raises:
        SetupError: this Python is unfit, pip failed, or system libraries are missing.
    """
    if environment.is_up_to_date():
        return
    check_python()
    if not environment.python.exists():
        print(f"Creating {environment.folder}", flush=True)
        create(environment)
    print(f"Installing the pinned packages into {environment.folder} (a few minutes the first time)", flush=True)
    options = ["--extra-index-url", torch_index] if torch_index else []
    for lock in environment.locks:
        install(environment, [*options, "--no-deps", "-r", str(LOCKS / lock)])
    if environment is MAIN:
        mend_torch(environment)
    check_bpy(environment)
    (environment.path / STAMP).write_text(environment.fingerprint())
    print(f"{environment.folder} is ready", flush=True)


def check_python() -> None:
    """Refuse every Python but 3.11: Blender 4.2 to 5.0 and the pinned packages are built for it."""
    if sys.version_info[:2] != PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:3])
        raise SetupError(
            f"Python 3.11 is needed, because Blender 4.2 to 5.0 is built for it; this is {found} ({sys.executable}).\n"
            "Install Python 3.11 and run again with it: make PYTHON=/path/to/python3.11 ..., "
            "or python3.11 scripts/setup_env.py."
        )


def create(environment: Environment) -> None:
    """Make an empty virtual environment with pip."""
    try:
        venv.create(environment.path, with_pip=True, clear=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError as error:
        shutil.rmtree(environment.path, ignore_errors=True)
        raise SetupError(
            "Python could not create a virtual environment.\n"
            "On Debian and Ubuntu: sudo apt-get install -y python3.11-venv"
        ) from error


def install(environment: Environment, arguments: list[str]) -> None:
    """Run pip in the environment. Wheels only: nothing is compiled on the user's machine."""
    pip = [str(environment.python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    if subprocess.run([*pip, "--no-compile", "--only-binary", ":all:", *arguments], cwd=ROOT).returncode:
        raise SetupError(
            "pip could not install the pinned packages; what it says above tells why.\n"
            "Check the network and the free disk space (about 6 GB), then run the same again: it goes on from here."
        )


def mend_torch(environment: Environment) -> None:
    """On Linux the public index serves PyTorch with CUDA: install the libraries that build needs as well."""
    if run_python(environment, "import torch").returncode == 0:
        return
    print("This PyTorch is the CUDA build: installing its libraries too (several GB)", flush=True)
    torch = re.search(r"^torch==\S+", (LOCKS / "engine.lock").read_text(), re.MULTILINE)
    assert torch is not None
    pins = [part for lock in environment.locks for part in ("-c", str(LOCKS / lock))]
    install(environment, [torch.group(), *pins])
    again = run_python(environment, "import torch")
    if again.returncode:
        raise SetupError(f"PyTorch is installed but does not start:\n{again.stderr}")


def check_bpy(environment: Environment) -> None:
    """Blender needs a few system libraries that a bare server lacks; name them all."""
    outcome = run_python(environment, "import os, bpy; os._exit(0)")
    if outcome.returncode == 0:
        return
    if "cannot open shared object file" in outcome.stderr:
        missing = outcome.stderr.strip().splitlines()[-1]
        raise SetupError(
            f"Blender lacks system libraries ({missing}).\nOn Debian and Ubuntu run:\n\n"
            f"    sudo apt-get install -y {SYSTEM_LIBRARIES}\n\nthen this again."
        )
    raise SetupError(f"The bpy module is installed but does not start:\n{outcome.stderr}")


def run_python(environment: Environment, code: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in the environment."""
    return subprocess.run([str(environment.python), "-c", code], capture_output=True, text=True)


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the Python environments of this project.")
    parser.add_argument(
        "--bpy", action="append", default=[], choices=sorted(BLENDERS), help="only this Blender's test environment"
    )
    parser.add_argument(
        "--torch-index", metavar="ADDRESS", help="another package index for PyTorch, such as its CPU builds'"
    )
    arguments = parser.parse_args()
    try:
        for environment in [BLENDERS[version] for version in arguments.bpy] or [MAIN]:
            set_up(environment, arguments.torch_index)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
