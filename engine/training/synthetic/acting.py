"""Who a synthetic person is and what the face does: identities, and expressions whose units go together as in life.

An expression is a face (a mood, a mouth shape of speech, or several of them blended) at some strength, slightly uneven,
then lids and gaze on top, then what cannot be together is resolved.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel
from .faces import EXTREMES, MOODS, SMILES, SPEECH

NEAR_MEAN_SHARE, STRONG_SHARE = 0.1, 0.15
NEAR_MEAN, STRONG = 0.4, 1.5  # deviations of those identities
USUAL_LIMIT, STRONG_LIMIT = 2.5, 3.0

KINDS = ("neutral", "speech", "smile", "mood", "extreme", "blend", "talking", "loose")
KIND_SHARES = (0.12, 0.17, 0.26, 0.14, 0.06, 0.12, 0.08, 0.05)
UNEVEN = 0.12  # deviation of one side against the other
LOPSIDED_SHARE = 0.12  # of faces, where one side does much less
SIDES = ("Left", "Right")

Weights = dict[str, float]


def random_identity(head: HeadModel, rng: np.random.Generator) -> NDArray[np.float32]:
    """(K,) a random person in standard deviations; some near the mean, some exaggerated up to 3."""
    kind = rng.random()
    deviation, limit = 1.0, USUAL_LIMIT
    if kind < NEAR_MEAN_SHARE:
        deviation = NEAR_MEAN
    elif kind < NEAR_MEAN_SHARE + STRONG_SHARE:
        deviation, limit = STRONG, STRONG_LIMIT
    drawn = deviation * rng.standard_normal(len(head.identity_basis))
    return np.clip(drawn, -limit, limit).astype(np.float32)


def random_expression(names: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(E,) weights 0..1 of the units called `names`; units the head lacks are left out."""
    face = _random_face(rng)
    weights = _both_sides(face, rng)
    _loosen(weights, rng)
    _move_eyes(weights, rng)
    resolve(weights)
    return np.array([np.clip(weights.get(name, 0.0), 0.0, 1.0) for name in names], np.float32)


def _random_face(rng: np.random.Generator) -> Weights:
    """Units without side, at the strength they are shown."""
    kind = rng.choice(KINDS, p=KIND_SHARES)
    if kind == "speech":
        return _scaled(_pick(SPEECH, rng), rng.uniform(0.4, 1.1))
    if kind == "smile":
        return _scaled(_pick(SMILES, rng), rng.uniform(0.3, 1.05))
    if kind == "mood":
        return _scaled(_pick(MOODS, rng), rng.uniform(0.3, 1.0))
    if kind == "extreme":
        return _scaled(_pick(EXTREMES, rng), rng.uniform(0.7, 1.0))
    if kind == "blend":
        first, second = _pick(MOODS + SMILES, rng), _pick(MOODS + SMILES + SPEECH, rng)
        share = rng.beta(1.5, 1.5)
        return _sum(_scaled(first, share * rng.uniform(0.6, 1.2)), _scaled(second, (1 - share) * rng.uniform(0.6, 1.2)))
    if kind == "talking":  # a mood in the brows and cheeks, speech at the mouth between two sounds
        share = rng.random()
        mouth = _sum(_scaled(_pick(SPEECH, rng), share), _scaled(_pick(SPEECH, rng), 1 - share))
        return _sum(_scaled(mouth, rng.uniform(0.5, 1.0)), _scaled(_pick(MOODS + SMILES, rng), rng.uniform(0.2, 0.6)))
    if kind == "loose":
        faces = SPEECH + SMILES + MOODS
        units = sorted({unit for face in faces for unit in face})
        return {
            str(unit): float(rng.uniform(0.1, 0.7)) for unit in rng.choice(units, rng.integers(1, 5), replace=False)
        }
    return {}


def _pick(faces: tuple[Mapping[str, float], ...], rng: np.random.Generator) -> Mapping[str, float]:
    return faces[rng.integers(len(faces))]


