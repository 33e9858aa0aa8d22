"""The model files the engine knows: what each is for, whose it is, and whether it is there. Imports nothing heavy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError

REINSTALL = "Install the add-on again."


@dataclass(frozen=True)
class ModelFile:
    """One model.

    Attributes:
        title: what the user calls it.
        purpose: what it is for, in a few words.
        licence: of the file.
        source: page where its owner hands it out; empty for a bundled one.
        files: names looked for, the first found wins.
        bundled: folder inside the extension that holds it; None for the user's own file in the model folder.
        sha256: of a bundled file, hexadecimal; empty where it is not recorded.
    """

    title: str
    purpose: str
    licence: str
    source: str
    files: tuple[str, ...]
    bundled: Path | None = None
    sha256: str = ""

    def find(self, model_folder: Path | None) -> Path | None:
        """The file, or None where it is missing."""
        folder = self.bundled or model_folder
        if folder is None:
            return None
        return next((folder / name for name in self.files if (folder / name).is_file()), None)

    def require(self, model_folder: Path | None = None) -> Path:
        """The file.

        Raises:
            ModelFileError: it is missing.
        """
        found = self.find(model_folder)
        if found is None:
            place = self.bundled or model_folder or "the model folder, which is not set"
            cure = f"Get it from {self.source} and put it there." if self.source else REINSTALL
            raise ModelFileError(f"The model “{self.title}” ({' or '.join(self.files)}) is not in {place}.", cure)
        return found

    def check(self, path: Path) -> None:
        """Verify that a file is the one that was published, where its hash is recorded.

        Raises:
            ModelFileError: it is another or damaged, or cannot be read.
        """
        if not self.sha256:
            return
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelFileError(f"The model file {path} cannot be read ({error}).", REINSTALL) from error
        if found != self.sha256:
            raise ModelFileError(
                f"The model file {path} is damaged: its SHA-256 is {found}, not {self.sha256}.", REINSTALL
            )


OPEN_HEAD = ModelFile(
    title="Open Head",
    purpose="The default head model",
    licence="CC0-1.0",
    source="",
    files=("open_head.safetensors",),
    bundled=Path(__file__).parents[1] / "heads" / "data",
)
FACE_LANDMARKER = ModelFile(
    title="Face Landmarker",
    purpose="Finds the face where the engine has MediaPipe 1.0 or newer",
    licence="Apache-2.0",
    source="https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker",
    files=("face_landmarker.task",),
)
PARTS_NETWORK = ModelFile(
    title="Parts and Depth",
    purpose="Sees hair, skin, eyes and how deep they lie",
    licence="GPL-3.0-or-later",
    source="",
    files=("parts.safetensors",),
    bundled=Path(__file__).parents[1] / "perception" / "networks" / "data",
    sha256="25d59d189250f888833c0290e703777d997a4dd381cc0eda7902ba59fad563ec",
)
POINTS_NETWORK = ModelFile(
    title="Dense Points",
    purpose="Sees hundreds of points of the head's surface",
    licence="GPL-3.0-or-later, its beginnings Apache-2.0",
    source="",
    files=("points.safetensors",),
    bundled=Path(__file__).parents[1] / "perception" / "networks" / "data",
    sha256="911a1ef7c9610792f354f558bb49082a41dbb844be76aa9c500549c8353d6df3",
)
FACE_RECOGNITION = ModelFile(
    title="Face Recognition",
    purpose="Tells people apart, and judges likeness",
    licence="MIT",
    source="",
    files=("face_recognition_model.bin",),
    bundled=Path(__file__).parents[1] / "recognition" / "data",
    sha256="b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
)
ARCFACE = ModelFile(
    title="ArcFace",
    purpose="Judges likeness more finely than the bundled network",
    licence="MIT for code, weights for research only",
    source="https://github.com/deepinsight/insightface/tree/master/recognition/arcface_torch",
    files=(
        "arcface_r100.safetensors",
        "arcface_r100.pth",
        "arcface_r50.safetensors",
        "arcface_r50.pth",
        "backbone.pth",
    ),
)
TEXTURE_BASIS = ModelFile(
    title="Linear Skins",
    purpose="What colours skin can have",
    licence="CC0-1.0",
    source="",
    files=("texture_basis.safetensors",),
    bundled=Path(__file__).parents[1] / "texture" / "data",
    sha256="6eb76f6a9a45924135af9f82c63f0066466bbd856ab8fe33307773754761b3bf",
)
TEXTURE_GENERATOR = ModelFile(
    title="Small Texture Generator",
    purpose="Paints skin, for the texture “GANFit”",
    licence="CC0-1.0",
    source="",
    files=("texture_generator.safetensors",),
    bundled=Path(__file__).parents[1] / "texture" / "data",
    sha256="3eef74cf52a25aa6bc3f39cea0276f48bc96f665cba44b736ffa3e594647dedf",
)
REGRESSOR = ModelFile(
    title="Regressor",
    purpose="Gives a first head in one pass",
    licence="GPL-3.0-or-later",
    source="",
    files=("regressor.safetensors",),
    bundled=Path(__file__).parents[1] / "regressors" / "data",
    sha256="a0b34e55561b9a5adbb6bac5b14ed311b49080999a497b04bbab941d45f392c9",
)
FFHQ_UV_TEXTURE = ModelFile(
    title="FFHQ-UV Texture Generator",
    purpose="Skin by a large generator, for the texture “GANFit”",
    licence="FFHQ-UV's own, non-commercial",
    source="https://github.com/csbhr/FFHQ-UV",
    files=("texgan_ffhq_uv.pth",),
)
MODELS = (
    OPEN_HEAD,
    POINTS_NETWORK,
    PARTS_NETWORK,
    FACE_RECOGNITION,
    TEXTURE_BASIS,
    TEXTURE_GENERATOR,
    REGRESSOR,
    FACE_LANDMARKER,
    ARCFACE,
    FFHQ_UV_TEXTURE,
)
