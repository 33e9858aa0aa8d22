"""The finished reconstruction: what crosses from the engine to Blender, to disk and to other programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .errors import OutputError
from .hair.shell import HairShell

if TYPE_CHECKING:
    from .texture.detail import DetailMaps
    from .texture.materials import MaterialMaps

ARRAYS = (
    "vertices", "posed_vertices", "faces", "polygons", "uv", "uv_faces", "uv_polygons", "polygon_materials",
    "face_region", "expression", "expression_basis", "identity", "identity_basis", "joints", "joint_parents",
    "skin_weights", "landmarks_2d", "landmarks_model_2d", "illumination", "skin_color", "hair_color",
)  # fmt: skip
HAIR_ARRAYS = ("vertices", "close", "faces", "uv", "uv_faces", "anchors", "anchor_weights")
"""Of `HairShell`, kept with the prefix `hair_`; its picture is a file of its own."""
OWN_ARRAYS = ("shapes", "expressions", "correctives")
"""Of `OwnKeys`, kept with the prefix `own_`."""
NAMES = ("expression_names", "joint_names", "material_names")


@dataclass(frozen=True)
class OwnKeys:
    """A research model's own parameters (FLAME's), beside the 52 units that all heads have. Metres.

    Attributes:
        shapes: (I,V,3) float16, displacement of one standard deviation of each of the first identity components.
        expressions: (E,V,3) float16, the same of the model's own expression components.
        correctives: (9(J-1),V,3) float16, what is added for each entry of the rotation matrices of all joints but the
            root, less the identity's (Li et al. 2017, equation 4).
    """

    shapes: NDArray[np.float16]
    expressions: NDArray[np.float16]
    correctives: NDArray[np.float16]


@dataclass(frozen=True)
class Reconstruction:
    """One person's head, in the engine's space (metres, Y up, face to +Z). Loads without torch and without Blender.

    Attributes:
        name: of the person's file, without extension.
        vertices: (V,3) float32 neutral.
        posed_vertices: (V,3) float32 with the fitted expression, without head rotation.
        faces, polygons, uv, uv_faces, uv_polygons, polygon_materials: as in `HeadModel`.
        face_region: (V,) bool, forehead to chin, ear to ear, without ears, eyeballs and mouth interior.
        expression: (E,) float32 weights; expression_names: (E,).
        expression_basis: (E,V,3) float16 displacements at weight 1, metres.
        identity: (K,) float32 standard deviations.
        identity_basis: (I,V,3) float16, the first I components for identity keys (one standard deviation each).
        joints: (J,3) float32; joint_names, joint_parents: (J,).
        skin_weights: (V,J) float32.
        landmarks_2d, landmarks_model_2d: (478,2) float32 pixels, seen and reprojected.
        illumination: (9,3); skin_color, hair_color: (3,), see `TextureResult`.
        camera: of the photo.
        report: JSON-ready facts: seconds, device, versions, warnings, provenance, errors.
        albedo, confidence: (S,S,3) and (S,S) uint8, row 0 on top.
        hair: an object of its own over the neutral head, or None for a bald one.
        photo_view: (H,W,4) uint8 or None, the head rendered from the photo's camera.
        detail, materials: relief and gloss of the skin, or None; files only, `load` leaves them on disk.
        own: the head model's own parameters where it has such, or None.
    """

    name: str
    vertices: NDArray[np.float32]
    posed_vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    polygons: NDArray[np.int32]
    uv: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    uv_polygons: NDArray[np.int32]
    polygon_materials: NDArray[np.int32]
    material_names: tuple[str, ...]
    face_region: NDArray[np.bool_]
    expression: NDArray[np.float32]
    expression_names: tuple[str, ...]
    expression_basis: NDArray[np.float16]
    identity: NDArray[np.float32]
    identity_basis: NDArray[np.float16]
    joints: NDArray[np.float32]
    joint_names: tuple[str, ...]
    joint_parents: NDArray[np.int32]
    skin_weights: NDArray[np.float32]
    landmarks_2d: NDArray[np.float32]
    landmarks_model_2d: NDArray[np.float32]
    illumination: NDArray[np.float32]
    skin_color: NDArray[np.float32]
    hair_color: NDArray[np.float32]
    camera: Camera
    albedo: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    hair: HairShell | None = None
    photo_view: NDArray[np.uint8] | None = None
    detail: DetailMaps | None = None
    materials: MaterialMaps | None = None
    own: OwnKeys | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write head.npz, report.json and the pictures (albedo, confidence, hair, photo_view, maps) into `folder`.

        Raises:
            OutputError: the folder cannot be written.
        """
        from .media.write import write_png

        try:
            folder.mkdir(parents=True, exist_ok=True)
            arrays: dict[str, Any] = {name: getattr(self, name) for name in ARRAYS}
            arrays |= {name: np.array(getattr(self, name)) for name in NAMES}
            if self.hair is not None:
                arrays |= {f"hair_{name}": getattr(self.hair, name) for name in HAIR_ARRAYS}
            if self.own is not None:
                arrays |= {f"own_{name}": getattr(self.own, name) for name in OWN_ARRAYS}
            np.savez_compressed(folder / "head.npz", **arrays)
            report = self.report | {
                "name": self.name,
                "K": self.camera.K.tolist(),
                "world_to_camera": self.camera.world_to_camera.tolist(),
                "image_size": [self.camera.width, self.camera.height],
            }
            (folder / "report.json").write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"Cannot write the result to {folder}: {error.strerror or error}.",
                "Choose a folder you can write to, with free space.",
            ) from error
        write_png(folder / "albedo.png", self.albedo)
        write_png(folder / "confidence.png", self.confidence)
        if self.hair is not None:
            write_png(folder / "hair.png", self.hair.albedo)
        if self.photo_view is not None:
            write_png(folder / "photo_view.png", self.photo_view)
        if self.detail is not None and self.materials is not None:
            from .texture.detail_files import save_maps

            save_maps(folder, self.detail, self.materials)

    @classmethod
    def load(cls, folder: Path, pictures: bool = True) -> Reconstruction:
        """Read what `save` wrote. With `pictures` False the PNGs stay on disk (Blender loads them itself)."""
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            values: dict[str, Any] = {name: arrays[name] for name in ARRAYS}
            values |= {name: tuple(str(item) for item in arrays[name]) for name in NAMES}
            kept = {name: arrays[f"hair_{name}"] for name in HAIR_ARRAYS if f"hair_{name}" in arrays}
            own = {name: arrays[f"own_{name}"] for name in OWN_ARRAYS if f"own_{name}" in arrays}
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        width, height = report["image_size"]
        camera = Camera(np.array(report["K"]), np.array(report["world_to_camera"]), width, height)
        empty = np.zeros((0, 0), np.uint8)
        values |= {"albedo": empty, "confidence": empty}
        hair_albedo = empty
        if pictures:
            from .media.read import read_png

            values |= {name: read_png(folder / f"{name}.png") for name in ("albedo", "confidence")}
            hair_albedo = read_png(folder / "hair.png") if kept else empty
        if kept:
            values["hair"] = HairShell(**kept, albedo=hair_albedo)
        if own:
            values["own"] = OwnKeys(**own)
        return cls(name=report["name"], camera=camera, report=report, **values)
