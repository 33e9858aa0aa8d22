"""Person, skin, hair, eye and mouth masks from what is at hand: the selfie network, landmarks and colour.

Four classes (skin, hair, clothes, background) compete on a small upright crop round the head. Each has a colour model
learnt from this very picture and a geometric prior; smoothing along the picture's edges settles them (mean field with a
guided filter). The winner is carried to the photo's size by the guided filter's coefficients, so edges stay sharp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..media.photo import Photo
from . import runtime
from . import topology as topo
from .colour import FEATURES, GuidedFilter, apply_coefficients, features, learn_mixture
from .crop import Window, window_around
from .geometry import FaceFrame, core_face, ears, fill, neck, priors, ramp, smooth_loop
from .glasses import glasses_frames, without_glare
from .observation import FaceObservation, Masks
from .parts import PartsObservation
from .regions import GROUPS, REGIONS

CROP_SIDE = 320  # pixels
CROP_MARGIN = 2.8  # crop side over the face's longer side
SKIN, HAIR, CLOTHES, BACKGROUND = range(4)
ROUNDS = 2  # of learning colours
STEPS = 2  # of smoothing in each
SMOOTHNESS = 3.0
EDGE = 0.02**2  # squared contrast of an edge worth keeping
UNIFORM = -17.0  # log density of a feature that may be anything
ABSENT = 6.0  # below that: a class of which next to nothing was seen
UNLIKE_SKIN = 1.0  # added to that: other classes learn only from what is no likelier skin (bald heads have no hair)
SKIN_SPREAD = np.array([7.0, 3.0, 3.5, 3.0])  # what is left of skin when its shading is taken out
WIDE_SKIN = np.array([2.5, 1.6, 1.6, 2.0])  # times that: highlights, deep shadow, make-up
SHADOW = 0.55  # Lab of the neck in the chin's shadow over Lab of the face
BEARDED = 0.2  # of the chin not skin-coloured
BALD_AREA, BALD_COLOUR = 0.3, 9.5  # of the face's area; distance in Lab, lightness halved
SMALLEST_SEED = 0.02  # of the seeds' area; a part that touches less is there by chance
SEEN_WEIGHT, SEEN_FLOOR = 1.0, 0.02  # of the parts network's word, and the least that it gives any class
DARKER_HAIR, HIGHLIGHT, SMOOTH = 12.0, 6.0, 75  # in lightness: hair that can be told from highlights; percentile
FACE_DETAILS = (  # loops, and by how much they are skin whatever their colour
    (topo.OUTER_LIPS, 0.9), (topo.RIGHT_BROW, 0.7), (topo.LEFT_BROW, 0.7), (topo.RIGHT_EYE, 0.2), (topo.LEFT_EYE, 0.2)
)  # fmt: skip


@dataclass(frozen=True)
class _Scene:
    """The crop and what is known of it before classes compete."""

    window: Window
    pixels: NDArray[np.uint8]
    features: NDArray[np.float32]
    person: NDArray[np.float32]
    frame: FaceFrame
    smooth: GuidedFilter


def make_masks(photo: Photo, face: FaceObservation, parts: PartsObservation | None = None) -> Masks:
    """Soft masks of one person at the photo's size.

    Args:
        photo: the upright picture.
        face: the person's face in it.
        parts: what the parts network saw round that face, which adds to what is expected of each pixel.

    Raises:
        ModelFileError: MediaPipe cannot be used.
    """
    scene = _prepare(photo, face)
    classes = _classify(scene, None if parts is None else _seen_classes(scene, parts))
    person = _photo_person(photo, scene)
    frames = glasses_frames(scene.features[..., 0], scene.frame)
    wears = bool(frames.any())
    skin = classes[SKIN] * without_glare(scene.features[..., 0], scene.frame) * (1.0 - frames)
    hair = classes[HAIR] * (1.0 - frames)
    skin, hair, frames = _to_photo(scene, [skin, hair, frames], photo.pixels)
    eyes = sum_of_loops(face.landmarks, (topo.RIGHT_EYE, topo.LEFT_EYE), photo)
    inner_mouth = sum_of_loops(face.landmarks, (topo.INNER_LIPS,), photo)
    open_skin = skin * (1.0 - eyes) * (1.0 - inner_mouth) * person
    hair *= person * (1.0 - open_skin)
    return Masks(person, open_skin, hair, eyes, inner_mouth, wears, frames if wears else None)


def sum_of_loops(landmarks: NDArray, loops: tuple[tuple[int, ...], ...], photo: Photo) -> NDArray[np.float32]:
    """(H,W) 0..1, the union of smooth landmark loops at the photo's size."""
    total = np.zeros((photo.height, photo.width), np.float32)
    for loop in loops:
        total = np.maximum(total, fill(smooth_loop(landmarks[list(loop), :2]), photo.height, photo.width))
    return total


