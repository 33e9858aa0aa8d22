"""What a file is, told by what it holds and not by its name; and whether it fits where it is to be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .model_file import ModelFile
from .peek import Contents, Declared, flat_names, peek

TITLES = {
    "flame": "a FLAME head model",
    "body": "a body or hand model",
    "flame_landmarks": "FLAME's landmarks",
    "flame_landmarks_old": "one of FLAME's older landmark files",
    "flame_mediapipe": "FLAME's MediaPipe points",
    "flame_masks": "FLAME's regions",
    "flame_template": "FLAME's texture layout",
    "eyelid": "an eyelid of FLAME",
    "flame_texture": "FLAME's skins",
    "flame_albedo": "the Basel face's skins in FLAME's layout",
    "ict_facekit": "ICT-FaceKit",
    "smirk": "SMIRK's checkpoint",
    "smirk_translator": "SMIRK's translator without its encoder",
    "emoca": "EMOCA's checkpoint",
    "deca": "DECA's checkpoint",
    "deep3d": "a Deep3D checkpoint",
    "mica": "MICA's checkpoint",
    "arcface": "an ArcFace network",
    "stylegan2_weights": "a StyleGAN2 generator's plain weights",
    "stylegan2_pickle": "a StyleGAN2-ADA pickle",
    "stylegan2_rosinality": "a checkpoint of rosinality's StyleGAN2",
    "w_statistics": "a generator's statistics",
    "progressive": "a progressive GAN",
    "eg3d": "an EG3D generator",
    "eg3d_latents": "a regressor of EG3D's latents",
    "vgg16": "VGG16",
    "lpips": "LPIPS's weights of channels",
    "parts": "a parts network",
    "dpt_large": "MiDaS's DPT-Large",
    "dpt_other": "another of MiDaS's networks than DPT-Large",
    "attention_unet": "an Attention U-Net",
    "face_landmarker": "MediaPipe's Face Landmarker",
    "mobilenet": "a bare MobileNet",
    "resnet": "a bare ResNet",
    "likeness": "one of the engine's own files",
}
"""Kinds of content, in words that follow “This is”."""
TRAINED = {"latents": "eg3d_latents", "parts": "parts"}
"""Networks of the engine's own kinds that users may train themselves, by their name in the file's header."""
VERTICES, JOINTS, COLUMNS = 5023, 5, 400
"""Of FLAME, formats of all its versions: vertices, joints, directions of shape and expression."""
NAMED = 5
VERSIONS = (
    ("2023_open", "2023_open"), ("2023open", "2023_open"), ("2023_no_jaw", "2023_no_jaw"), ("2023", "2023"),
    ("2020", "2020"), ("generic_model", "2020"),
)  # fmt: skip
"""What a name tells of FLAME's version: part of the file's or its folder's name, and the variant. The first that fits.
Nothing in the arrays tells it."""


@dataclass(frozen=True)
class Identified:
    """What a file is.

    Attributes:
        kind: one of `TITLES`, or empty where it is none of them.
        variant: "2020", "2023", "2023_no_jaw", "2023_open" of FLAME; "left", "right" of an eyelid; "r50", "r100" of
            ArcFace; empty where neither content nor name tells.
        detail: what it is in a few words, for the user.
        problem: why it cannot be used, for the user; empty where nothing is wrong.
    """

    kind: str
    variant: str = ""
    detail: str = ""
    problem: str = ""


def identify(path: Path) -> Identified:
    """Look into a file or folder. Nothing in it is run; time and memory are bounded. Never raises for a bad file."""
    try:
        if path.is_dir():
            return _folder(path)
        return _recognised(peek(path), path)
    except ModelFileError as error:
        return Identified("", "", "", error.message)
    except OSError as error:
        return Identified("", "", "", f"The file {path} cannot be read ({error.strerror or error}).")


def misfit(model: ModelFile, found: Identified, path: Path) -> str:
    """Why a file cannot be used as a model, as a sentence; empty where it can.

    Args:
        found: by `identify`. path: for its name, which tells variants.
    """
    if found.problem:
        return found.problem
    if not found.kind:
        return f"This is not {_called(model)}: {path.name} is no model file that is known."
    if found.kind not in model.kinds:
        return f"This is {TITLES[found.kind]}, not {_called(model)}."
    if model.variant and found.variant and found.variant != model.variant:
        return f"This is {found.detail}, not {model.title}."
    return ""


def _called(model: ModelFile) -> str:
    return f"“{model.title}”"


def _folder(path: Path) -> Identified:
    """ICT-FaceKit, as its repository or its folder FaceXModel alone."""
    for folder in (path, path / "FaceXModel"):
        if (folder / "generic_neutral_mesh.obj").is_file():
            if (folder / "vertex_indices.json").is_file() and (folder / "identity000.obj").is_file():
                return Identified("ict_facekit", "", "ICT-FaceKit")
            return Identified("ict_facekit", "", "ICT-FaceKit", f"The folder {folder} lacks files of ICT-FaceKit.")
    return Identified("")


def _recognised(contents: Contents, path: Path) -> Identified:
    """The first rule that fits."""
    kind = contents.metadata.get("likeness_model", "")
    if kind in TITLES:  # converted here: its own header tells
        found = Identified(kind, contents.metadata.get("version", ""))
    elif "likeness" in contents.metadata:
        kind = TRAINED.get(_network_of(contents.metadata["likeness"]), "likeness")
        return Identified(kind, "", TITLES[kind])
    else:
        names = flat_names(contents.entries)
        kind = next((kind for kind, fits in RULES if fits(contents, names)), "")
        found = Identified(kind)
    describe = DESCRIBED.get(found.kind)
    if describe is not None:
        return describe(contents, found.variant, path)
    return Identified(found.kind, found.variant, TITLES.get(found.kind, ""))


def _network_of(header: str) -> str:
    """The name in a header that the engine's training wrote; empty where it tells none."""
    try:
        described = json.loads(header)
    except ValueError:
        return ""
    return str(described.get("network", "")) if isinstance(described, dict) else ""


