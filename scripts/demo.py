"""A head from a public-domain portrait: python scripts/demo.py.

The portrait is NASA's picture of Eileen Collins that comes with scikit-image. The result goes to out/astronaut/.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out" / "astronaut"
RESULTS = {
    "preview.png": "look at this first: the photo beside the head",
    "astronaut.blend": "open this in Blender 4.2 or later",
    "head.glb": "the same head for other programs",
    "albedo.png": "the skin's colour without light and shadow",
    "confidence.png": "white where the photo shows the skin, black where it is made up",
    "report.json": "camera, timings, versions, licences",
}


def save_portrait(path: Path) -> None:
    """Write scikit-image's astronaut as a PNG."""
    from PIL import Image
    from skimage import data

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(data.astronaut()).save(path)


def main() -> int:
    """Returns the exit code."""
    photo = OUT / "astronaut.png"
    save_portrait(photo)
    command = [sys.executable, "-m", "scripts.reconstruct_blend", str(photo), "--out", str(OUT)]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code:
        return code
    missing = [name for name in RESULTS if not (OUT / name).is_file()]
    if missing:
        print(f"{OUT} lacks {', '.join(missing)}", file=sys.stderr)
        return 1
    print(f"\nThe head is in {OUT}:")
    for name, meaning in RESULTS.items():
        print(f"  {name:16} {meaning}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
