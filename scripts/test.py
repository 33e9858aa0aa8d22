"""The whole check: python scripts/test.py [--lint] [--quick].

Formatting, linting, types, then every test in Blender 4.5, then those of the operators, the interface and the
extension in Blender 4.2 and 5.0 as well. Set the environments up first (`make test` does, or scripts/setup_env.py).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup_env import BLENDERS, MAIN, ROOT

LINTERS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("pyright",),
)
IN_EVERY_BLENDER = ("tests/operators", "tests/ui", "tests/scripts/test_build_extension.py")


def run(title: str, command: list[str]) -> bool:
    """Run one check with its output shown. Returns whether it passed."""
    print(f"\n=== {title}", flush=True)
    start = time.monotonic()
    passed = subprocess.run(command, cwd=ROOT).returncode == 0
    print(f"=== {title}: {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True)
    return passed


def lint() -> list[str]:
    """Run the linters. Returns the titles of those that failed."""
    titles = {" ".join(linter): [str(MAIN.python), "-m", *linter] for linter in LINTERS}
    return [title for title, command in titles.items() if not run(title, command)]


def test(quick: bool) -> list[str]:
    """Run the tests. Returns the titles of the runs that failed."""
    pick = ["-m", "not gpu and not slow" if quick else "not gpu"]
    pytest = ["-m", "pytest", "-q", "--durations=10", *pick]
    runs = {"tests in Blender 4.5": [str(MAIN.python), *pytest]}
    if not quick:
        for version, environment in BLENDERS.items():
            runs[f"tests in Blender {version}"] = [str(environment.python), *pytest, *IN_EVERY_BLENDER]
    return [title for title, command in runs.items() if not run(title, command)]


def main() -> int:
    """Returns the exit code: 0 only if everything passed."""
    parser = argparse.ArgumentParser(description="The whole check.")
    parser.add_argument("--lint", action="store_true", help="only formatting, linting and types")
    parser.add_argument("--quick", action="store_true", help="only Blender 4.5, without the slow tests")
    arguments = parser.parse_args()
    failed = lint()
    if not arguments.lint:
        failed += test(arguments.quick)
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