def _starts(*starts: str) -> Callable[[Contents, Mapping[str, Any]], bool]:
    """Fits where some name begins so."""
    return lambda contents, names: any(name.startswith(starts) for name in names)


def _has(*keys: str, form: str = "") -> Callable[[Contents, Mapping[str, Any]], bool]:
    """Fits where all entries are there."""

    def fits(contents: Contents, names: Mapping[str, Any]) -> bool:
        return form in ("", contents.form) and all(key in contents.entries for key in keys)

    return fits


def _within(form: str, *parts: str) -> Callable[[Contents, Mapping[str, Any]], bool]:
    """Fits where a form has a name for each part that contains it."""
    return lambda contents, names: contents.form == form and all(any(part in n for n in names) for part in parts)


def _array(contents: Contents, name: str) -> tuple[int, ...]:
    found = contents.entries.get(name)
    return found.shape if isinstance(found, Declared) else ()


def _is_eyelid(contents: Contents, names: Mapping[str, Any]) -> bool:
    found = contents.entries.get("")
    shape = tuple(side for side in found.shape if side != 1) if isinstance(found, Declared) else ()
    return contents.form == "npy" and shape == (VERTICES, 3)


def _is_template(contents: Contents, names: Mapping[str, Any]) -> bool:
    return contents.form == "obj" and contents.entries["v"] == VERTICES and contents.entries["vt"] > 0


def _is_pickled_generator(contents: Contents, names: Mapping[str, Any]) -> bool:
    return contents.form == "pickle" and any(".tensors.mapping." in f".{name}" for name in names)


def _is_dpt_large(contents: Contents, names: Mapping[str, Any]) -> bool:
    class_token = next((value for name, value in names.items() if name.endswith("pretrained.model.cls_token")), None)
    hybrid = any("patch_embed.backbone" in name for name in names)
    return isinstance(class_token, Declared) and class_token.shape[-1:] == (1024,) and not hybrid


def _is_arcface(contents: Contents, names: Mapping[str, Any]) -> bool:
    return any(n.removeprefix("module.").startswith("layer1.0.prelu.") for n in names) and any(
        n.removeprefix("module.").startswith("features.") for n in names
    )


RULES: tuple[tuple[str, Callable[[Contents, Mapping[str, Any]], bool]], ...] = (
    ("smirk", _starts("smirk_encoder.")),
    ("smirk_translator", _starts("smirk_generator.")),
    ("emoca", _starts("deca.E_flame.", "state_dict.deca.E_flame.", "E_expression.")),
    ("deca", _starts("E_flame.")),
    ("deca", _starts("E_detail.", "D_detail.")),
    ("mica", _starts("flameModel.", "arcface.")),
    ("deep3d", _starts("net_recon.", "backbone.conv1.", "final_layers.0.")),
    ("flame", _has("v_template", "shapedirs", "weights")),
    ("flame_landmarks", _has("static_lmk_faces_idx", "dynamic_lmk_faces_idx", "full_lmk_faces_idx")),
    ("flame_mediapipe", _has("lmk_face_idx", "lmk_b_coords", "landmark_indices")),
    ("flame_landmarks_old", _has("lmk_face_idx", "lmk_b_coords")),
    ("flame_masks", _has("face", "scalp", "neck", form="pickle")),
    ("flame_template", _is_template),
    ("eyelid", _is_eyelid),
    ("flame_texture", _has("mean", "tex_dir")),
    ("flame_albedo", _has("MU", "PC")),
    ("w_statistics", _has("w_avg", "w_std")),
    ("eg3d", _starts("G_ema.tensors.backbone.synthesis.", "backbone.synthesis.")),
    ("stylegan2_pickle", _is_pickled_generator),
    ("stylegan2_weights", _starts("mapping.fc0.", "G_ema.mapping.fc0.", "g_ema.mapping.fc0.")),
    ("stylegan2_rosinality", _starts("style.1.", "g_ema.style.1.")),
    ("progressive", lambda contents, names: any("formatLayer.module." in name for name in names)),
    ("dpt_large", _is_dpt_large),
    ("dpt_other", _starts("pretrained.model.", "scratch.refinenet", "model.pretrained.")),
    ("attention_unet", _starts("Conv1.conv.0.", "Att5.")),
    ("arcface", _is_arcface),
    ("vgg16", _starts("features.28.")),
    ("lpips", _starts("lin4.model.")),
    ("face_landmarker", _within("zip", "landmarks_detector.tflite")),
    ("mobilenet", _starts("conv_stem.")),
    ("resnet", _starts("layer1.0.conv1.", "module.layer1.0.conv1.")),
)
"""Kinds with what tells them, the first that fits wins."""


