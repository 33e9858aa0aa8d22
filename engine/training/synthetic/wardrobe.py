"""Everything that synthetic people are dressed in, prepared once from the assets and kept in one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...errors import ModelFileError
from ...heads.model import HeadModel
from .beards import beard_styles
from .cards import build_card_styles
from .hair import CUTS, shell_style
from .prop_store import props_from_arrays, props_to_arrays
from .scene import Prop
from .skin_bank import SkinBank, build_skin_bank
from .wearables import collar, glasses, hat, occluder

T = TypeVar("T")
Maker = Callable[[HeadModel, np.random.Generator], "Prop | tuple[Prop, ...]"]
COUNTS: dict[str, tuple[Maker, int]] = {
    "glasses": (glasses, 40),
    "hat": (hat, 20),
    "collar": (collar, 30),
    "occluder": (occluder, 30),
}
CUT_VARIANTS = 2
"""Hair grown anew for each cut."""
HELD_OUT = 5
"""One in so many skins, hair styles and things to wear is kept for measuring."""


@dataclass(frozen=True)
class Wardrobe:
    """What people can wear.

    Attributes:
        skins: see `SkinBank`.
        outfits: by kind ("hair", "beard", "glasses", "hat", "collar", "occluder"): props that go together.
    """

    skins: SkinBank
    outfits: dict[str, list[tuple[Prop, ...]]]

    def choices(self, kind: str, held_out: bool) -> list[tuple[Prop, ...]]:
        """Outfits of a kind for measuring, or those for learning."""
        return split(self.outfits.get(kind, []), held_out)

    def skin_names(self, held_out: bool) -> tuple[str, ...]:
        """Skins for measuring, or those for learning."""
        return tuple(split(self.skins.names, held_out))


def split(things: Sequence[T], held_out: bool) -> list[T]:
    """Every fifth of the things, or the others. All of them where there are fewer than five."""
    if len(things) < HELD_OUT:
        return list(things)
    return [thing for number, thing in enumerate(things) if (number % HELD_OUT == HELD_OUT // 2) == held_out]


def find_assets() -> Path | None:
    """MakeHuman's CC0 assets beside the clone (or in LIKENESS_SHARED), or None."""
    shared = Path(os.environ.get("LIKENESS_SHARED", Path(__file__).parents[4] / "shared"))
    folder = shared / "data" / "makehuman_cc0"
    return folder if folder.is_dir() else None


def build_wardrobe(head: HeadModel, folder: Path | None, seed: int = 0) -> Wardrobe:
    """Prepare everything. Minutes; without assets there are only the bundled skin and procedural hair.

    Args:
        head: the open head.
        folder: MakeHuman's CC0 assets, or None.
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    cards = [] if folder is None else build_card_styles(head, folder / "hair")
    hair = [*cards, *(shell_style(head, rng, cut.name) for cut in CUTS * CUT_VARIANTS)]
    outfits: dict[str, list[tuple[Prop, ...]]] = {
        "hair": [(style,) for style in hair],
        "beard": [(style,) for style in beard_styles(head, rng)],
    }
    for kind, (make, count) in COUNTS.items():
        made = [make(head, rng) for _ in range(count)]
        outfits[kind] = [(thing,) if isinstance(thing, Prop) else thing for thing in made]
    return Wardrobe(build_skin_bank(head, folder), outfits)


def save_wardrobe(path: Path, wardrobe: Wardrobe) -> None:
    """Write a wardrobe as one file."""
    arrays = {f"skin/{name}": values for name, values in wardrobe.skins.to_arrays().items()}
    for kind, outfits in wardrobe.outfits.items():
        arrays[f"{kind}/ends"] = np.cumsum([len(outfit) for outfit in outfits])
        stored = props_to_arrays([prop for outfit in outfits for prop in outfit])
        arrays |= {f"{kind}/props/{name}": values for name, values in stored.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load_wardrobe(path: Path) -> Wardrobe:
    """Read what `save_wardrobe` wrote.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in file.files}
        skins = SkinBank.from_arrays(_part(stored, "skin/"))
        outfits = {}
        for kind in ("hair", "beard", *COUNTS):
            props = props_from_arrays(_part(stored, f"{kind}/props/"))
            ends = stored[f"{kind}/ends"].tolist()
            outfits[kind] = [tuple(props[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path} is not a wardrobe of synthetic people ({error}).",
            "Make it with `python -m engine.training prepare`.",
        ) from error
    return Wardrobe(skins, outfits)


def _part(stored: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in stored.items() if name.startswith(prefix)}
