"""Following one face through footage: MediaPipe's points in every frame, and whether it is still the same person.

A face is looked at where it was a frame ago, twice (one look mirrored): the mean is steadier, and how far the looks
are apart says how sure they are. A face that is lost is looked for in the whole picture. Who it is, is known by how the
face looks: a few small pictures of it, taken as it turns, are kept and compared. That tells a cut to somebody else from
a short occlusion; it is no face recognition across clothes, years and light.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..perception import runtime
from ..perception.crop import Window, window_around
from ..perception.detect import detection_window, searches

SIDE = 32
"""Pixels of the pictures by which a face is known again."""
KEPT = 24
"""Pictures of one person; a new one is kept when none is like it."""
FAMILIAR, KNOWN = 0.85, 0.55
"""Correlation with a kept picture: above, nothing is learned; below, it is somebody else."""
SURE, LOST = 0.006, 0.03
"""Distance of the two looks over the face's size: all is well; no face. Between, confidence falls."""
SEARCH_EVERY = 5
"""Lost frames between two searches with all means; in between the detector looks at the whole picture once."""
SMALLEST = 24.0
"""Pixels between the outer eye corners; below, the points say nothing about expressions."""
OVERLAP = 0.5
"""Of the face's size: what is found again so near, so soon, is the same face however it looks."""
SOON = 1.0
"""Seconds."""


@dataclass(frozen=True)
class Sight:
    """What was seen of the person in one frame.

    Attributes:
        points: (478,3) x, y, relative depth, pixels of the upright picture.
        confidence: 0..1.
        resemblance: correlation with the most alike picture of the person, -1..1.
    """

    points: NDArray[np.float64]
    confidence: float
    resemblance: float