def _scaled(face: Mapping[str, float], strength: float) -> Weights:
    return {unit: value * strength for unit, value in face.items()}


def _sum(*faces: Mapping[str, float]) -> Weights:
    total: Weights = {}
    for face in faces:
        for unit, value in face.items():
            total[unit] = total.get(unit, 0.0) + value
    return total


def _both_sides(face: Mapping[str, float], rng: np.random.Generator) -> Weights:
    """ARKit's names for units without side: both sides nearly alike, or one side weaker over the whole face.

    A face given for its left side (as a smirk is) is mirrored half of the time.
    """
    mirrored = rng.random() < 0.5
    share = dict.fromkeys(SIDES, 1.0)
    if rng.random() < LOPSIDED_SHARE:
        share[SIDES[rng.integers(2)]] = rng.uniform(0.2, 0.8)
    weights: Weights = {}
    for unit, value in face.items():
        value *= np.exp(rng.normal(0, 0.12))
        if unit.endswith(SIDES):
            stem, side = (unit[:-4], "Left") if unit.endswith("Left") else (unit[:-5], "Right")
            weights[stem + (SIDES[side == "Left"] if mirrored else side)] = value
        elif unit in WHOLE_UNITS:
            weights[unit] = value
        else:
            for side in SIDES:
                weights[unit + side] = value * share[side] * np.exp(rng.normal(0, UNEVEN))
    return weights


WHOLE_UNITS = frozenset({
    "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "browInnerUp", "cheekPuff", "tongueOut",
})  # fmt: skip
LOOSE_UNITS = (
    "browInnerUp", "browDown", "browOuterUp", "cheekSquint", "noseSneer", "eyeSquint", "mouthPress", "mouthDimple",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthFrown", "mouthStretch",
    "mouthUpperUp", "mouthLowerDown", "mouthPucker",
)  # fmt: skip


RESTING = (
    ("browDown", 0.18), ("mouthRollUpper", 0.14), ("mouthShrugUpper", 0.12), ("mouthPress", 0.10), ("mouthFrown", 0.08),
    ("noseSneer", 0.05), ("eyeWide", 0.10),
)  # fmt: skip
"""What people's faces do at rest beyond the mean head's, and how much. Heads fitted to portraits have 0.35, 0.31, 0.26,
0.24, 0.19, 0.09 and 0.17 of these on average: identities alone give too few low brows, thin lips and open eyes."""
RESTING_SHARE = 0.7


def _loosen(weights: Weights, rng: np.random.Generator) -> None:
    """No face is ever quite still: what it does at rest, a few units a little, jaw and mouth slightly out of place."""
    resting = [(unit, amount) for unit, amount in RESTING if rng.random() < RESTING_SHARE]
    loose = [(str(unit), 0.05) for unit in rng.choice(LOOSE_UNITS, 4, replace=False)]
    for unit, amount in resting + loose:
        value = float(rng.exponential(amount))
        for name in (unit,) if unit in WHOLE_UNITS else (f"{unit}Left", f"{unit}Right"):
            weights[name] = weights.get(name, 0.0) + value * float(np.exp(rng.normal(0, 0.2)))
    for stem, deviation in (("jaw", 0.04), ("mouth", 0.05)):
        aside = rng.normal(0, deviation * (5 if rng.random() < 0.06 else 1))
        name = stem + ("Left" if aside > 0 else "Right")
        weights[name] = weights.get(name, 0.0) + abs(float(aside))
    if rng.random() < 0.3:
        weights["jawOpen"] = weights.get("jawOpen", 0.0) + float(rng.exponential(0.06))
    if rng.random() < 0.1:  # lips held together though the teeth are apart
        weights["mouthClose"] = weights.get("jawOpen", 0.0) * float(rng.uniform(0.3, 1.0))
    if rng.random() < 0.1:
        weights["jawForward"] = weights.get("jawForward", 0.0) + float(rng.exponential(0.15))


