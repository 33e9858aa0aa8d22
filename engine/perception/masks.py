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
from .colour import ColourMixture, GuidedFilter, apply_coefficients, learn_mixture, to_lab
from .crop import Window, window_around
from .geometry import FaceFrame, core_face, fill, priors, ramp, smooth_loop
from .observation import FaceObservation, Masks

CROP_SIDE = 384  # pixels
CROP_MARGIN = 3.0  # crop side over the face's longer side
SKIN, HAIR, CLOTHES, BACKGROUND = range(4)
ROUNDS = 3
SMOOTHNESS = 3.0
EDGE = 0.02**2  # squared contrast of an edge worth keeping
SKIN_SPREAD = np.array([7.0, 3.5, 4.0])  # Lab, what is left of skin when its shading is taken out
NO_HAIR = 0.03  # of the face's area; less scalp hair than this is none


@dataclass(frozen=True)
class _Scene:
    """The crop and what is known of it before classes compete."""

    window: Window
    pixels: NDArray[np.uint8]
    lab: NDArray[np.float32]
    person: NDArray[np.float32]
    frame: FaceFrame
    smooth: GuidedFilter


def make_masks(photo: Photo, face: FaceObservation) -> Masks:
    """Soft masks of one person at the photo's size.

    Args:
        photo: the upright picture.
        face: the person's face in it.

    Raises:
        ModelFileError: MediaPipe cannot be used.
    """
    scene = _prepare(photo, face)
    classes = _classify(scene)
    person = _photo_person(photo, scene)
    skin = classes[SKIN] * _unspoilt(scene)
    skin, hair = _to_photo(scene, [skin, classes[HAIR]], photo.pixels)
    eyes = sum_of_loops(face.landmarks, (topo.RIGHT_EYE, topo.LEFT_EYE), photo)
    inner_mouth = sum_of_loops(face.landmarks, (topo.INNER_LIPS,), photo)
    open_skin = skin * (1.0 - eyes) * (1.0 - inner_mouth) * person
    return Masks(person, open_skin, hair * person * (1.0 - open_skin), eyes, inner_mouth)


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
    return _Scene(window, pixels, to_lab(pixels), person, FaceFrame.build(points, CROP_SIDE), smooth)


def _classify(scene: _Scene) -> NDArray[np.float32]:
    """(4,S,S) probabilities of the classes."""
    expected = priors(scene.frame)
    evidence = np.clip(scene.person, 0.01, 0.99)
    prior = np.stack([expected["skin"], expected["hair"], expected["clothes"]])
    prior = np.concatenate([prior / prior.sum(axis=0) * evidence, 1.0 - evidence[None]])
    trust = 1.0 - 0.7 * core_face(scene.frame)  # a beard is not skin-coloured, and yet belongs to the face
    chance = prior
    for _ in range(ROUNDS):
        colour = _colour_evidence(scene, chance)
        unary = np.log(prior + 1e-6) + trust * colour
        for _ in range(2):
            chance = _softmax(unary)
            chance = np.stack([scene.smooth(layer) for layer in chance])
            chance = _softmax(unary + SMOOTHNESS * np.clip(chance, 0.0, 1.0))
    return _attached(scene, chance)


def _softmax(logits: NDArray) -> NDArray[np.float32]:
    weights = np.exp(logits - logits.max(axis=0))
    return (weights / weights.sum(axis=0)).astype(np.float32)


