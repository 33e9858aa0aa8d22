"""Files are told by what they hold; nothing in them runs, and none takes memory or time without end."""

import contextlib
import io
import json
import pickle
import struct
import time
import tracemalloc
import zipfile

import numpy as np
import torch

from engine.models.identify import TITLES, Identified, identify, misfit
from engine.models.registry import (
    ARCFACE,
    DECA,
    FFHQ_UV_TEXTURE,
    FLAME_2020,
    FLAME_2023,
    FLAME_EYELID_LEFT,
    FLAME_MASKS,
    SMIRK,
    USERS,
)

from . import toys


def test_every_kind_is_told_under_a_name_that_tells_nothing(tmp_path):
    for kind, path in toys.every_kind(tmp_path / "files").items():
        found = identify(path)
        assert (found.kind, found.problem) == (kind, ""), path
        assert kind in TITLES


def test_every_kind_that_a_model_wants_has_a_title():
    assert {kind for model in USERS for kind in model.kinds} <= set(TITLES)


def module(parameters, **modules):
    return {"_parameters": parameters, "_buffers": {}, "_modules": modules}


def test_pickled_generators_are_told_from_each_other(tmp_path, persistence):
    weight = {"weight": torch.arange(4.0)}
    mapping = persistence("MappingNetwork", module({}, fc0=persistence("FullyConnectedLayer", module(weight))))
    block = persistence("SynthesisBlock", module({"const": torch.zeros(2)}))
    synthesis = persistence("SynthesisNetwork", module({}, b4=block, b256=block))
    plain = persistence("Generator", module({}, mapping=mapping, synthesis=synthesis))
    found = identify(toys.pickled(tmp_path / "a", {"G_ema": plain, "training_set_kwargs": None}, 4))
    assert found == Identified("stylegan2_pickle", "", "StyleGAN2 of 256 pixels")
    deep = persistence("TriPlaneGenerator", module({}, backbone=plain))
    assert identify(toys.pickled(tmp_path / "b", {"G_ema": deep}, 4)).kind == "eg3d"


def test_flames_version_is_told_by_its_name_or_not_at_all(tmp_path):
    path = toys.flame(tmp_path / "flame.pkl")
    names = {
        "generic_model": "2020",
        "flame2023": "2023",
        "flame2023_no_jaw": "2023_no_jaw",
        "flame2023_Open": "2023_open",
        "head": "",
    }
    for name, variant in names.items():
        renamed = path.rename(tmp_path / f"{name}.pkl")
        assert identify(renamed).variant == variant
        path = renamed
    assert identify(path).detail == "FLAME, version not known"
    folder = tmp_path / "FLAME2020"
    folder.mkdir()
    assert identify(path.rename(folder / "head.pkl")).variant == "2020"


def test_bodies_and_cut_heads_are_no_flame(tmp_path):
    hand = identify(toys.flame(tmp_path / "a.pkl", weights=np.zeros((778, 16))))
    assert hand.kind == "body"
    assert "This is a body or hand model, not “FLAME 2020”." in misfit(FLAME_2020, hand, tmp_path / "a.pkl")
    small = identify(toys.pickled(tmp_path / "b.pkl", toys.flame_arrays(300)))
    assert small.kind == "flame"
    assert "300 vertices; FLAME has 5023" in small.problem
    less = toys.flame_arrays()
    del less["posedirs"], less["f"]
    assert "lacks “f”, “posedirs”" in identify(toys.pickled(tmp_path / "c.pkl", less)).problem
    fewer = identify(toys.flame(tmp_path / "d.pkl", shapedirs=np.zeros((5023, 3, 10), np.int8)))
    assert "directions of shape and expression" in fewer.problem


def test_flames_pickle_of_python_2_is_looked_into_without_chumpy(shared):
    """Its arrays are chumpy's, its regressor SciPy's; it is a small one of the official format."""
    folder = shared / "parity" / "flame" / "small_assets"
    for name in ("generic_model.pkl", "generic_model.npz"):
        found = identify(folder / name)
        assert (found.kind, found.variant) == ("flame", "2020")
        assert "300 vertices" in found.problem
    assert identify(folder / "landmark_embedding.npy").kind == "flame_landmarks"
    assert identify(folder / "mediapipe_landmark_embedding.npz").kind == "flame_mediapipe"
    assert identify(folder / "flame_static_embedding.pkl").kind == "flame_landmarks_old"


