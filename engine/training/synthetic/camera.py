"""Where the camera of a synthetic picture stands, what lens it has, and which part of its photo the picture is.

A picture here is not a whole photo but the square crop the point network is given: the face upright by its eyes, its
box filling about half of the side. The photo it is cut from is drawn too (a lens and where the face lies in the frame),
because both shape the perspective: a near lens swells the nose, and a face away from the photo's middle is seen askew
and stretched. So the principal point, which is the photo's middle, usually lies outside the crop's middle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera

FILM = (36.0, 24.0)  # millimetres; focal lengths are equivalents for this frame
FOCAL_RANGE = (24.0, 150.0)  # millimetres
FRAME_SHARE = (0.05, 0.85)  # of the frame's shorter side that the face is high
DISTANCE_RANGE = (0.35, 6.0)  # metres, camera to face
FACE_HEIGHT = 0.18  # metres, of the head's region "face" on the mean head

FILL_RANGE = (0.40, 0.62)  # of the crop's side that the longer side of the face's box takes
JITTER = 0.06  # of the crop's side, by which the box's middle is off

FRONT_SHARE, FRONT_LIMIT, FRONT_DEVIATION = 0.6, 35.0, 17.0  # yaw of most pictures, degrees
YAW_LIMIT = 90.0
PITCH_DEVIATION, PITCH_LIMIT = 12.0, 35.0
ROLL_DEVIATION, ROLL_LIMIT, PROFILE_ROLL_LIMIT = 5.5, 15.0, 30.0


def random_camera(
    face_points: NDArray, size: int, rng: np.random.Generator, yaw_limit: float = YAW_LIMIT
) -> tuple[Camera, NDArray[np.float64]]:
    """A crop as the network's aligner would cut it.

    Args:
        face_points: (N,3) metres, the posed head's vertices of region "face".
        size: side of the picture, pixels.
        yaw_limit: degrees; no head is turned further.
    Returns:
        The camera, and yaw, pitch and roll as `random_angles` gives them.
    """
    angles = random_angles(rng, yaw_limit)
    distance, sight = random_standpoint(rng)
    middle = (face_points.min(axis=0) + face_points.max(axis=0)) / 2
    rotation = turn_towards(sight) @ head_to_camera(*angles)
    view = np.eye(4)
    view[:3, :3] = rotation
    view[:3, 3] = distance * sight - rotation @ middle

    seen = face_points @ rotation.T + view[:3, 3]
    flat = seen[:, :2] / seen[:, 2:]
    low, high = flat.min(axis=0), flat.max(axis=0)
    focal = rng.uniform(*FILL_RANGE) * size / float((high - low).max())
    place = size * (0.5 + rng.uniform(-JITTER, JITTER, 2))
    centre = place - focal * (low + high) / 2
    K = np.array([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])
    return Camera(K, view, size, size), angles


def random_angles(rng: np.random.Generator, yaw_limit: float = YAW_LIMIT) -> NDArray[np.float64]:
    """(3,) degrees, how the head is turned in the crop: see `head_to_camera`.

    Most faces look towards the camera; the rest spread up to the profile. Roll is what the aligner leaves, and in
    profile, where the line of the eyes says little, it leaves more.
    """
    if rng.random() < FRONT_SHARE:
        yaw = _bounded_normal(rng, FRONT_DEVIATION, min(FRONT_LIMIT, yaw_limit))
    else:
        yaw = rng.uniform(min(FRONT_LIMIT, yaw_limit), yaw_limit) * rng.choice([-1.0, 1.0])
    pitch = _bounded_normal(rng, PITCH_DEVIATION, PITCH_LIMIT)
    aside = np.clip((abs(yaw) - 40.0) / 40.0, 0.0, 1.0)
    limit = ROLL_LIMIT + (PROFILE_ROLL_LIMIT - ROLL_LIMIT) * aside
    roll = _bounded_normal(rng, ROLL_DEVIATION * (1.0 + aside), limit)
    return np.array([yaw, pitch, roll])


def random_standpoint(rng: np.random.Generator) -> tuple[float, NDArray[np.float64]]:
    """Distance of the face in metres along the lens's axis, and (3,) its direction there, with z = 1 (not a unit).

    A lens and the face's size in the frame give the distance; the face lies anywhere in the frame, mostly centred.
    """
    focal = np.exp(rng.uniform(*np.log(FOCAL_RANGE)))
    share = np.exp(rng.uniform(*np.log(FRAME_SHARE)))
    distance = float(np.clip(focal * FACE_HEIGHT / (share * FILM[1]), *DISTANCE_RANGE))
    frame = np.array(FILM if rng.random() < 0.5 else FILM[::-1])
    room = np.maximum(frame - focal * FACE_HEIGHT / distance, 0.0) / 2  # so that the face lies within
    off = np.clip(rng.normal(0.0, 0.4, 2), -1.0, 1.0) * room / focal
    return distance, np.array([off[0], off[1], 1.0])


def head_to_camera(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """(3,3) rotation from head axes to the axes of a camera (x right, y down) that looks at the head.

    The head nods, then turns about the vertical, so that at roll 0 the line of the eyes is level in the picture
    whatever yaw and pitch are.

    Args:
        yaw: degrees, the nose to the picture's right.
        pitch: degrees, the nose up.
        roll: degrees, clockwise as seen.
    """
    y, p, r = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(y), 0.0, np.sin(y)], [0.0, 1.0, 0.0], [-np.sin(y), 0.0, np.cos(y)]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(p), -np.sin(p)], [0.0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0.0], [np.sin(r), np.cos(r), 0.0], [0.0, 0.0, 1.0]])
    to_camera = np.array([[1.0], [-1.0], [-1.0]])
    return np.asarray(to_camera * (about_z @ about_y @ about_x), np.float64)


def turn_towards(direction: NDArray) -> NDArray[np.float64]:
    """(3,3) the smallest rotation that takes the lens's axis (0,0,1) to a direction (3,) of any length in front."""
    x, y, z = direction / np.linalg.norm(direction)
    # Rodrigues' formula for the axis (-y, x, 0).
    return np.array([
        [1 - x * x / (1 + z), -x * y / (1 + z), x],
        [-x * y / (1 + z), 1 - y * y / (1 + z), y],
        [-x, -y, z],
    ])  # fmt: skip


def towards_camera(camera: Camera, face_points: NDArray) -> NDArray[np.float64]:
    """(3,) unit vector in the head's frame from the face's middle to the camera."""
    middle = (face_points.min(axis=0) + face_points.max(axis=0)) / 2
    way = np.asarray(camera.position - middle, np.float64)
    return way / np.linalg.norm(way)


def _bounded_normal(rng: np.random.Generator, deviation: float, limit: float) -> float:
    """A normal number within a limit; drawn again when outside, so that none pile up at the limit."""
    while True:
        value = float(rng.normal(0.0, deviation))
        if abs(value) <= limit:
            return value
