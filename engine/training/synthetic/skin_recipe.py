"""Drawing people's skins: every number of one, from believable distributions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pigment import PIGMENTS, density, lab_to_linear, tone, typology_angle
from .skin_bank import SkinBank
from .skin_fields import NOISE, SOFT

TONE_POWER = 1.4
"""Above 1 draws light skins more often; so, of the six classes of the typology angle, each is frequent."""
MIXED = 3
MARKS = 24
"""Moles and blemishes a skin has at most."""
CHANNELS = 6
"""What soft fields add up to: density (R, G, B), beard, raggedness of the hairline in centimetres, freckles."""
MUCOSA = (0.34, 0.115, 0.10)
"""Linear albedo of the wet inner lip."""
WHITE = (0.56, 0.52, 0.49)
HAIR = (
    (0.012, 0.009, 0.008), (0.03, 0.018, 0.011), (0.08, 0.045, 0.022), (0.22, 0.13, 0.06), (0.13, 0.045, 0.015),
    (0.3, 0.29, 0.28),
)  # fmt: skip
"""Linear albedo of hair: black, dark brown, brown, blond, red, grey."""
HAIR_OF_LIGHT, HAIR_OF_DARK = (0.14, 0.24, 0.22, 0.18, 0.1, 0.12), (0.74, 0.12, 0.02, 0.01, 0.01, 0.1)
"""How frequent they are with the lightest and the darkest skin."""
IRISES = (
    ("brown", (0.035, 0.016, 0.008), (0.075, 0.036, 0.016)), ("dark", (0.018, 0.009, 0.005), (0.03, 0.014, 0.008)),
    ("hazel", (0.11, 0.06, 0.02), (0.10, 0.085, 0.035)), ("green", (0.12, 0.085, 0.03), (0.085, 0.11, 0.06)),
    ("grey", (0.12, 0.12, 0.11), (0.12, 0.14, 0.15)), ("blue", (0.13, 0.15, 0.16), (0.07, 0.115, 0.17)),
)  # fmt: skip
"""Name and linear albedo beside the pupil and at the rim."""
LIPSTICKS = (
    (38, 52, 28),
    (45, 42, 15),
    (30, 42, 16),
    (24, 28, 6),
    (55, 40, 24),
    (52, 24, 16),
    (48, 38, 2),
    (30, 26, -4),
)
"""CIELAB: red, rose, dark red, berry, coral, nude, pink, plum."""
SHADOWS = ((30, 10, 12), (42, 8, 14), (25, 3, 2), (40, 4, -14), (38, 18, 4), (58, 6, 14), (34, -6, 6))
"""CIELAB of eye shadow: brown, sand, smoke, blue, mauve, gold, green."""
BEARDS = {
    "full": (1.2, 1.2, 1.2, 1.0, 1.0), "short": (1, 1, 1, 0.7, 0.8), "goatee": (1, 1.2, 0, 0, 0),
    "moustache": (1.3, 0, 0, 0, 0), "chin": (0, 1.1, 0.15, 0, 0.2), "sides": (0.2, 0.3, 1.2, 0.4, 0.4),
}  # fmt: skip
"""Strength on moustache, goatee, jaw, cheeks and under the chin."""
BEARD_TINT = (1.05, 0.92, 0.8)
"""Beards are redder than the hair of the head."""
BEARD_AREAS = ("moustache", "goatee", "jaw", "cheek_beard", "under_chin")


@dataclass(frozen=True)
class Complexion:
    """Colour and texture of the skin.

    Attributes:
        skins: (3,) int64 index of the skins it mixes. broad, fine: (3,) share of each one's colour and detail.
        tone: (3,) density of the bare face.
        fields: (CHANNELS,F) what each soft field adds.
        lips: (3,) density that lips add. pores: strength of the finest grain.
        freckles: (3,) strength by size. freckle_floor: what part of each is left out.
        marks: (M,) int64 place in the bank's `surface`. mark_radius: (M,) metres. mark_density: (M,3).
    """

    skins: NDArray[np.int64]
    broad: NDArray[np.float32]
    fine: NDArray[np.float32]
    tone: NDArray[np.float32]
    fields: NDArray[np.float32]
    lips: NDArray[np.float32]
    pores: float
    freckles: NDArray[np.float32]
    freckle_floor: float
    marks: NDArray[np.int64]
    mark_radius: NDArray[np.float32]
    mark_density: NDArray[np.float32]


@dataclass(frozen=True)
class Makeup:
    """Density (3,) and cover 0..1 of what is painted on."""

    lipstick: NDArray[np.float32]
    lipstick_cover: float
    liner: NDArray[np.float32]
    liner_cover: float
    shadow: NDArray[np.float32]
    shadow_cover: float


@dataclass(frozen=True)
class FaceHair:
    """Brows, beard and the hair of a cropped head.

    Attributes:
        brow: picture. brow_cover: 0..1. brow_density: (3,).
        beard_cover: 0..1 of skin that its hairs hide. beard_density, beard_shadow: (3,) of hairs, and of shaved skin.
        beard_shift: centimetres that its border moves outwards.
        scalp_cover, scalp_density: the same for the scalp; scalp_shift moves the hairline.
    """

    brow: int
    brow_cover: float
    brow_density: NDArray[np.float32]
    beard_cover: float
    beard_density: NDArray[np.float32]
    beard_shadow: NDArray[np.float32]
    beard_shift: float
    scalp_cover: float
    scalp_density: NDArray[np.float32]
    scalp_shift: float


@dataclass(frozen=True)
class Eyes:
    """Both eyes. Colours (3,) are linear; pupil in iris radii; turn in revolutions of the pattern; others 0..1."""

    iris: int
    turn: float
    contrast: float
    inner: NDArray[np.float32]
    outer: NDArray[np.float32]
    pupil: float
    limbal: float
    white: NDArray[np.float32]
    veins: float


@dataclass(frozen=True)
class Rest:
    """Mouth and clothes.

    Attributes:
        teeth, mouth: (3,) factors on the base's enamel and gums.
        collar: metres above the mean head's origin at the throat. slope: how it climbs or falls to the sides.
        vee: metres that its middle is lower. clothes, stripes: (3,) linear. stripe_period: metres; 0 plain.
    """

    teeth: NDArray[np.float32]
    mouth: NDArray[np.float32]
    collar: float
    slope: float
    vee: float
    clothes: NDArray[np.float32]
    stripes: NDArray[np.float32]
    stripe_period: float


@dataclass(frozen=True)
class SkinRecipe:
    """All numbers of one skin, and what it was made of. hair_colour: (3,) linear, for props that go with it."""

    complexion: Complexion
    makeup: Makeup
    hair: FaceHair
    eyes: Eyes
    rest: Rest
    hair_colour: NDArray[np.float32]
    names: dict[str, str]


def draw_recipe(
    rng: np.random.Generator,
    bank: SkinBank,
    skins: Collection[str] | None = None,
    hair_colour: NDArray | None = None,
    covered: bool = False,
) -> SkinRecipe:
    """Draw a skin.

    Args:
        rng: of every draw.
        bank: what there is.
        skins: names that may be used; None: all.
        hair_colour: (3,) linear, of brows and beard too; None draws one that goes with the skin.
        covered: the head wears hair, so the scalp under it is dark.
    """
    place = float(rng.uniform() ** TONE_POWER)
    redder = np.clip(rng.normal(0, 1.2), -1.5, 3) * (1 - 0.4 * place)
    bare = tone(place, redder, rng.normal(0, 1.2) * (1 - 0.4 * place))
    if hair_colour is None:
        share = min(1.0, 1.6 * place)
        kind = rng.choice(len(HAIR), p=(1 - share) * np.array(HAIR_OF_LIGHT) + share * np.array(HAIR_OF_DARK))
        hair_colour = np.array(HAIR[kind]) * np.exp(rng.normal(0, 0.2))
    fields = np.zeros((CHANNELS, len(SOFT)), np.float32)
    style = rng.random()
    hair, beard = _face_hair(rng, bank, np.asarray(hair_colour), bare, fields, style > 0.5, covered)
    complexion, names = _complexion(rng, bank, bare, place, fields, skins)
    eyes, iris = _eyes(rng, bank, place)
    names |= {"brow": bank.brow_names[hair.brow], "iris": iris, "beard": beard}
    names["tone"] = f"{float(typology_angle(bare)):.0f}"
    return SkinRecipe(
        complexion, _makeup(rng, style < 0.4), hair, eyes, _rest(rng), np.asarray(hair_colour, np.float32), names
    )


def _complexion(
    rng: np.random.Generator,
    bank: SkinBank,
    bare: NDArray,
    place: float,
    fields: NDArray[np.float32],
    allowed: Collection[str] | None,
) -> tuple[Complexion, dict[str, str]]:
    usable = [number for number, name in enumerate(bank.names) if allowed is None or name in allowed]
    skins = rng.choice(usable, MIXED)
    shares = np.sort(rng.dirichlet((1.5, 0.8, 0.6)))[::-1]
    names = {"skin": bank.names[skins[0]], "skins": "+".join(sorted({bank.names[number] for number in skins}))}
    bare_density = density(bare)
    lips = _regions(rng, fields, bare_density, 1 - 0.55 * place, place)
    detail = np.exp(rng.normal(0, 0.35)) * (1.0 if rng.random() < 0.75 else 1.7)
    freckled = rng.random() < 0.35 * (1 - place)
    count = rng.integers(0, 12)
    kinds = rng.random(MARKS) < 0.55
    mole = rng.uniform(0.5, 1.4, (MARKS, 1)) * PIGMENTS[:, 0]
    blemish = rng.uniform(0.1, 0.4, (MARKS, 1)) * (PIGMENTS[:, 1] + rng.uniform(-0.2, 0.5, (MARKS, 1)) * PIGMENTS[:, 0])
    complexion = Complexion(
        skins.astype(np.int64),
        (shares * np.exp(rng.normal(0, 0.25))).astype(np.float32),
        (shares / np.linalg.norm(shares) * detail).astype(np.float32),
        bare_density,
        fields,
        lips,
        float(np.abs(rng.normal(0.06, 0.04))),
        (rng.uniform(0, 1.4, 3) * freckled * np.array([1, 0.8, 0.5])).astype(np.float32),
        float(rng.uniform(0.02, 0.3)),
        rng.integers(0, len(bank.surface), MARKS),
        np.where(kinds, rng.gamma(4, 0.00022, MARKS), rng.uniform(0.0009, 0.0028, MARKS)).astype(np.float32),
        (np.where(kinds[:, None], mole, blemish) * (np.arange(MARKS) < count)[:, None]).astype(np.float32),
    )
    return complexion, names


def _regions(
    rng: np.random.Generator, fields: NDArray[np.float32], bare: NDArray, blood: float, place: float
) -> NDArray[np.float32]:
    """Write what regions and noise add to the density into `fields`, and give what lips add (3,).

    Args:
        bare: (3,) density of the face. blood: how well blood shows. place: 0 light .. 1 dark.
    """
    melanin, haemoglobin, shade = PIGMENTS.T

    def add(name: str, *amounts: float) -> None:
        fields[:3, SOFT.index(name)] += PIGMENTS[:, : len(amounts)] @ np.array(amounts, np.float32)

    flushed = np.abs(rng.normal(0, 1)) * blood
    add("cheeks", 0, 0.15 * flushed * rng.uniform(0, 1.6))
    add("nose", 0, 0.17 * flushed * rng.uniform(0, 1.8))
    add("ears", 0, 0.16 * blood * abs(rng.normal(0.5, 0.8)))
    add("chin", 0, 0.08 * flushed * rng.uniform(0, 1.5))
    add("forehead", 0.05 * rng.normal(0, 1), -0.03 * blood * rng.uniform(0, 1))
    add("temples", 0.05 * rng.normal(0, 1))
    tired = abs(rng.normal(0, 1))
    add("under_eyes", 0.07 * tired, 0.05 * tired * rng.uniform(0, 1), 0.03 * tired)
    add("bags", 0, 0.02 * tired, 0.05 * tired * rng.uniform(-0.4, 1))
    add("folds", 0, 0, 0.06 * rng.uniform(0, 1) ** 2)
    add("lids", 0.07 * rng.normal(0.6, 1), 0.05 * blood * rng.uniform(0, 1.5))
    add("neck", 0.06 * rng.normal(0, 1), 0.04 * blood * rng.normal(0, 1))
    for name, _ in NOISE:
        strength = {"broad": 0.022, "middle": 0.013, "small": 0.009}[name.split("_")[0]] * np.exp(rng.normal(0, 0.4))
        add(name, strength * rng.normal(), strength * blood * rng.normal(), 0.4 * strength * rng.normal())
    lips = (0.24 + 0.09 * rng.normal()) * haemoglobin * (1.5 - 0.8 * place) + abs(rng.normal(0.12, 0.1)) * melanin
    lips = lips + rng.uniform(-0.05, 0.15) * (1 - 0.5 * place) * shade
    wet = rng.uniform(0.3, 0.7) * (density(np.array(MUCOSA)) - bare - lips)
    fields[:3, SOFT.index("wet_lips")] += wet * np.array([1, 1, 1]) * (1 if place > 0.4 else 0.6)
    pinker = place**1.5 * rng.uniform(0, 0.6)
    add("lower_lip", -0.35 * pinker, 0.12 * pinker, -0.05 * rng.uniform(0, 1))
    fields[5, [SOFT.index(name) for name in ("cheeks", "nose")]] = rng.uniform(0.5, 1.0, 2)
    fields[5, [SOFT.index(name) for name in ("forehead", "chin", "temples")]] = rng.uniform(0.0, 0.7, 3)
    return lips.astype(np.float32)


def _face_hair(
    rng: np.random.Generator,
    bank: SkinBank,
    colour: NDArray,
    bare: NDArray,
    fields: NDArray[np.float32],
    bearded: bool,
    covered: bool,
) -> tuple[FaceHair, str]:
    """Hair painted on the face, and the name of the beard; where it grows is written into `fields`."""
    style, cover, shaved = "none", 0.0, 0.0
    if bearded:
        style = str(rng.choice(list(BEARDS)))
        shaved = rng.uniform(0.2, 1.0) * (rng.random() < 0.75)
        stubble = rng.random()
        cover = 0.0 if stubble < 0.4 else rng.uniform(0.1, 0.5) if stubble < 0.75 else rng.uniform(0.5, 1.0)
        style = style if cover else "shaved" if shaved else "none"
        strength = BEARDS.get(style, (0.9, 0.9, 0.8, 0.5, 0.6))
        for name, value in zip(BEARD_AREAS, strength, strict=True):
            fields[3, SOFT.index(name)] = value * rng.uniform(0.8, 1.2)
    for name, _ in NOISE[4:]:
        fields[4, SOFT.index(name)] = 0.05 * rng.normal()
    dark = np.minimum(colour * BEARD_TINT, 0.8 * bare)
    brow = np.minimum(colour * np.exp(rng.normal(-0.25, 0.25)), 0.75 * bare)
    crop = rng.random()
    scalp = rng.uniform(0.75, 0.95) if covered else 0.0 if crop < 0.3 else rng.uniform(0.1, 0.6) if crop < 0.7 else 0.9
    shadow = shaved * np.array([0.22, 0.17, 0.12]) * np.clip(1 - 2.2 * colour.mean(), 0.1, 1)
    hair = FaceHair(
        int(rng.integers(len(bank.brows))),
        float(rng.uniform(0.6, 1.0) if rng.random() < 0.85 else rng.uniform(0.05, 0.6)),
        density(brow),
        float(cover),
        density(dark),
        shadow.astype(np.float32),
        float(rng.normal(-0.1, 0.25)),
        float(scalp),
        density(np.minimum(colour, 0.75 * bare)),
        float(rng.normal(-0.1, 0.3) - (0 if covered or rng.random() < 0.7 else rng.uniform(0.5, 2.2))),
    )
    return hair, style


def _makeup(rng: np.random.Generator, worn: bool) -> Makeup:
    def cover(chance: float, least: float, most: float) -> float:
        return float(rng.uniform(least, most) * (rng.random() < chance) * worn)

    def paint(choices: tuple[tuple[int, int, int], ...]) -> NDArray[np.float32]:
        lab = np.array(choices[rng.integers(len(choices))]) + rng.normal(0, 4, 3)
        return density(np.clip(lab_to_linear(lab), 0.01, 0.9))

    return Makeup(
        paint(LIPSTICKS), cover(0.7, 0.15, 0.9),
        density(np.array([0.012, 0.01, 0.01]) * rng.uniform(0.8, 3)), cover(0.6, 0.2, 0.9),
        paint(SHADOWS), cover(0.5, 0.1, 0.6),
    )  # fmt: skip


def _eyes(rng: np.random.Generator, bank: SkinBank, place: float) -> tuple[Eyes, str]:
    dark = rng.random() < 0.3 + 1.3 * place
    name, inner, outer = IRISES[rng.integers(2) if dark else rng.integers(len(IRISES))]
    yellow = np.array([1, 1 - 0.04 * rng.uniform(), 1 - 0.14 * rng.uniform()])
    white = np.array(WHITE) * rng.uniform(0.78, 1.12) * yellow
    eyes = Eyes(
        int(rng.integers(len(bank.iris))),
        float(rng.random()),
        float(rng.uniform(0.5, 1.1)),
        (np.array(inner) * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.08, 3))).astype(np.float32),
        (np.array(outer) * np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.08, 3))).astype(np.float32),
        float(rng.uniform(0.25, 0.55)),
        float(rng.uniform(0.15, 0.8)),
        white.astype(np.float32),
        float(rng.gamma(1.5, 0.12)),
    )
    return eyes, f"{name}/{bank.iris_names[eyes.iris]}"


def _rest(rng: np.random.Generator) -> Rest:
    yellow = rng.uniform(0, 1)
    teeth = np.array([1.0, 1 - 0.05 * yellow, 1.12 - 0.3 * yellow]) * rng.uniform(0.75, 1.12)
    high = rng.random() < 0.75
    cloth = rng.uniform(0.01, 0.6) * np.exp(rng.normal(0, 0.45, 3) * (rng.random() < 0.7))
    return Rest(
        teeth.astype(np.float32),
        np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.05, 3)).astype(np.float32),
        float(rng.uniform(-0.135, -0.095) if high else rng.uniform(-0.17, -0.14)),
        float(rng.uniform(-0.1, 0.45)),
        float(rng.uniform(0, 0.05) * (rng.random() < 0.4)),
        np.clip(cloth, 0.005, 0.8).astype(np.float32),
        np.clip(cloth * np.exp(rng.normal(0, 0.8, 3)), 0.005, 0.8).astype(np.float32),
        float(rng.uniform(0.006, 0.03) * (rng.random() < 0.25)),
    )