def _prepare(photo: Photo, face: FaceObservation) -> _Scene:
    tight = window_around(face.landmarks, 1.0)
    down = np.array([-np.sin(tight.roll), np.cos(tight.roll)])
    window = Window(tight.centre + 0.1 * tight.side * down, tight.side * CROP_MARGIN, tight.roll)
    pixels = window.cut(photo.pixels, CROP_SIDE)
    matrix = window.matrix(CROP_SIDE)
    points = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    smooth = GuidedFilter(pixels.astype(np.float32) / 255.0, 4, EDGE)
    person = np.clip(smooth(runtime.person_probability(pixels)), 0.0, 1.0)
    if photo.alpha is not None:
        person = np.minimum(person, window.cut(photo.alpha, CROP_SIDE) / np.float32(255.0))
    return _Scene(window, pixels, features(pixels), person, FaceFrame.build(points, CROP_SIDE), smooth)


def _seen_classes(scene: _Scene, parts: PartsObservation) -> NDArray[np.float32]:
    """(4,S,S) logarithms of the classes' probabilities for the parts network; 0 where it saw nothing."""
    regions = {
        name: parts.on_window(parts.region(name), scene.window, CROP_SIDE, np.nan)
        for name in REGIONS
    }  # fmt: skip
    known = np.isfinite(regions["background"])
    skin = sum(regions[name] for name in (*GROUPS["skin"], *GROUPS["eyes"], *GROUPS["inner_mouth"], "glasses"))
    beard = regions["hair"] * core_face(scene.frame) * ramp(scene.frame.down, 0.1, 0.3)
    seen = [skin + beard, regions["hair"] - beard, regions["clothes"] + regions["other"], regions["background"]]
    return np.where(known, np.log(np.maximum(np.stack(seen), 0.0) + SEEN_FLOOR), 0.0).astype(np.float32)


