"""Takes whose truth is known: the bundled head talks, blinks, turns or keeps still, is filmed, and is tracked.

The films are drawn by the engine's own renderer with a camera's blur, noise and compression. MediaPipe sees renders
differently than people (docs/perception.md), so these figures stand beside the ones from real footage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..media.write_clip import ClipWriter
from ..tracking.take import Take
from ..tracking.turns import mean_rotation, to_axis_angle, to_matrix
from .synthetic import draw, head_rotation, random_albedo, random_background, random_identity, random_light

SIDE = 480
FOCAL, DISTANCE = 900.0, 0.85
"""Pixels and metres: the face is a bit under half as high as the picture."""
VISEMES: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.45, "mouthLowerDownLeft": 0.2, "mouthLowerDownRight": 0.2},  # a
    {"jawOpen": 0.2, "mouthSmileLeft": 0.4, "mouthSmileRight": 0.4, "mouthStretchLeft": 0.2, "mouthStretchRight": 0.2},
    {"jawOpen": 0.2, "mouthPucker": 0.7, "mouthFunnel": 0.2},  # u
    {"jawOpen": 0.1, "mouthClose": 0.1, "mouthPressLeft": 0.2, "mouthPressRight": 0.2},  # m, b, p
    {"jawOpen": 0.12, "mouthLowerDownLeft": 0.25, "mouthLowerDownRight": 0.25},  # s, t
    {"jawOpen": 0.3, "mouthFunnel": 0.5},  # o
)
MET = 3
"""The viseme whose lips meet."""
SUBFRAMES = 3
"""Pictures that a blurred frame is the mean of."""
MEET = 5e-4
"""Metres between lips that meet."""
SYLLABLE, BLINK_EVERY, BLINK_LENGTH = 0.18, 2.2, 0.24
"""Seconds."""


@dataclass(frozen=True)
class Performance:
    """What a head does, T frames; the truth.

    Attributes:
        times: (T,) seconds. fps: of the film.
        expression: (T,E) 0..1. angles: (T,3) yaw, pitch, roll, degrees. place: (T,2) metres across the view.
        blinks: (B,) seconds of the lowest lid. contacts: (C,) seconds at which lips meet.
    """

    times: NDArray[np.float64]
    fps: float
    expression: NDArray[np.float32]
    angles: NDArray[np.float64]
    place: NDArray[np.float64]
    blinks: NDArray[np.float64]
    contacts: NDArray[np.float64]

    def views(self) -> NDArray[np.float64]:
        """(T,4,4) head to camera."""
        views = np.tile(np.eye(4), (len(self.times), 1, 1))
        for t, (angles, place) in enumerate(zip(self.angles, self.place, strict=True)):
            views[t, :3, :3] = np.diag([1.0, -1.0, -1.0]) @ head_rotation(*angles)
            views[t, :3, 3] = (*place, DISTANCE)
        return views


def perform_scene(names: tuple[str, ...], kind: str, seconds: float, fps: float, seed: int = 0) -> Performance:
    """One of "talking" (with blinks and a swaying head), "turning" (to 60 degrees and back) and "still".

    Args:
        names: of the expression units.
    Raises:
        ValueError: another kind.
    """
    if kind not in ("talking", "turning", "still"):
        raise ValueError(f"no performance “{kind}”")
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps)) / fps
    weights = {name: np.zeros(len(times)) for name in names}
    angles, place = np.zeros((len(times), 3)), np.zeros((len(times), 2))
    blinks, contacts = np.zeros(0), np.zeros(0)
    if kind != "still":
        blinks = np.arange(1.0, seconds - 0.4, BLINK_EVERY)
        blinks = blinks + rng.uniform(-0.3, 0.3, len(blinks))
        lid = (
            np.max([_bump(times - at, BLINK_LENGTH) for at in blinks], axis=0) if len(blinks) else np.zeros(len(times))
        )
        for side in ("Left", "Right"):
            weights[f"eyeBlink{side}"] = np.maximum(weights[f"eyeBlink{side}"], lid)
        gaze = 0.25 * np.sign(np.sin(2 * np.pi * 0.37 * times + 1.0))
        weights["eyeLookOutLeft"], weights["eyeLookInRight"] = np.maximum(gaze, 0), np.maximum(gaze, 0)
        weights["eyeLookInLeft"], weights["eyeLookOutRight"] = np.maximum(-gaze, 0), np.maximum(-gaze, 0)
    if kind == "talking":
        contacts = _talk(weights, times, seconds, rng)
        angles = np.column_stack([8 * np.sin(2.1 * times), 4 * np.sin(3.3 * times + 1), 3 * np.sin(1.7 * times)])
        place = np.column_stack([0.01 * np.sin(1.1 * times), 0.006 * np.sin(2.3 * times)])
        weights["browInnerUp"] = 0.35 * np.clip(np.sin(1.3 * times), 0, 1)
    if kind == "turning":
        angles[:, 0] = 60.0 * np.sin(2 * np.pi * times / seconds)
    expression = np.column_stack([weights[name] for name in names]).astype(np.float32)
    return Performance(times, fps, expression, angles.astype(np.float64), place, blinks, contacts)


def _talk(weights: dict[str, NDArray], times: NDArray, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Put syllables into the weights; returns the times at which lips meet."""
    starts = np.arange(0.3, seconds - 0.3, SYLLABLE)
    spoken = rng.integers(0, len(VISEMES), len(starts))
    for at, which in zip(starts, spoken, strict=True):
        share = _bump(times - at, 2 * SYLLABLE)
        for name, value in VISEMES[which].items():
            weights[name] = np.maximum(weights[name], value * share)
    for at in starts[spoken == MET]:  # closed for a moment, whatever the neighbours do
        near = _bump(times - at, 1.2 * SYLLABLE)
        for name in ("mouthLowerDownLeft", "mouthLowerDownRight", "mouthFunnel", "mouthPucker"):
            weights[name] = weights[name] * (1 - near)
        weights["jawOpen"] = weights["jawOpen"] * (1 - near) + 0.06 * near
        weights["mouthClose"] = weights["mouthClose"] * (1 - near) + 0.06 * near
    return starts[spoken == MET]


