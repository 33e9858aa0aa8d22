"""Draws reconstructed people to look at: python scripts/contact_sheet.py OUT.jpg PHOTO... [--acting] [--texture KINDS].

A row per photo: the photo, the head in its view and light, three-quarter, profile, a smile. With --acting, five
expressions in profile instead. --texture photo,ganfit,linear gives a row for each.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.errors import EngineError  # noqa: E402
from engine.options import ReconstructOptions  # noqa: E402
from engine.pipeline import solve  # noqa: E402
from engine.preview import (  # noqa: E402
    EXPRESSION,
    Stage,
    acting,
    contact_sheet,
    cut,
    facing_side,
    head_crop,
    neutral,
    posed,
    turntable,
)
from engine.progress import Progress  # noqa: E402
from engine.render.lighting import studio  # noqa: E402
from engine.result import Reconstruction  # noqa: E402

QUALITY = 88
Panel = tuple[str, NDArray[np.uint8]]


def both(*units: str, **others: float) -> dict[str, float]:
    """Weights of 1 for units of both sides, and of others by name."""
    return {unit + side: 1.0 for unit in units for side in ("Left", "Right")} | others


ACTING = {
    "Smile": EXPRESSION,
    "Jaw open": {"jawOpen": 1.0},
    "Pucker": {"mouthPucker": 1.0},
    "Blink": both("eyeBlink"),
    "Worry": both("mouthFrown", browInnerUp=1.0),
}


def views(head: Reconstruction, photo: NDArray[np.uint8]) -> list[Panel]:
    """The photo and the head beside it."""
    crop, stage = head_crop(head), Stage(head)
    turn = 35.0 * facing_side(head)
    profile = float(np.copysign(90, turn))
    return [
        ("Photo", cut(photo, crop)),
        ("The photo's view", stage.picture(posed(head), crop.camera(head.camera), head.illumination)),
        ("Three-quarter", stage.picture(neutral(head), turntable(head, turn), studio())),
        ("Profile", stage.picture(neutral(head), turntable(head, profile), studio())),
        ("Smile", stage.picture(acting(head, EXPRESSION), turntable(head, -turn / 3), studio())),
    ]


def profiles(head: Reconstruction) -> list[Panel]:
    """Five expressions from the side."""
    stage, camera = Stage(head), turntable(head, 90.0 * facing_side(head))
    return [(name, stage.picture(acting(head, weights), camera, studio())) for name, weights in ACTING.items()]


def main() -> None:
    """Reconstruct the photos and write the sheet; photos that fail are named and left out."""
    parser = argparse.ArgumentParser(description="Draw reconstructed people to look at.")
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("photos", type=Path, nargs="+", help="portraits")
    parser.add_argument("--acting", action="store_true", help="five expressions in profile")
    parser.add_argument("--texture", default="photo", help="where skin comes from, with commas between several")
    arguments = parser.parse_args()
    panels: list[Panel] = []
    for path, texture in product(arguments.photos, arguments.texture.split(",")):
        try:
            head, pixels = solve(path, ReconstructOptions(texture=texture), Progress())
        except EngineError as error:
            print(error, file=sys.stderr)
            continue
        panels += profiles(head) if arguments.acting else views(head, pixels)
    if not panels:
        raise SystemExit("No photo could be reconstructed.")
    from PIL import Image

    sheet = Image.fromarray(contact_sheet(panels, columns=5))
    sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(arguments.out, quality=QUALITY)
    print(arguments.out)


if __name__ == "__main__":
    main()