def _colour_evidence(scene: _Scene, chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """(4,S,S) log densities of the pixels' colours under each class, learnt where the class is likely."""
    densities = [_skin_density(scene, chance[SKIN])]
    for index, count in ((HAIR, 3), (CLOTHES, 4), (BACKGROUND, 5)):
        likely = chance[index] > 0.5
        if likely.sum() < 50:
            densities.append(np.full(scene.person.shape, -14.0, np.float32))  # about a uniform density in Lab
            continue
        model: ColourMixture = learn_mixture(scene.lab[likely], count, chance[index][likely])
        densities.append(np.logaddexp(model.log_density(scene.lab), -16.0))
    return np.stack(densities)


def _skin_density(scene: _Scene, chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Skin is one colour under smooth shading: a plane in Lab over the face, fitted robustly, and what is left."""
    frame = scene.frame
    terms = np.stack([
        np.ones_like(frame.across), np.clip(frame.across, -1.2, 1.2), np.clip(frame.down, -0.8, 1.3),
        np.clip(frame.across, -1.2, 1.2) ** 2,
    ], axis=-1)  # fmt: skip
    features = np.maximum.reduce([
        frame.region(loop, 0.02)
        for loop in (topo.RIGHT_EYE, topo.LEFT_EYE, topo.OUTER_LIPS, topo.RIGHT_BROW, topo.LEFT_BROW)
    ])  # fmt: skip
    sample = (core_face(frame) > 0.5) & (features < 0.1) & (scene.person > 0.5)
    design, colours = terms[sample][::3].astype(np.float64), scene.lab[sample][::3].astype(np.float64)
    # Dark samples are beard, lashes, frames: start from the lighter part.
    weight = (colours[:, 0] > np.percentile(colours[:, 0], 25)).astype(float)
    solution = np.zeros((4, 3))
    for _ in range(6):
        ridge = 1e-3 * weight.sum() * np.diag([0.0, 1.0, 1.0, 1.0])
        solution = np.linalg.solve(
            (design * weight[:, None]).T @ design + ridge, (design * weight[:, None]).T @ colours
        )
        apart = ((colours - design @ solution) / SKIN_SPREAD) ** 2
        weight = 1.0 / (1.0 + apart.sum(axis=1) / 3.0) ** 2
    left = scene.lab - terms @ solution.astype(np.float32)
    narrow = _gaussian(left, SKIN_SPREAD)
    wide = _gaussian(left, SKIN_SPREAD * [2.5, 1.7, 1.7])
    return np.logaddexp(np.log(0.8) + narrow, np.log(0.2) + wide).astype(np.float32)


def _gaussian(apart: NDArray, spread: NDArray) -> NDArray[np.float32]:
    """Log density of a diagonal Gaussian, (...,3) to (...)."""
    return (-0.5 * ((apart / spread) ** 2).sum(axis=-1) - np.log(spread * np.sqrt(2 * np.pi)).sum()).astype(np.float32)


def _attached(scene: _Scene, chance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Drop hair that is not connected to the head, and all of it where there is next to none."""
    import cv2

    frame = scene.frame
    scalp = (frame.inside < 0.0) & (frame.inside > -0.25) & (frame.down < 0.2)
    hair = (chance[HAIR] > 0.5).astype(np.uint8)
    count, labels = cv2.connectedComponents(hair)
    kept = np.zeros(count, bool)
    kept[np.unique(labels[scalp & (hair > 0)])] = True
    kept[0] = False
    keep = kept[labels]
    if (keep & scalp).sum() < NO_HAIR * frame.oval.sum():
        keep[:] = False
    soft = cv2.dilate(keep.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    lost = chance[HAIR] * (1.0 - soft)
    result = chance.copy()
    result[HAIR] -= lost
    rest = result[[SKIN, CLOTHES, BACKGROUND]]
    result[[SKIN, CLOTHES, BACKGROUND]] += lost * rest / (rest.sum(axis=0) + 1e-6)
    return result


def _unspoilt(scene: _Scene) -> NDArray[np.float32]:
    """(S,S) 0..1, low on glare: much lighter and greyer than its surroundings."""
    import cv2

    lightness = scene.lab[..., 0]
    around = cv2.GaussianBlur(lightness, (0, 0), scene.frame.unit * 0.08)
    glare = ramp(lightness - around, 12.0, 30.0) * ramp(lightness, 80.0, 95.0)
    return 1.0 - 0.9 * glare


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
        large = cv2.warpAffine(
            coefficients, local, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=0,
        )  # fmt: skip
        full = np.zeros((height, width), np.float32)
        full[y0:y1, x0:x1] = np.clip(apply_coefficients(large, guide), 0.0, 1.0)
        results.append(full)
    return results


def _photo_person(photo: Photo, scene: _Scene) -> NDArray[np.float32]:
    """The person at the photo's size: the crop's finer view near the head, the whole picture's elsewhere."""
    import cv2

    size = (photo.width, photo.height)
    scale = min(1.0, 640 / max(size))
    small = cv2.resize(photo.pixels, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), interpolation=3)
    whole = cv2.resize(runtime.person_probability(small), size, interpolation=cv2.INTER_LINEAR)
    border = np.minimum.reduce([np.arange(CROP_SIDE) + 1, CROP_SIDE - np.arange(CROP_SIDE)]) / (0.1 * CROP_SIDE)
    inside = np.clip(np.minimum.outer(border, border), 0.0, 1.0).astype(np.float32)
    near, weight = _to_photo(scene, [scene.person, inside], photo.pixels)
    person = near * weight + whole * (1.0 - weight)
    if photo.alpha is not None:
        person = np.minimum(person, photo.alpha / np.float32(255.0))
    return person.astype(np.float32)