@dataclass
class Follower:
    """Follows one person from frame to frame, in order.

    Attributes:
        choice: which face of the first frame that has so many, 0 is the largest.
        strangers: times in seconds at which only somebody else was seen, or the person beyond recognition.
    """

    choice: int = 0
    strangers: list[float] = field(default_factory=list)
    _looks: list[NDArray[np.float32]] = field(default_factory=list, repr=False)
    _window: Window | None = field(default=None, repr=False)
    _seen: tuple[float, Window] | None = field(default=None, repr=False)
    _last: NDArray[np.float32] | None = field(default=None, repr=False)
    _lost: int = field(default=0, repr=False)

    def __call__(self, pixels: NDArray[np.uint8], time: float) -> Sight | None:
        """Look at the next frame, (H,W,3) uint8 sRGB, at a time in seconds. None where the person is not seen."""
        sight = None if self._window is None else self._look(pixels, self._window, time)
        if sight is None:
            sight = self._search(pixels, time)
        if sight is None:
            self._window = None
            self._lost += 1
            return None
        self._lost = 0
        self._window = window_around(sight.points)
        self._seen, self._last = (time, self._window), portrait(pixels, self._window)
        if sight.resemblance < FAMILIAR and sight.confidence > 0.5 and len(self._looks) < KEPT:
            self._looks.append(self._last)
        return sight

    @property
    def looks(self) -> NDArray[np.float32]:
        """(N,S,S,3) the pictures of the person so far."""
        return np.array(self._looks, np.float32).reshape(-1, SIDE, SIDE, 3)

    def go_on(self, looks: NDArray[np.float32], points: NDArray | None, time: float, strangers: NDArray) -> None:
        """Take up again what was interrupted: pictures of the person (N,S,S,3), the last points (478,3), None where the
        person was not seen last, their time in seconds, and the times of strangers."""
        self._looks, self.strangers = list(looks), [float(value) for value in strangers]
        self._window = None if points is None else window_around(points)
        self._seen = None if self._window is None else (time, self._window)

    def _look(self, pixels: NDArray[np.uint8], window: Window, time: float) -> Sight | None:
        """The person in a window, or None."""
        seen = two_looks(pixels, window)
        if seen is None:
            return None
        points, apart = seen
        confidence = float(np.clip((LOST - apart) / (LOST - SURE), 0.0, 1.0))
        if confidence <= 0 or np.linalg.norm(points[33] - points[263]) < SMALLEST:
            return None
        found = window_around(points)
        picture = portrait(pixels, found)
        resemblance = self._resemblance(picture)
        if resemblance < KNOWN and not self._just_there(found, picture, time):
            if not self.strangers or self.strangers[-1] < time:
                self.strangers.append(time)
            return None
        return Sight(points, max(confidence, 0.01), resemblance)

    def _resemblance(self, picture: NDArray[np.float32]) -> float:
        return max((float(np.vdot(picture, other)) for other in self._looks), default=1.0)

    def _just_there(self, window: Window, picture: NDArray[np.float32], time: float) -> bool:
        """Whether the person was at this very place a moment ago, moved no farther than heads move, and no cut came
        between: pictures of the same face in the next frame are alike even where it turns fast."""
        if self._seen is None or time - self._seen[0] > SOON:
            return False
        if self._last is not None and float(np.vdot(picture, self._last)) < KNOWN:
            return False
        return self._lost == 0 and bool(
            np.linalg.norm(window.centre - self._seen[1].centre) < OVERLAP * self._seen[1].side
            and abs(np.log(window.side / self._seen[1].side)) < 0.2
        )

    def _search(self, pixels: NDArray[np.uint8], time: float) -> Sight | None:
        """The person anywhere in the picture."""
        if self._lost and self._lost % SEARCH_EVERY:
            windows = [detection_window(found) for found in runtime.detect(pixels, "short")]
        else:
            windows = [window for window, _ in next(searches(pixels), [])]
        seen = []
        for window in windows:
            settled = two_looks(pixels, window)
            settled = settled and two_looks(pixels, window_around(settled[0]))
            if settled and settled[1] < LOST:
                seen.append(settled[0])
        if not self._looks:  # nobody is followed yet
            seen.sort(key=lambda points: -float(np.ptp(points[:, :2], axis=0).max()))
            seen = _distinct(seen)[self.choice : self.choice + 1]
            self._looks += [portrait(pixels, window_around(points)) for points in seen]
        best = max(seen, key=lambda p: self._resemblance(portrait(pixels, window_around(p))), default=None)
        return None if best is None else self._look(pixels, window_around(best), time)


def two_looks(pixels: NDArray[np.uint8], window: Window) -> tuple[NDArray[np.float64], float] | None:
    """Mean (478,3) of a look and its mirror image, and how far they are apart as a share of the face's size; None where
    one of them sees no face."""
    looks = []
    for flipped in (False, True):
        view = window.varied((0.0, 0.0), 1.0, 0.0, flipped)
        found = runtime.face_mesh(view.cut(pixels, runtime.MESH_SIDE))
        if found is None:
            return None
        looks.append(view.to_picture(found, runtime.MESH_SIDE))
    points = (looks[0] + looks[1]) / 2
    size = float(np.ptp(points[:, :2], axis=0).max())
    apart = np.linalg.norm(looks[0][:, :2] - looks[1][:, :2], axis=1).mean() / 2
    return points, float(apart / max(size, 1e-6))


def portrait(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.float32]:
    """The face in a window as it is compared: small, of mean 0 in each colour channel and of length 1."""
    small = window.varied((0.0, 0.0), 0.75, 0.0, False).cut(pixels, SIDE).astype(np.float32)
    small -= small.mean(axis=(0, 1))
    return small / (np.linalg.norm(small) + 1e-6)


def _distinct(faces: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Faces whose middles are apart."""
    kept: list[NDArray[np.float64]] = []
    for face in faces:
        middle, size = face[:, :2].mean(0), np.ptp(face[:, :2], axis=0).max()
        if all(np.linalg.norm(middle - other[:, :2].mean(0)) > 0.4 * size for other in kept):
            kept.append(face)
    return kept