def test_a_wrong_file_in_a_slot_is_called_what_it_is(tmp_path):
    files = toys.every_kind(tmp_path)
    found = identify(files["deca"])
    assert misfit(SMIRK, found, files["deca"]) == "This is DECA's checkpoint, not “SMIRK”."
    assert misfit(DECA, found, files["deca"]) == ""
    found = identify(files["arcface"])
    assert misfit(FFHQ_UV_TEXTURE, found, files["arcface"]).startswith("This is an ArcFace network")
    assert misfit(ARCFACE, found, files["arcface"]) == ""
    (tmp_path / "notes.txt").write_text("dear diary")
    unknown = identify(tmp_path / "notes.txt")
    assert misfit(FLAME_MASKS, unknown, tmp_path / "notes.txt").endswith("notes.txt is no model file that is known.")


def test_another_version_of_flame_and_the_other_lid_do_not_fit(tmp_path):
    path = toys.flame(tmp_path / "generic_model.pkl")
    assert misfit(FLAME_2023, identify(path), path) == "This is FLAME 2020, not FLAME 2023."
    assert misfit(FLAME_2020, identify(path), path) == ""
    np.save(tmp_path / "r_eyelid.npy", np.zeros((5023, 3)))
    lid = identify(tmp_path / "r_eyelid.npy")
    assert (
        misfit(FLAME_EYELID_LEFT, lid, tmp_path / "r_eyelid.npy")
        == "This is right eyelid of FLAME, not FLAME's Left Lid."
    )


def test_what_is_missing_in_a_checkpoint_is_named(tmp_path):
    partial = toys.deca()
    del partial["E_detail"]
    assert "lacks E_detail" in identify(toys.saved(tmp_path / "deca.tar", partial)).problem
    assert "3+4+6+3 blocks" in identify(toys.saved(tmp_path / "r.pth", toys.arcface((3, 4, 6, 3)))).problem


def test_arcfaces_depth_is_told(tmp_path):
    assert identify(toys.saved(tmp_path / "a", toys.arcface())).variant == "r50"
    assert identify(toys.saved(tmp_path / "b", toys.arcface((3, 13, 30, 3)))).variant == "r100"


def planted(folder, call, persistence):
    """A file of every format with a call in it, under names that a model would have."""
    calls = {"v_template": call, "E_flame": call}
    toys.saved(folder / "zip.pt", {"smirk_encoder.a": torch.zeros(2), "args": call})
    toys.saved(folder / "legacy.pt", calls, zipped=False)
    for protocol in range(6):
        toys.pickled(folder / f"{protocol}.pkl", calls, protocol)
    toys.pickled(folder / "network.pkl", {"G_ema": persistence("Generator", module({"w": call}))}, 4)
    np.save(folder / "object.npy", np.array(calls, object), allow_pickle=True)
    np.savez(folder / "object.npz", v_template=np.array(calls, object))
    return sorted(folder.iterdir())


def test_calls_are_refused_in_every_format_and_nothing_runs(tmp_path, payload, persistence):
    call, mark = payload
    folder = tmp_path / "planted"
    folder.mkdir()
    files = planted(folder, call, persistence)
    assert len(files) == 11
    for path in files:
        found = identify(path)
        assert not mark.exists()
        if path.suffix == ".npz":  # only its shapes are looked at
            assert found.kind == ""
        else:
            assert "asks for" in found.problem or "no pickle" in found.problem, path
            assert found.kind == ""


def sound_files(folder, persistence):
    """A small file of each format."""
    toys.saved(folder / "zip.pt", toys.smirk())
    toys.saved(folder / "legacy.pt", toys.smirk(), zipped=False)
    toys.pickled(folder / "masks.pkl", dict.fromkeys(("face", "scalp", "neck"), np.arange(30)))
    toys.pickled(folder / "net.pkl", {"G_ema": persistence("G", module({"w": torch.ones(3)}))}, 4)
    np.savez(folder / "skins.npz", MU=np.zeros(3), PC=np.zeros((3, 2)))
    np.save(folder / "points.npy", np.array({"lmk_face_idx": np.arange(3), "lmk_b_coords": 1}, object))
    torch.manual_seed(0)
    toys.save_file(toys.smirk(), folder / "smirk.safetensors")
    toys.landmarker(folder / "face.task")
    return sorted(folder.iterdir())


