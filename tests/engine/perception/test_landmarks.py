"""Faces are found in portraits, turned, small, several; bad ones give a sentence with a cure."""

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from skimage.transform import rescale

from engine.errors import FaceError, ModelFileError
from engine.media.photo import Photo
from engine.perception import landmarks as module
from engine.perception.landmarks import find_face, find_faces, yaw_degrees
from engine.perception.observation import FaceObservation
from engine.perception.tasks import swap_sides
from engine.perception.topology import MIRROR

ROOT = Path(__file__).parents[3]


def picture_of(pixels: np.ndarray) -> Photo:
    return Photo(Path("test picture.png"), np.ascontiguousarray(pixels, dtype=np.uint8))


def error(found: np.ndarray, expected: np.ndarray, unit: float) -> float:
    """Mean distance in the picture, over the inter-ocular distance."""
    return float(np.linalg.norm(found[:, :2] - expected[:, :2], axis=1).mean() / unit)


def test_known_portrait(astronaut_face: FaceObservation) -> None:
    face = astronaut_face
    assert face.landmarks.shape == (478, 3)
    assert face.landmarks.dtype == np.float32
    # The pupils and the nose tip, picked by hand in the picture.
    assert np.abs(face.landmarks[468, :2] - [203.5, 101.5]).max() < 3
    assert np.abs(face.landmarks[473, :2] - [246.5, 103.5]).max() < 3
    assert 55 < face.interocular < 65
    assert face.score > 0.8
    assert face.detector.startswith("MediaPipe 0.10")
    assert face.box[0] < face.landmarks[234, 0] < face.landmarks[454, 0] <= face.box[2]
    nose, ears = face.landmarks[1, 2], face.landmarks[[234, 454], 2].mean()
    assert -1.2 < (nose - ears) / face.interocular < -0.5  # the nose is nearer by less than a head's breadth
    assert abs(yaw_degrees(face.landmarks)) < 10
    assert "small" in face.warnings[0]


