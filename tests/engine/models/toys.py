"""Small files with the names and shapes of the real ones, so that they are told apart as those are."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

VERTICES = 5023


def flame_arrays(vertices=VERTICES, joints=5, columns=400):
    """FLAME's arrays; the large ones of single bytes."""
    return {
        "f": np.zeros((9976, 3), np.uint32),
        "J_regressor": np.full((joints, vertices), 0.5),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "J": np.zeros((joints, 3)),
        "bs_style": "lbs",
        "weights": np.zeros((vertices, joints)),
        "posedirs": np.zeros((vertices, 3, 36), np.int8),
        "v_template": np.arange(vertices * 3, dtype=np.float64).reshape(-1, 3),
        "shapedirs": np.zeros((vertices, 3, columns), np.int8),
    }


def pickled(path: Path, thing, protocol=2) -> Path:
    """A pickle."""
    path.write_bytes(pickle.dumps(thing, protocol))
    return path


def flame(path: Path, **changes) -> Path:
    """FLAME's pickle."""
    return pickled(path, {**flame_arrays(), **changes})


def saved(path: Path, thing, zipped=True) -> Path:
    """A file of `torch.save`."""
    torch.save(thing, path, _use_new_zipfile_serialization=zipped)
    return path


def tensors(*names):
    """A few numbers under each name."""
    return {name: torch.arange(4.0) + index for index, name in enumerate(names)}


def smirk():
    """SMIRK's checkpoint."""
    return tensors("smirk_encoder.pose_encoder.encoder.conv_stem.weight", "smirk_generator.conv.weight")


def deca():
    """DECA's model with its optimiser."""
    return {
        "E_flame": tensors("encoder.conv1.weight", "layers.0.weight"),
        "E_detail": tensors("encoder.conv1.weight"),
        "D_detail": tensors("l1.0.weight"),
        "opt": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1e-4}]},
    }


def deep3d():
    """Deep3D's checkpoint."""
    return {"net_recon": tensors("backbone.conv1.weight", "final_layers.0.weight"), "opt_00": {"state": {}}}


def arcface(blocks=(3, 4, 14, 3)):
    """ArcFace's names."""
    layers = [f"layer{k + 1}.{n}.prelu.weight" for k, count in enumerate(blocks) for n in range(count)]
    return tensors("conv1.weight", *layers, "fc.weight", "features.weight")


def stylegan2():
    """FFHQ-UV's generator."""
    return tensors("mapping.fc0.weight", "synthesis.b4.const", "synthesis.b1024.conv1.weight")


def dpt(width=1024):
    """DPT-Large's names."""
    return {"pretrained.model.cls_token": torch.zeros(1, 1, width), **tensors("scratch.refinenet1.out_conv.weight")}


def landmarker(path: Path) -> Path:
    """MediaPipe's archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("face_detector.tflite", "face_landmarks_detector.tflite", "face_blendshapes.tflite"):
            archive.writestr(name, b"network")
    return path


def facekit(folder: Path) -> Path:
    """ICT-FaceKit's folder."""
    folder.mkdir(parents=True)
    for name in ("generic_neutral_mesh.obj", "identity000.obj"):
        (folder / name).write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (folder / "vertex_indices.json").write_text(json.dumps({"expressions": []}))
    return folder


def template(path: Path, vertices=VERTICES) -> Path:
    """FLAME's texture layout."""
    lines = ["mtllib head.mtl", *["v 0 0 0"] * vertices, *["vt 0 0"] * 5118, "f 1/1 2/2 3/3"]
    path.write_text("\n".join(lines) + "\n")
    return path


def every_kind(folder: Path) -> dict[str, Path]:
    """A file of each kind under a name that tells nothing, by what `identify` should say."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "a.bin.npz", lmk_face_idx=np.zeros(105), lmk_b_coords=np.zeros(3), landmark_indices=np.zeros(105))
    np.savez_compressed(folder / "b.bin.npz", mean=np.zeros(3), tex_dir=np.zeros((3, 2)))
    np.savez(folder / "c.bin.npz", MU=np.zeros(3), PC=np.zeros((3, 2)), specMU=np.zeros(3))
    np.save(folder / "lid.npy", np.zeros((VERTICES, 3)))
    names = ("static_lmk_faces_idx", "dynamic_lmk_faces_idx", "full_lmk_faces_idx")
    np.save(folder / "points.npy", np.array({name: torch.zeros(2) for name in names}, object), allow_pickle=True)
    masks = dict.fromkeys(("face", "scalp", "neck", "nose"), np.arange(4))
    save_file(smirk(), folder / "s.bin")
    for name, header in (("own", "{}"), ("parts", '{"network": "parts"}'), ("latents", '{"network": "latents"}')):
        save_arrays({"v": np.zeros(3, np.float32)}, folder / f"{name}.bin", {"likeness": header})
    return {
        "flame": flame(folder / "1.bin"),
        "flame_landmarks": folder / "points.npy",
        "flame_mediapipe": folder / "a.bin.npz",
        "flame_masks": pickled(folder / "2.bin", masks),
        "flame_template": template(folder / "3.bin"),
        "eyelid": folder / "lid.npy",
        "flame_texture": folder / "b.bin.npz",
        "flame_albedo": folder / "c.bin.npz",
        "ict_facekit": facekit(folder / "kit"),
        "smirk": folder / "s.bin",
        "deca": saved(folder / "4.bin", deca(), zipped=False),
        "deep3d": saved(folder / "5.bin", deep3d()),
        "arcface": saved(folder / "6.bin", arcface()),
        "stylegan2_weights": saved(folder / "7.bin", stylegan2()),
        "stylegan2_rosinality": saved(folder / "8.bin", {"g_ema": tensors("style.1.weight", "input.input")}),
        "w_statistics": saved(folder / "9.bin", {"w_avg": torch.zeros(4), "w_std": torch.ones(4)}),
        "dpt_large": saved(folder / "10.bin", dpt()),
        "dpt_other": saved(folder / "11.bin", dpt(768)),
        "face_landmarker": landmarker(folder / "12.bin"),
        "likeness": folder / "own.bin",
        "parts": folder / "parts.bin",
        "eg3d_latents": folder / "latents.bin",
        "vgg16": saved(folder / "14.bin", tensors("features.0.weight", "features.28.weight", "classifier.0.weight")),
        "lpips": saved(folder / "15.bin", tensors("lin0.model.1.weight", "lin4.model.1.weight")),
        "smirk_translator": saved(folder / "13.bin", tensors("smirk_generator.conv.weight")),
    }


def bytes_of(thing) -> bytes:
    """A file of `torch.save` as bytes."""
    stream = io.BytesIO()
    torch.save(thing, stream)
    return stream.getvalue()