def _bump(time: NDArray, length: float) -> NDArray[np.float64]:
    """A smooth rise and fall of some length about time 0, 1 at its top."""
    return np.where(np.abs(time) < length / 2, 0.5 + 0.5 * np.cos(2 * np.pi * time / length), 0.0)


def film(
    path: Path, head: HeadModel, performance: Performance, seed: int = 0, shutter: float = 0.0
) -> NDArray[np.float32]:
    """Draw a performance of a random person as an MP4. Returns their identity (K,).

    Args:
        shutter: share of a frame's time in which the picture is exposed, for motion blur; 0 for an instant.
    """
    rng = np.random.default_rng(seed)
    identity, light, background = random_identity(head, rng), random_light(rng), random_background(SIDE, rng)
    _, albedo = random_albedo(head, [], 1024, rng)
    with ClipWriter(path, SIDE, SIDE, performance.fps) as writer:
        for picture in _pictures(head, performance, identity, light, background, albedo, shutter, rng):
            writer.add(picture)
    return identity


def _pictures(
    head: HeadModel,
    performance: Performance,
    identity: NDArray,
    light: NDArray,
    background: NDArray[np.uint8],
    albedo: NDArray[np.uint8],
    shutter: float,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.uint8]]:
    K = np.array([[FOCAL, 0, SIDE / 2], [0, FOCAL, SIDE / 2], [0, 0, 1.0]])
    views = performance.views()
    last = len(views) - 1
    for t in range(len(views)):
        moments = np.linspace(0.0, shutter, SUBFRAMES if shutter > 0 else 1)
        drawn = []
        for share in moments:  # between this frame and the next, straight: a shutter is open for a fraction of a frame
            after = min(t + 1, last)
            expression = (1 - share) * performance.expression[t] + share * performance.expression[after]
            view = views[t].copy()
            turn = to_axis_angle((views[t, :3, :3].T @ views[after, :3, :3])[None])
            view[:3, :3] = views[t, :3, :3] @ to_matrix(share * turn)[0]
            view[:3, 3] += share * (views[after, :3, 3] - views[t, :3, 3])
            posed, camera = head.shape(identity, expression), Camera(K, view, SIDE, SIDE)
            drawn.append(draw(head, posed, expression, camera, light, albedo, rng, background=background))
        yield np.round(np.mean(drawn, axis=0)).astype(np.uint8)


@dataclass(frozen=True)
class TakeErrors:
    """How far a take is from the truth.

    Attributes:
        units: (E,) mean absolute error of each weight.
        pose: mean error of the head's turn, degrees, after the best constant turn; gaze: of the eyes', degrees.
        lips: mean error of the distance of the inner lips, millimetres.
        lag: frames by which the jaw follows, from the cross-correlation of its speeds.
        blinks, contacts: (recall, precision), NaN where there are none. A contact's precision is of frames: whether
            lips that meet in the take are closed in truth.
        jitter: mean second difference of the face's vertices, millimetres.
    """

    units: NDArray[np.float64]
    pose: float
    gaze: float
    lips: float
    lag: float
    blinks: tuple[float, float]
    contacts: tuple[float, float]
    jitter: float


