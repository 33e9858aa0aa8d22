"""Live Link Face CSV, there and back, and as other programs write it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import MediaError, OutputError
from engine.tracking.livelink import FACING, NAMES, read_livelink, timecode, write_livelink
from engine.tracking.take import Take
from engine.tracking.turns import mean_rotation, to_axis_angle, to_matrix

from .toy_take import toy_take

HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,"
    "TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)
SHORT = "Timecode,BlendShapeCount,JawOpen,HeadYaw"


def full_take(frames: int, fps: float) -> Take:
    """All 52 units, all turns."""
    take = toy_take(frames, fps, NAMES)
    rng = np.random.default_rng(1)
    vectors = {name: rng.uniform(-0.6, 0.6, (frames, 3)) for name in ("head", "left_eye", "right_eye")}
    head = (FACING @ to_matrix(vectors.pop("head"))).astype(np.float32)
    return replace(take, head_rotation=head, **{name: v.astype(np.float32) for name, v in vectors.items()})


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("fps", [24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 60000 / 1001, 60.0])
def test_there_and_back(tmp_path: Path, fps: float, given: bool) -> None:
    take = full_take(150, fps)
    write_livelink(tmp_path / "tête.csv", take)
    found = read_livelink(tmp_path / "tête.csv", fps if given else None)
    assert found.fps == (fps if given else round(fps))
    assert found.expression_names == NAMES
    np.testing.assert_allclose(found.times, np.arange(150) / found.fps, atol=1e-9)
    for name in ("expression", "head_rotation", "left_eye", "right_eye"):
        np.testing.assert_allclose(getattr(found, name), getattr(take, name), atol=1e-4, err_msg=name)
    np.testing.assert_array_equal(found.confidence, np.ones(150, np.float32))
    np.testing.assert_array_equal(found.jaw, np.zeros((150, 3)))
    np.testing.assert_array_equal(found.head_translation, np.tile([0, 0, 1], (150, 1)))
    assert found.landmarks_2d.shape == (150, 478, 2)
    assert np.isnan(found.landmarks_2d).all()
    middle = mean_rotation(take.head_rotation)
    np.testing.assert_allclose(found.neck, to_axis_angle(middle.T @ take.head_rotation), atol=1e-4)
    for name in ("expression", "head_rotation", "neck", "left_eye", "confidence", "landmarks_2d"):
        assert getattr(found, name).dtype == np.float32
    found.save(tmp_path)
    assert len(Take.load(tmp_path)) == 150


def test_the_file_is_the_apps(tmp_path: Path) -> None:
    take = toy_take(3, 30.0)
    take.expression[:] = [0.25, 0.5, 1.5, -0.5, 0.125]
    write_livelink(tmp_path / "a.csv", take)
    lines = (tmp_path / "a.csv").read_text().split("\n")
    assert lines[0] == HEADER
    assert (len(lines), lines[-1]) == (5, "")
    rows = [dict(zip(HEADER.split(","), line.split(","), strict=True)) for line in lines[1:4]]
    assert [row["Timecode"] for row in rows] == ["00:00:00:00.000", "00:00:00:01.000", "00:00:00:02.000"]
    assert [row["BlendShapeCount"] for row in rows] == ["61"] * 3
    values = {name: float(value) for name, value in list(rows[1].items())[2:]}
    assert [values[name] for name in ("JawOpen", "EyeBlinkLeft", "EyeBlinkRight", "MouthSmileLeft")] == [
        0.25,
        0.5,
        1,
        0,
    ]
    assert all(values[name] == 0 for name in ("JawLeft", "TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(("vector", "column"), [((0, 0.3, 0), "Yaw"), ((0.3, 0, 0), "Pitch"), ((0, 0, 0.3), "Roll")])
def test_angles_are_radians_about_the_faces_axes(
    tmp_path: Path, vector: tuple[float, float, float], column: str
) -> None:
    take = toy_take(1)
    head = (FACING @ to_matrix(np.array([vector]))).astype(np.float32)
    turned = np.array([vector], np.float32)
    write_livelink(tmp_path / "a.csv", replace(take, head_rotation=head, left_eye=turned, right_eye=-turned))
    names, values = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines())
    angles = {name: float(value) for name, value in list(zip(names, values, strict=True))[-9:]}
    expected = dict.fromkeys(angles, 0.0)
    expected |= {f"Head{column}": 0.3, f"LeftEye{column}": 0.3, f"RightEye{column}": -0.3}
    assert angles == pytest.approx(expected, abs=1e-6)


def test_yaw_pitch_and_roll_go_the_right_way(tmp_path: Path) -> None:
    """Where nose and left ear go, in OpenCV's camera axes: the person's left is on the picture's right."""
    text = "Timecode,HeadYaw,HeadPitch,HeadRoll\n00:00:00:00.0,.2,0,0\n00:00:00:01.0,0,.2,0\n00:00:00:02.0,0,0,.2\n"
    rotation = read_livelink(written(tmp_path / "a.csv", text)).head_rotation
    nose, left_ear = rotation @ np.array([0.0, 0, 1]), rotation @ np.array([1.0, 0, 0])
    assert nose[0] == pytest.approx([np.sin(0.2), 0, -np.cos(0.2)], abs=1e-6)  # to the person's left
    assert nose[1] == pytest.approx([0, np.sin(0.2), -np.cos(0.2)], abs=1e-6)  # down
    assert left_ear[2] == pytest.approx([np.cos(0.2), -np.sin(0.2), 0], abs=1e-6)  # up