def test_half_a_download_is_no_model_and_says_so(tmp_path, persistence):
    for path in sound_files(tmp_path, persistence):
        data = path.read_bytes()
        for length in (0, 1, 9, len(data) // 3, len(data) // 2, len(data) - 20):
            path.write_bytes(data[:length])
            found = identify(path)
            assert found.kind == "", (path, length)
            if length > 60:
                assert str(path) in found.problem, (path, length)


def test_flipped_bits_never_raise(tmp_path, persistence):
    rng = np.random.default_rng(5)
    for path in sound_files(tmp_path, persistence):
        data = path.read_bytes()
        for place in rng.choice(len(data), 60):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            assert isinstance(identify(path), Identified)


def test_missing_unreadable_and_huge_files_are_named(tmp_path, monkeypatch):
    assert "cannot be read" in identify(tmp_path / "gone.pt").problem
    path = tmp_path / "huge.pt"
    with path.open("wb") as file:
        file.truncate(5 << 30)  # it takes no room
    assert "5 GB, more than any model" in identify(path).problem
    with path.open("wb") as file:
        file.write(b"\x80\x04")
        file.truncate(2 << 30)
    assert "more than any pickle" in identify(path).problem

    def refused(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refused)
    assert "Permission denied" in identify(path).problem


@contextlib.contextmanager
def bounded(memory, seconds):
    """What is done inside takes no more than so many bytes and seconds."""
    tracemalloc.start()
    start = time.process_time()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory
    assert time.process_time() - start < seconds


def test_pickle_bombs_are_refused_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.models.unpickle.MOST_STEPS", 50_000)
    bombs = {
        "lists": b"\x80\x04" + b"]" * 1_000_000,
        "frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"]" * 1_000_000,
        "memo": b"\x80\x04}r" + struct.pack("<I", 0xFFFFFFF0) + b"]" * 100_000,
    }
    for name, data in bombs.items():
        path = tmp_path / name
        path.write_bytes(data)
        with bounded(60 << 20, 20):
            found = identify(path)
        assert "more than 50,000 steps" in found.problem, name


def test_one_text_as_bytes_again_and_again_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.models.peek_pickle.MOST_BYTES", 1 << 20)
    text = b"X" + struct.pack("<I", 1 << 18) + b"a" * (1 << 18) + b"q\x00"
    again = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R"
    path = tmp_path / "bomb"
    path.write_bytes(b"\x80\x02](" + text + again * 100 + b"e.")
    with bounded(16 << 20, 20):
        assert "more bytes than it has" in identify(path).problem


def test_one_arrays_bytes_for_many_arrays_are_refused(tmp_path):
    """Each would be a copy when they are made."""
    state = (
        b"(K\x01M\x00\x04\x85cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87R\x89B\x00\x04\x00\x00" + bytes(1024) + b"t"
    )
    made = b"cnumpy.core.multiarray\n_reconstruct\n)R"
    path = tmp_path / "bomb"
    path.write_bytes(b"\x80\x04](" + made + state + b"q\x00b" + b"e.")
    assert identify(path) == Identified("")
    path.write_bytes(b"\x80\x04](" + made + state + b"q\x00b" + (made + b"h\x00b") * 100 + b"e.")
    assert "more arrays than it has bytes for" in identify(path).problem


def test_archives_that_are_mostly_a_list_are_refused(tmp_path):
    """Their members' list would fill memory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.npy", b"")
    data = bytearray(stream.getvalue())
    place = data.rfind(b"PK\x05\x06")
    data[place + 12 : place + 16] = struct.pack("<I", 1 << 30)
    path = tmp_path / "list.npz"
    path.write_bytes(data)
    assert "a list of members of 1073741824 bytes" in identify(path).problem
    path.write_bytes(bytes(data[:place]) + b"PK\x05\x06" + b"\0" * 10)
    assert "a list of members" in identify(path).problem


def test_compressed_bombs_are_not_unpacked(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 21,)})
    path = tmp_path / "skins.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("MU.npy", "PC.npy"):
            archive.writestr(name, header.getvalue() + bytes(1 << 24))
    with bounded(8 << 20, 10):
        assert identify(path).kind == "flame_albedo"


def test_headers_that_lie_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    for header in ({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}, {"a": 3}, [1]):
        text = json.dumps(header).encode().ljust(64)
        path.write_bytes(struct.pack("<Q", len(text)) + text)
        assert str(path) in identify(path).problem or identify(path) == Identified("")
    path.write_bytes(struct.pack("<Q", (1 << 40) - 1) + b"{")
    assert "header" in identify(path).problem


def test_arrays_that_do_not_fit_their_bytes_are_refused(tmp_path):
    data = pickle.dumps({"v_template": np.zeros(7, np.int8)}, 2)
    path = tmp_path / "a.pkl"
    path.write_bytes(data.replace(b"K\x07\x85", b"K\x08\x85"))
    assert "does not fit its data" in identify(path).problem