def _flame(contents: Contents, variant: str, path: Path) -> Identified:
    vertices, joints = _array(contents, "v_template")[:1], _array(contents, "weights")[1:]
    shapes = _array(contents, "shapedirs")
    variant = variant or _version(path)
    title = f"FLAME {variant.replace('_', ' ')}".replace("open", "Open") if variant else "FLAME, version not known"
    if joints != (JOINTS,):
        body = f"a model with {joints[0] if joints else 'no'} joints, not FLAME's {JOINTS}"
        return Identified("body", "", body)
    if vertices != (VERTICES,):
        return Identified(
            "flame",
            variant,
            title,
            f"The file {path} has {vertices[0] if vertices else 0} vertices; FLAME has {VERTICES}.",
        )
    needed = ("f", "J_regressor", "kintree_table", "posedirs")
    missing = [name for name in needed if name not in contents.entries]
    if missing or shapes[:2] != (VERTICES, 3):
        what = ", ".join(f"“{name}”" for name in missing[:NAMED]) or "shape directions that fit"
        return Identified("flame", variant, title, f"The file {path} is FLAME's, but lacks {what}.")
    if shapes[2:] != (COLUMNS,):
        return Identified(
            "flame",
            variant,
            title,
            f"The file {path} has {shapes[2:]} directions of shape and expression; FLAME has {COLUMNS}.",
        )
    return Identified("flame", variant, title)


def _version(path: Path) -> str:
    for name in (path.stem.lower(), path.parent.name.lower()):
        for part, variant in VERSIONS:
            if part in name:
                return variant
    return ""


def _eyelid(contents: Contents, variant: str, path: Path) -> Identified:
    name = path.stem.lower()
    side = variant or (
        "left" if name.startswith(("l_", "left")) else "right" if name.startswith(("r_", "right")) else ""
    )
    return Identified("eyelid", side, f"{side} eyelid of FLAME".strip())


def _arcface(contents: Contents, variant: str, path: Path) -> Identified:
    names = {name.removeprefix("module.") for name in contents.entries}
    blocks = [len({n.split(".")[1] for n in names if n.startswith(f"layer{k}.")}) for k in range(1, 5)]
    known = {"3+4+14+3": "r50", "3+13+30+3": "r100"}
    name = known.get(plan := "+".join(map(str, blocks)), "")
    problem = "" if name else f"The file {path} is an ArcFace of {plan} blocks; only r50 and r100 are read."
    return Identified("arcface", name, f"ArcFace {name}".strip(), problem)


def _deca(contents: Contents, variant: str, path: Path) -> Identified:
    names = flat_names(contents.entries)
    parts = ("E_flame", "E_detail", "D_detail")
    missing = [part for part in parts if not any(name.startswith(f"{part}.") for name in names)]
    if missing:
        return Identified("deca", "", "DECA", f"The file {path} is DECA's, but lacks {', '.join(missing)}.")
    return Identified("deca", "", "DECA")


def _masks(contents: Contents, variant: str, path: Path) -> Identified:
    return Identified("flame_masks", "", f"{len(contents.entries)} regions of FLAME")


def _generator(kind: str) -> Callable[[Contents, str, Path], Identified]:
    def describe(contents: Contents, variant: str, path: Path) -> Identified:
        names = flat_names(contents.entries)
        sides = [int(n.split("synthesis.b")[1].split(".")[0]) for n in names if _block(n)]
        return Identified(kind, "", f"StyleGAN2 of {max(sides)} pixels" if sides else TITLES[kind])

    return describe


def _block(name: str) -> bool:
    return name.partition("synthesis.b")[2].partition(".")[0].isdecimal()


DESCRIBED: dict[str, Callable[[Contents, str, Path], Identified]] = {
    "flame": _flame,
    "eyelid": _eyelid,
    "arcface": _arcface,
    "deca": _deca,
    "flame_masks": _masks,
    "stylegan2_weights": _generator("stylegan2_weights"),
    "stylegan2_pickle": _generator("stylegan2_pickle"),
}
"""Kinds of which more is told than the title."""