def test_same_answer_twice(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    assert (find_face(astronaut).landmarks == astronaut_face.landmarks).all()


def test_mirrored_picture_gives_the_mirror_image(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    mirrored = find_face(picture_of(astronaut.pixels[:, ::-1]))
    expected = astronaut_face.landmarks[MIRROR] * [-1, 1, 1] + [512, 0, 0]
    assert error(mirrored.landmarks, expected, astronaut_face.interocular) < 0.01
    assert np.abs(mirrored.landmarks - expected)[:, 2].mean() / astronaut_face.interocular < 0.01


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_pictures_on_their_side(astronaut: Photo, astronaut_face: FaceObservation, turns: int) -> None:
    face = find_face(picture_of(np.rot90(astronaut.pixels, turns)))
    x, y = face.landmarks[:, 0], face.landmarks[:, 1]
    back = {1: (512 - y, x), 2: (512 - x, 512 - y), 3: (y, 512 - x)}[turns]
    assert error(np.column_stack(back), astronaut_face.landmarks, astronaut_face.interocular) < 0.01


def test_tilted_head(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    import cv2

    matrix = cv2.getRotationMatrix2D((220.0, 110.0), 50, 1.0)
    tilted = cv2.warpAffine(astronaut.pixels, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    face = find_face(picture_of(tilted))
    expected = astronaut_face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert error(face.landmarks, expected, astronaut_face.interocular) < 0.02


def test_small_face_in_a_large_picture(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    large = np.full((2000, 3000, 3), 90, np.uint8)
    large[1200:1712, 2300:2812] = astronaut.pixels
    face = find_face(picture_of(large))
    assert (
        error(face.landmarks, astronaut_face.landmarks + np.array([2300, 1200, 0]), astronaut_face.interocular) < 0.01
    )


def test_resolution_does_not_move_points(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    larger = rescale(astronaut.pixels, 4, channel_axis=2, order=1, preserve_range=True)
    face = find_face(picture_of(larger))
    assert error(face.landmarks / 4, astronaut_face.landmarks, astronaut_face.interocular) < 0.015
    assert face.landmarks[1, 2] / 4 == pytest.approx(astronaut_face.landmarks[1, 2], rel=0.1)


def test_several_faces(astronaut: Photo) -> None:
    small = rescale(astronaut.pixels, 0.75, channel_axis=2, preserve_range=True).astype(np.uint8)
    both = np.zeros((512, 1024, 3), np.uint8)
    both[:, 512:], both[64:448, 64:448] = astronaut.pixels, small
    photo = picture_of(both)
    faces = find_faces(photo)
    assert len(faces) == 2
    assert faces[0].box[0] > 512 > faces[1].box[2]
    chosen = find_face(photo)
    assert (chosen.landmarks == faces[0].landmarks).all()
    assert any("2 faces were found" in warning for warning in chosen.warnings)
    assert not any("faces were found" in warning for warning in find_face(photo, 0).warnings)
    assert (find_face(photo, 1).landmarks == faces[1].landmarks).all()
    with pytest.raises(FaceError, match=r"Face 2 was chosen, but only 2 faces were found in test picture\.png"):
        find_face(photo, 2)
    with pytest.raises(FaceError, match="Face -1 was chosen"):
        find_face(photo, -1)


@pytest.mark.parametrize("size", [(300, 400), (5, 7), (1, 1)])
def test_no_face(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    with pytest.raises(FaceError, match=r"No face was found in test picture\.png") as caught:
        find_face(picture_of(noise))
    assert caught.value.cure


def test_too_small(astronaut: Photo) -> None:
    tiny = rescale(astronaut.pixels, 0.4, channel_axis=2, preserve_range=True, anti_aliasing=True)
    with pytest.raises(FaceError, match=r"too small: its eyes span 2[0-9] pixels") as caught:
        find_face(picture_of(tiny))
    assert "200 or more" in caught.value.cure


def test_blurred_face_is_doubtful(astronaut: Photo, astronaut_face: FaceObservation) -> None:
    import cv2

    blurred = cv2.GaussianBlur(astronaut.pixels, (0, 0), 4.5)
    face = find_face(picture_of(blurred))
    assert error(face.landmarks, astronaut_face.landmarks, astronaut_face.interocular) < 0.08
    assert any("unsharp" in warning for warning in face.warnings)


@pytest.mark.parametrize(("angle", "outcome"), [(20, "fine"), (50, "warned"), (75, "refused"), (-75, "refused")])
def test_turned_heads(
    astronaut: Photo, astronaut_face: FaceObservation, monkeypatch: pytest.MonkeyPatch, angle: int, outcome: str
) -> None:
    radians = np.radians(angle)
    turn = np.array([[np.cos(radians), 0, -np.sin(radians)], [0, 1, 0], [np.sin(radians), 0, np.cos(radians)]])
    level = np.radians(yaw_degrees(astronaut_face.landmarks))
    unturn = np.array([[np.cos(level), 0, np.sin(level)], [0, 1, 0], [-np.sin(level), 0, np.cos(level)]])
    turned = replace(astronaut_face, landmarks=astronaut_face.landmarks @ unturn.T @ turn.T * 2)
    assert yaw_degrees(turned.landmarks) == pytest.approx(angle, abs=3)
    monkeypatch.setattr(module, "find_faces", lambda *_: [replace(turned, warnings=())])
    if outcome == "refused":
        with pytest.raises(FaceError, match=r"turned away by about 7\d degrees") as caught:
            find_face(astronaut)
        assert "both eyes" in caught.value.cure
    else:
        warnings = " ".join(find_face(astronaut).warnings)
        assert ("its far side is guessed" in warnings) == (outcome == "warned")


def test_tasks_file_of_the_user(shared: Path, astronaut: Photo, astronaut_face: FaceObservation) -> None:
    folder = shared / "data" / "nets"
    if not (folder / "face_landmarker.task").is_file():
        pytest.skip("needs face_landmarker.task in the shared data")
    face = find_face(astronaut, model_folder=folder)
    assert face.detector.endswith("face landmarker")
    assert error(face.landmarks, astronaut_face.landmarks, face.interocular) < 0.03
    assert len(face.blendshapes) == 51
    assert face.blendshapes["mouthSmileLeft"] > 0.5 > face.blendshapes["jawOpen"]


def test_damaged_tasks_file(tmp_path: Path, astronaut: Photo) -> None:
    (tmp_path / "face_landmarker.task").write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match=r"face_landmarker\.task is not a face landmarker"):
        find_face(astronaut, model_folder=tmp_path)


def test_swap_sides() -> None:
    assert swap_sides({"eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.7, "jawLeft": 0.1, "jawOpen": 0.5}) == {
        "eyeBlinkRight": 0.2, "eyeBlinkLeft": 0.7, "jawRight": 0.1, "jawOpen": 0.5,
    }  # fmt: skip


LEAN = """
import sys, time
for name in ("jax", "jaxlib", "scipy", "sounddevice", "sentencepiece", "matplotlib"):
    sys.modules[name] = None
import numpy as np
start = time.perf_counter()
from pathlib import Path
from engine.media.photo import Photo
from engine.perception.landmarks import find_faces
from engine.perception.masks import make_masks
pixels = np.load(sys.argv[1])
photo = Photo(Path("a.png"), pixels)
faces = find_faces(photo, Path(sys.argv[2]) if len(sys.argv) > 2 else None)
masks = make_masks(photo, faces[0])
print(len(faces), round(float(masks.skin.max()), 1), faces[0].detector, time.perf_counter() - start, sep="|")
"""


def test_lean_and_quiet(tmp_path: Path, astronaut: Photo) -> None:
    """Without the packages that the extension does not ship, from a cold start, and nothing on standard error."""
    np.save(tmp_path / "a.npy", astronaut.pixels)
    command = [sys.executable, "-c", LEAN, str(tmp_path / "a.npy")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    count, skin, detector, seconds = done.stdout.strip().split("|")
    assert (count, skin) == ("1", "1.0")
    assert detector.endswith("face mesh")
    assert done.stderr == ""
    assert float(seconds) < 25


def test_lean_with_tasks(tmp_path: Path, astronaut: Photo, shared: Path) -> None:
    folder = shared / "data" / "nets"
    if not (folder / "face_landmarker.task").is_file():
        pytest.skip("needs face_landmarker.task in the shared data")
    np.save(tmp_path / "a.npy", astronaut.pixels)
    command = [sys.executable, "-c", LEAN, str(tmp_path / "a.npy"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split("|")[2].endswith("face landmarker")


def test_mediapipe_stays_whole() -> None:
    """Others in the same process still get the parts that were put off, as far as what these need is installed."""
    code = (
        "from engine.perception.runtime import load_mediapipe; load_mediapipe()\n"
        "import mediapipe as mp\n"
        "try: print(mp.solutions.drawing_utils.DrawingSpec.__name__)\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == ("DrawingSpec" if find_spec("matplotlib") else "matplotlib")


def test_missing_mediapipe() -> None:
    code = (
        "import sys; sys.modules['mediapipe.python.solution_base'] = None; sys.meta_path.insert(0, type('No', (), {\n"
        "  'find_spec': staticmethod(lambda name, path=None, target=None: (_ for _ in ()).throw(ImportError('gone'))\n"
        "   if name == 'mediapipe.python' else None)}))\n"
        "from engine.errors import ModelFileError\n"
        "from engine.perception.runtime import load_mediapipe\n"
        "try: load_mediapipe()\n"
        "except ModelFileError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "cannot be loaded (gone)" in done.stdout
    assert "mediapipe 0.10.21" in done.stdout