def _classify(scene: _Scene, seen: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """(4,S,S) probabilities of the classes; `seen` are log probabilities (4,S,S) of another source."""
    expected = priors(scene.frame)
    evidence = np.clip(scene.person, 0.01, 0.99)
    prior = np.stack([expected["skin"], expected["hair"], expected["clothes"]])
    prior = np.concatenate([prior / prior.sum(axis=0) * evidence, 1.0 - evidence[None]])
    # A beard is not skin-coloured, and yet belongs to the face; brows, lids and lips are shaded and made up.
    bearded = core_face(scene.frame) * (0.3 + 0.4 * ramp(scene.frame.down, 0.15, 0.4))
    details = np.maximum.reduce([share * scene.frame.region(loop, 0.01) for loop, share in FACE_DETAILS])
    trust = (1.0 - bearded - 0.4 * ears(scene.frame)) * (1.0 - details)
    skin = _skin_density(scene)
    unary = np.log(prior + 1e-6)
    if seen is not None:
        unary += SEEN_WEIGHT * (1.0 - ears(scene.frame)) * seen  # it does not know ears yet
    # At first only skin has a colour: what is not skin-coloured where hair may be teaches the colour of hair.
    colour = np.stack([skin, *np.full((3, *skin.shape), UNIFORM, np.float32)])
    chance = _softmax(unary + trust * colour)
    for _ in range(ROUNDS):
        colour = np.stack([skin, *_other_densities(scene, chance, skin)])
        chance = _settle(unary + trust * colour, scene.smooth)
        chance = _without_loose_parts(scene, chance, skin)
    return _with_highlights(scene, chance)


def _softmax(logits: NDArray) -> NDArray[np.float32]:
    weights = np.exp(logits - logits.max(axis=0))
    return (weights / weights.sum(axis=0)).astype(np.float32)


def _settle(unary: NDArray[np.float32], smooth: GuidedFilter) -> NDArray[np.float32]:
    """Neighbours that look alike agree: mean field, its messages by the guided filter."""
    chance = _softmax(unary)
    for _ in range(STEPS):
        around = np.stack([smooth(layer) for layer in chance[:3]])
        around = np.clip(np.concatenate([around, 1.0 - around.sum(axis=0, keepdims=True)]), 0.0, 1.0)
        chance = _softmax(unary + SMOOTHNESS * around)
    return chance


def _other_densities(
    scene: _Scene, chance: NDArray[np.float32], skin: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """(S,S) log densities of hair, clothes and background, each learnt where it is likely."""
    densities = []
    frame = scene.frame
    doubtful = {
        HAIR: (ears(frame) > 0.1) | (frame.down > 0.7),
        CLOTHES: (neck(frame) > 0.1) & (frame.down < 1.3),
        BACKGROUND: np.zeros(skin.shape, bool),
    }
    for index, count in ((HAIR, 3), (CLOTHES, 4), (BACKGROUND, 4)):
        likely = (chance[index] > 0.6) & (skin < UNIFORM + UNLIKE_SKIN) & ~doubtful[index]
        if likely.sum() < 60:
            densities.append(np.full(scene.person.shape, UNIFORM - ABSENT, np.float32))
            continue
        model = learn_mixture(scene.features[likely], count, chance[index][likely])
        densities.append(np.maximum(model.log_density(scene.features), UNIFORM - 3.0))
    return densities


def _skin_density(scene: _Scene) -> NDArray[np.float32]:
    """Skin is one colour under smooth shading: a plane in Lab over the face, fitted robustly, and what is left."""
    frame = scene.frame
    across, down = np.clip(frame.across, -1.2, 1.2), np.clip(frame.down, -0.7, 1.2)
    terms = np.stack([np.ones_like(across), across, down, across**2], axis=-1)
    others = np.maximum.reduce([frame.region(loop, 0.02) for loop, _ in FACE_DETAILS])
    sample = (core_face(frame) > 0.5) & (others < 0.1) & (scene.person > 0.5)
    design, values = terms[sample][::2].astype(np.float64), scene.features[sample][::2].astype(np.float64)
    # Dark samples are beard, lashes, frames: start from the lighter part.
    weight = (values[:, 0] > np.percentile(values[:, 0], 25)).astype(float)
    solution = np.zeros((4, FEATURES))
    for _ in range(6):
        ridge = 1e-3 * weight.sum() * np.diag([0.0, 1.0, 1.0, 1.0])
        left_side = (design * weight[:, None]).T
        solution = np.linalg.solve(left_side @ design + ridge, left_side @ values)
        apart = (((values - design @ solution) / SKIN_SPREAD) ** 2)[:, :3].sum(axis=1)
        weight = 1.0 / (1.0 + apart / 3.0) ** 2
    solution[1:, 3] = 0.0  # texture has no shading
    solution[0, 3] = np.average(values[:, 3], weights=weight)
    spread = 1.3 * np.sqrt(np.average((values - design @ solution) ** 2, axis=0, weights=weight))
    return _around_skin(
        scene, (terms @ solution).astype(np.float32), np.clip(spread, 0.8 * SKIN_SPREAD, 1.2 * SKIN_SPREAD)
    )


def _around_skin(scene: _Scene, expected: NDArray[np.float32], spread: NDArray) -> NDArray[np.float32]:
    """(S,S) log density: near the expected colour, further off (highlights, make-up), or in the chin's shadow."""
    rest = scene.features - expected
    rest[..., 3] = np.maximum(rest[..., 3], 0.0)  # smoother than the cheek is as good
    shaded = scene.features - expected * np.array([SHADOW, SHADOW, SHADOW, 1.0], np.float32)
    shaded[..., 3] = rest[..., 3]
    dim = 0.002 + 0.3 * neck(scene.frame) * ramp(scene.frame.down, 1.5, 1.25)
    return np.maximum.reduce([
        np.log(0.8) + _gaussian(rest, spread),
        np.log(0.2) + _gaussian(rest, spread * WIDE_SKIN),
        np.log(dim) + _gaussian(shaded, spread * WIDE_SKIN),
    ]).astype(np.float32)  # fmt: skip


def _gaussian(apart: NDArray, spread: NDArray) -> NDArray[np.float32]:
    """Log density of a diagonal Gaussian, (...,F) to (...)."""
    scaled = apart / spread.astype(np.float32)
    constant = np.log(spread * np.sqrt(2 * np.pi)).sum()
    return (-0.5 * np.einsum("...f,...f->...", scaled, scaled) - constant).astype(np.float32)


def _with_highlights(scene: _Scene, chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Skin that shines at the hairline, taken back from the hair: smooth, far lighter than the hair, beside the skin.

    Highlights are not of the skin's colour. Hair as light as the skin is left alone: there nothing tells them apart.
    """
    import cv2

    lightness, texture = scene.features[..., 0], scene.features[..., 3]
    hair, skin = chance[HAIR] > 0.5, chance[SKIN] > 0.5
    face = skin & (core_face(scene.frame) > 0.5)
    if not hair.any() or not face.any():
        return chance
    light, dark = np.median(lightness[face]), np.median(lightness[hair])
    if light - dark < DARKER_HAIR:
        return chance
    shining = hair & (lightness > light - HIGHLIGHT) & (texture < np.percentile(texture[face], SMOOTH))
    shining = cv2.morphologyEx(shining.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, label = cv2.connectedComponents(shining)
    beside = np.unique(label[cv2.dilate(skin.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0])
    taken = np.isin(label, beside[beside > 0])
    return _move(chance, HAIR, np.clip(scene.smooth(taken.astype(np.float32)), 0.0, 1.0), (SKIN,))


def _without_loose_parts(scene: _Scene, chance: NDArray[np.float32], skin: NDArray[np.float32]) -> NDArray[np.float32]:
    """Skin that is not connected to the face, and hair that is not connected to the scalp, are something else."""
    frame = scene.frame
    chin = (core_face(frame) > 0.5) & (frame.down > 0.75)
    if (
        chin.any() and (skin[chin] < UNIFORM).mean() > BEARDED
    ):  # then hair under the chin is beard, which counts as skin
        under = neck(frame) * ramp(frame.down, 1.5, 1.25)
        chance = _move(chance, HAIR, under, (SKIN,))
    # A beard may part the neck and the ears from the face: it connects them, too.
    chance = _keep(chance, SKIN, core_face(frame) > 0.5, (CLOTHES, BACKGROUND), chance[SKIN] + chance[HAIR])
    scalp = (frame.inside < 0.0) & (frame.inside > -0.3) & (frame.down < 0.1)
    below = ramp(frame.down, 0.5, 0.7) * (1.0 - _long_hair(scene, chance[HAIR]))
    chance = _move(chance, HAIR, below, (SKIN, CLOTHES, BACKGROUND))
    chance = _keep(chance, HAIR, scalp, (SKIN, CLOTHES, BACKGROUND), chance[HAIR])
    return _move(chance, HAIR, np.ones_like(scalp, np.float32), (SKIN,)) if _bald(scene, chance, scalp) else chance


def _bald(scene: _Scene, chance: NDArray[np.float32], scalp: NDArray[np.bool_]) -> bool:
    """Whether what was taken for hair is little and has the colour of the skin."""
    hair = chance[HAIR] * scalp
    if hair.sum() > BALD_AREA * scene.frame.oval.sum():
        return False
    flat = scene.features[..., :3].reshape(-1, 3) * [0.5, 1.0, 1.0]  # shading changes lightness most
    cheek = chance[SKIN] * core_face(scene.frame)
    colours = [np.average(flat, axis=0, weights=weight.ravel() + 1e-9) for weight in (hair, cheek)]
    return bool(np.linalg.norm(colours[0] - colours[1]) < BALD_COLOUR)


def _long_hair(scene: _Scene, hair: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S,S) 0..1 by side: whether hair hangs beside the jaw, so that hair below it is to be believed."""
    frame = scene.frame
    found = np.zeros_like(hair)
    for side in (-1, 1):
        half = frame.across * side > 0
        beside = half & (frame.inside < -0.01) & (frame.inside > -0.12) & (frame.down > 0.45) & (frame.down < 0.8)
        found[half] = ramp(np.array([hair[beside].mean() if beside.any() else 0.0]), 0.25, 0.45)
    return found


def _keep(
    chance: NDArray[np.float32],
    index: int,
    seeds: NDArray[np.bool_],
    heirs: tuple[int, ...],
    ground: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Leave a class only the parts that are connected to its seeds over `ground`."""
    import cv2

    labels: NDArray
    count, labels = cv2.connectedComponents((ground > 0.5).astype(np.uint8), connectivity=4)
    kept = np.bincount(labels[seeds], minlength=count) >= SMALLEST_SEED * seeds.sum()
    kept[0] = False
    near = cv2.dilate(kept[labels].astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    return _move(chance, index, 1.0 - near, heirs)


def _move(
    chance: NDArray[np.float32], index: int, amount: NDArray[np.float32], heirs: tuple[int, ...]
) -> NDArray[np.float32]:
    """Hand a share (S,S) of a class's probability to other classes, as likely as they are."""
    result = chance.copy()
    lost = chance[index] * amount
    rest = chance[list(heirs)] + 1e-4
    result[index] -= lost
    result[list(heirs)] += lost * rest / rest.sum(axis=0)
    return result


def _to_photo(scene: _Scene, layers: list[NDArray[np.float32]], photo: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Layers of the crop at the photo's size, following the photo's edges; 0 outside the crop."""
    import cv2

    height, width = photo.shape[:2]
    matrix = scene.window.matrix(CROP_SIDE)
    half = np.abs(np.linalg.inv(matrix[:, :2])).sum(axis=1) * CROP_SIDE / 2
    x0, y0 = np.clip(np.floor(scene.window.centre - half).astype(int), 0, [width, height])
    x1, y1 = np.clip(np.ceil(scene.window.centre + half).astype(int), 0, [width, height])
    guide = photo[y0:y1, x0:x1].astype(np.float32) / 255.0
    local = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ [x0, y0]])
    local[:, 2] += 0.5 * (local[:, 0] + local[:, 1]) - 0.5
    results = []
    for layer in layers:
        coefficients = scene.smooth.coefficients(layer)
        large: NDArray = cv2.warpAffine(
            coefficients, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0, 0),
        )  # fmt: skip
        full = np.zeros((height, width), np.float32)
        full[y0:y1, x0:x1] = np.clip(apply_coefficients(large.astype(np.float32, copy=False), guide), 0.0, 1.0)
        results.append(full)
    return results


def _photo_person(photo: Photo, scene: _Scene) -> NDArray[np.float32]:
    """The person at the photo's size: the crop's finer view near the head, the whole picture's elsewhere."""
    import cv2

    size = (photo.width, photo.height)
    scale = min(1.0, 640 / max(size))
    small = cv2.resize(photo.pixels, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), interpolation=3)
    whole = cv2.resize(runtime.person_probability(small.astype(np.uint8)), size, interpolation=cv2.INTER_LINEAR)
    border = np.minimum.reduce([np.arange(CROP_SIDE) + 1, CROP_SIDE - np.arange(CROP_SIDE)]) / (0.1 * CROP_SIDE)
    inside = np.clip(np.minimum.outer(border, border), 0.0, 1.0).astype(np.float32)
    near, weight = _to_photo(scene, [scene.person, inside], photo.pixels)
    person = near * weight + whole * (1.0 - weight)
    if photo.alpha is not None:
        person = np.minimum(person, photo.alpha / np.float32(255.0))
    return person.astype(np.float32)