@pytest.mark.parametrize(
    ("seconds", "fps", "expected"),
    [
        (0.0, 60.0, "00:00:00:00.000"), (12 + 23.512 / 60, 60.0, "00:00:12:23.512"), (1.0, 25.0, "00:00:01:00.000"),
        (3661.5, 30.0, "01:01:01:15.000"), (24 * 1001 / 24000, 24000 / 1001, "00:00:01:00.000"),
        (59.99999, 60.0, "00:00:59:59.999"), (59.999999, 60.0, "00:01:00:00.000"),
    ],
)  # fmt: skip
def test_time_codes(seconds: float, fps: float, expected: str) -> None:
    assert timecode(seconds, fps) == expected


def test_a_recording_by_hand(tmp_path: Path) -> None:
    """As the app records: at the time of day, a little off the grid, a frame skipped."""
    rows = ["14:03:52:58.207,61,0.10", "14:03:52:59.207,61,0.20", "14:03:53:01.207,61,0.40"]
    text = "Timecode,BlendShapeCount,JawOpen," + ",".join(HEADER.split(",")[54:]) + "\n"
    text += "".join(f"{row},0.1,0,0,0,0,0,0,0,0\n" for row in rows)
    take = read_livelink(written(tmp_path / "a.csv", text))
    assert take.fps == 60
    np.testing.assert_allclose(take.times, np.arange(4) / 60)
    np.testing.assert_allclose(take.unit("jawOpen"), [0.1, 0.2, 0.3, 0.4], atol=1e-6)
    np.testing.assert_array_equal(take.confidence, [1, 1, 0, 1])
    np.testing.assert_array_equal(take.unit("mouthClose"), np.zeros(4))


def test_frames_without_a_face_are_gaps(tmp_path: Path) -> None:
    lines = [f"{SHORT}", *(f"00:00:00:{n:02d}.000,61,{n / 10},0" for n in range(3)), "00:00:00:03.000,0"]
    lines += ["00:00:00:04.000,0,,", "00:00:00:05.000,61,0.5,0", "00:00:00:06.000,0"]
    take = read_livelink(written(tmp_path / "a.csv", "\n".join(lines)), 30.0)
    np.testing.assert_allclose(take.unit("jawOpen"), [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5], atol=1e-6)
    assert take.gaps == [(3, 5), (6, 7)]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffTimecode,BlendshapeCount,JAWOPEN,headYaw\r\n00:00:00:00.0,61,0.5,0.1\r\n00:00:00:01.0,61,0.25,0.1\r\n",
        "Timecode;BlendShapeCount;JawOpen;HeadYaw\n00:00:00:00.0;61;0,5;0,1\n\n00:00:00:01.0;61;0,25;0,1\n;;;\n",
        "HeadYaw\tSmell\tjawOpen\tTIMECODE\n0.1\tgood\t0.5\t00:00:00:00.0\n0.1\t\t0.25\t00:00:00:01.0",
        '"Timecode","JawOpen","HeadYaw"\n"00:00:00:00.0","0.5","0.1"\n"00:00:00:01.0","0.25","0.1"\n',
        f"{SHORT}\n23:59:59:59.0,61,0.5,0.1\n00:00:00:00.0,61,0.25,0.1\n00:00:00:01.0,61,0.2",
    ],
)
def test_other_spellings(tmp_path: Path, text: str) -> None:
    take = read_livelink(written(tmp_path / "a.csv", text), 60.0)
    np.testing.assert_allclose(take.unit("jawOpen"), [0.5, 0.25])
    np.testing.assert_allclose(take.head_rotation[1], FACING @ to_matrix([[0, 0.1, 0]])[0], atol=1e-6)


def test_what_is_no_recording_says_so(tmp_path: Path) -> None:
    def message(text: str | bytes | None, fps: float | None = None) -> str:
        path = tmp_path / "a.csv"
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(MediaError) as caught:
            read_livelink(path, fps)
        assert str(path) in caught.value.message
        assert caught.value.cure.endswith(".")
        return caught.value.message

    assert "There is no file" in message(None)
    assert "names no Timecode" in message("")
    assert "names no Timecode" in message("name,age\nAnn,3\n")
    assert "names no Timecode" in message("Timecode,BlendShapeCount\n00:00:00:00.0,0\n")
    assert "no text" in message(b"\x89PNG\r\n\xff\xfe\0\0")
    assert "no frame with a face" in message(f"{SHORT}\n")
    assert "no frame with a face" in message(f"{SHORT}\n00:00:00:01.0,0\n")
    assert "line 3 (3 of 4 values)" in message(f"{SHORT}\n00:00:00:00.0,2,0,0\n00:00:00:01.0,2,0\n00:00:00:02.0,2,0,0")
    assert "line 2" in message(f"{SHORT}\n00:00:00:00.0,2,zero,0\n")
    assert "line 2 (nan is no value)" in message(f"{SHORT}\n00:00:00:00.0,2,nan,0\n")
    assert 'line 2 ("noon" is no time code)' in message(f"{SHORT}\nnoon,2,0,0\n")
    assert "backwards" in message(f"{SHORT}\n00:00:09:00.0,2,0,0\n00:00:00:00.0,2,0,0\n")
    assert "jump by hours" in message(f"{SHORT}\n00:00:00:00.0,2,0,0\n09:00:00:00.0,2,0,0\n")
    assert "up to 59" in message(f"{SHORT}\n00:00:00:59.0,2,0,0\n", 30.0)
    with pytest.raises(ValueError, match="positive"):
        read_livelink(tmp_path / "a.csv", 0.0)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"Cannot write .*a\.csv"):
        write_livelink(tmp_path / "missing" / "a.csv", toy_take())