def compare(head: HeadModel, performance: Performance, take: Take, identity: NDArray) -> TakeErrors:
    """Measure a take of a film.

    Args:
        identity: (K,) of the person that was filmed.
    """
    count = min(len(take), len(performance.times))
    true, found = performance.expression[:count].astype(np.float64), take.expression[:count].astype(np.float64)
    views = performance.views()[:count, :3, :3]
    apart = np.swapaxes(views, 1, 2) @ take.head_rotation[:count]
    rest = mean_rotation(apart)
    pose = np.degrees(np.linalg.norm(to_axis_angle(apart @ rest.T), axis=1)).mean()
    names = take.expression_names
    height = lip_basis(head)
    gaps_true, gaps_found = (np.maximum(weights @ height, 0) for weights in (true, found))
    lids = found[:, names.index("eyeBlinkLeft")]
    return TakeErrors(
        units=np.abs(found - true).mean(axis=0),
        pose=float(pose),
        gaze=_gaze_error(true, found, names),
        lips=1e3 * float(np.abs(gaps_found - gaps_true).mean()),
        lag=_lag(true[:, names.index("jawOpen")], found[:, names.index("jawOpen")]),
        blinks=_events(performance.blinks, _peaks(lids, 0.9, take.times[:count])),
        contacts=(
            _events(performance.contacts, _peaks(-gaps_found, -MEET, take.times[:count], lasting=True))[0],
            _among(gaps_found < MEET, gaps_true < 2 * MEET),
        ),
        jitter=1e3 * float(jitter(head, found)),
    )


def lip_basis(head: HeadModel) -> NDArray[np.float64]:
    """(E,) metres by which each unit parts the inner lips."""
    from ..tracking.contacts import LIPS

    upper, lower, _ = LIPS
    marks = head.embeddings["mediapipe"]
    basis = np.array([marks.positions(field.astype(np.float64), head.faces) for field in head.expression_basis])
    return (basis[:, upper, 1] - basis[:, lower, 1]).mean(axis=1)


def jitter(head: HeadModel, expression: NDArray) -> float:
    """Mean second difference of the face's vertices over frames, metres; weights (T,E)."""
    face = np.flatnonzero(head.regions["face"])[::4]
    moved = np.tensordot(np.diff(expression, 2, axis=0), head.expression_basis[:, face].astype(np.float64), 1)
    return float(np.linalg.norm(moved, axis=2).mean())


def _gaze_error(true: NDArray, found: NDArray, names: tuple[str, ...]) -> float:
    """Degrees, both eyes across and up and down; a look unit at 1 is 22 and 20 degrees (docs/rig.md)."""
    errors = []
    for out, back, scale in (("Out", "In", 22.0), ("Down", "Up", 19.0)):
        for side in ("Left", "Right"):
            one, other = names.index(f"eyeLook{out}{side}"), names.index(f"eyeLook{back}{side}")
            errors.append(scale * np.abs((found - true)[:, one] - (found - true)[:, other]))
    return float(np.mean(errors))


def _lag(true: NDArray, found: NDArray, most: int = 6) -> float:
    """Frames, positive where the take comes later; 0 where nothing moves."""
    if true.std() < 1e-3 or found.std() < 1e-6:
        return 0.0
    a, b = np.diff(true), np.diff(found)
    scores = np.array([np.dot(a[most:-most], np.roll(b, -shift)[most:-most]) for shift in range(-most, most + 1)])
    best = int(np.clip(scores.argmax(), 1, 2 * most - 1))
    low, mid, high = scores[best - 1 : best + 2]
    return float(best - most + 0.5 * (low - high) / (low - 2 * mid + high))


def _peaks(signal: NDArray, level: float, times: NDArray, lasting: bool = False) -> NDArray[np.float64]:
    """Seconds of the top of every stretch above a level; its whole span where `lasting`, (N,2)."""
    above = np.concatenate([[False], signal >= level, [False]]).astype(int)
    edges = np.diff(above)
    spans = list(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True))
    if lasting:
        return np.array([(times[a], times[b - 1]) for a, b in spans]).reshape(-1, 2)
    return np.array([(times[a + signal[a:b].argmax()],) * 2 for a, b in spans]).reshape(-1, 2)


def _among(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Share of found frames (T,) that are true ones, or next to one; NaN without any."""
    near = true | np.roll(true, 1) | np.roll(true, -1)
    return float(near[found].mean()) if found.any() else float("nan")


def _events(true: NDArray, found: NDArray, tolerance: float = 0.12) -> tuple[float, float]:
    """Recall and precision of events (N,) by spans (M,2), seconds."""
    if not len(true):
        return float("nan"), float("nan")
    hit = (true[:, None] > found[None, :, 0] - tolerance) & (true[:, None] < found[None, :, 1] + tolerance)
    return float(hit.any(axis=1).mean()), float(hit.any(axis=0).mean()) if len(found) else float("nan")