def _move_eyes(weights: Weights, rng: np.random.Generator) -> None:
    """Gaze, the same in both eyes but for a little convergence; lids follow it; blinks and winks."""
    wide = rng.random() < 0.2
    sideways, upwards = rng.normal(0, (0.5, 0.45) if wide else (0.2, 0.18))
    convergence = abs(rng.normal(0, 0.05))
    for side, outwards in (("Left", sideways - convergence), ("Right", -sideways - convergence)):
        # "Out" of the left eye is the head's left, as is "In" of the right eye.
        for unit, value in (("eyeLookOut", outwards), ("eyeLookIn", -outwards),
                            ("eyeLookUp", upwards), ("eyeLookDown", -upwards)):  # fmt: skip
            weights[unit + side] = weights.get(unit + side, 0.0) + max(value, 0.0)
    lid = rng.normal(-0.04, 0.09)  # how low the upper lid rests
    kind, blink = rng.random(), np.zeros(2)
    if kind < 0.06:
        blink[:] = rng.uniform(0.9, 1.0)
    elif kind < 0.14:
        blink[:] = rng.uniform(0.2, 0.8)
    elif kind < 0.17:
        blink[rng.integers(2)] = rng.uniform(0.6, 1.0)
    for side, closed in zip(SIDES, blink, strict=True):
        follow = 0.25 * weights[f"eyeLookDown{side}"] - 0.15 * weights[f"eyeLookUp{side}"]
        name = f"eyeBlink{side}"
        raised = weights.get(f"eyeWide{side}", 0.0)
        usual = weights.get(name, 0.0) + (max(lid + follow, 0.0) if raised < 0.3 else 0.0)
        weights[name] = max(usual, closed) * float(np.exp(rng.normal(0, 0.03)))
        weights[f"eyeWide{side}"] = raised + max(-lid - follow, 0.0)


def resolve(weights: Weights) -> None:
    """Take back, in place, what cannot be at once: lips sealed more than the jaw is open, wide eyes in a blink, ..."""

    def get(name: str) -> float:
        return min(max(weights.get(name, 0.0), 0.0), 1.0)

    def scale(name: str, factor: float) -> None:
        if name in weights:
            weights[name] = get(name) * min(max(factor, 0.0), 1.0)

    weights["mouthClose"] = min(get("mouthClose"), get("jawOpen"))
    for side in SIDES:
        blink = get(f"eyeBlink{side}")
        scale(f"eyeWide{side}", 1 - 1.6 * blink)
        scale(f"eyeSquint{side}", 1 - 0.7 * blink)
        scale(f"eyeBlink{side}", 1 - 0.5 * get(f"eyeSquint{side}"))
        scale(f"mouthFrown{side}", 1 - 1.4 * get(f"mouthSmile{side}"))
        scale(f"mouthPress{side}", 1 - 2.0 * get("jawOpen"))
        # Corners drawn wide leave none of a pucker's or funnel's roundness, and the other way round.
        round_mouth = max(get("mouthPucker"), get("mouthFunnel"))
        for unit in ("mouthSmile", "mouthStretch", "mouthDimple"):
            scale(unit + side, 1 - 0.6 * round_mouth)
        scale(f"browOuterUp{side}", 1 - 0.5 * get(f"browDown{side}"))
    sealed = 1 - max(get("jawOpen") - get("mouthClose"), 0.0) / 0.15
    scale("cheekPuff", sealed)  # an open mouth holds no air
    opening = get("jawOpen") - get("mouthClose")
    scale("tongueOut", opening / 0.15)  # and a shut one no tongue between the teeth
    scale("mouthFunnel", 1 - 0.7 * get("mouthPucker"))
    for stem in ("jaw", "mouth"):
        left, right = get(f"{stem}Left"), get(f"{stem}Right")
        weights[f"{stem}Left"], weights[f"{stem}Right"] = max(left - right, 0.0), max(right - left, 0.0)
