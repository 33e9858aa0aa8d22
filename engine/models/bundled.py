"""The model files that come with the program. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from .model_file import ModelFile

ENGINE = Path(__file__).parents[1]

OPEN_HEAD = ModelFile(
    title="Open Head",
    purpose="The default head model",
    licence="CC0-1.0",
    source="",
    files=("open_head.safetensors",),
    bundled=ENGINE / "heads" / "data",
    used_by="every reconstruction with the open head",
)
PARTS_NETWORK = ModelFile(
    title="Parts and Depth",
    purpose="Sees hair, skin, eyes and how deep they lie",
    licence="GPL-3.0-or-later",
    source="",
    files=("parts.safetensors",),
    bundled=ENGINE / "perception" / "networks" / "data",
    sha256="25d59d189250f888833c0290e703777d997a4dd381cc0eda7902ba59fad563ec",
    used_by="every reconstruction",
)
POINTS_NETWORK = ModelFile(
    title="Dense Points",
    purpose="Sees hundreds of points of the head's surface",
    licence="GPL-3.0-or-later, its beginnings Apache-2.0",
    source="",
    files=("points.safetensors",),
    bundled=ENGINE / "perception" / "networks" / "data",
    sha256="118ec336408648b1d36c1b142218a0703a9320e2d2547ca10fdc0304e3e7805e",
    used_by="the fit to dense points",
)
FACE_RECOGNITION = ModelFile(
    title="Face Recognition",
    purpose="Tells people apart, and judges likeness",
    licence="MIT",
    source="",
    files=("face_recognition_model.bin",),
    bundled=ENGINE / "recognition" / "data",
    sha256="b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589",
    used_by="several photos, and the textures GANFit and Linear",
)
TEXTURE_BASIS = ModelFile(
    title="Linear Skins",
    purpose="What colours skin can have",
    licence="CC0-1.0",
    source="",
    files=("texture_basis.safetensors",),
    bundled=ENGINE / "texture" / "data",
    sha256="6eb76f6a9a45924135af9f82c63f0066466bbd856ab8fe33307773754761b3bf",
    used_by="the texture Linear",
)
TEXTURE_GENERATOR = ModelFile(
    title="Small Texture Generator",
    purpose="Paints skin, for the texture “GANFit”",
    licence="CC0-1.0",
    source="",
    files=("texture_generator.safetensors",),
    bundled=ENGINE / "texture" / "data",
    sha256="3eef74cf52a25aa6bc3f39cea0276f48bc96f665cba44b736ffa3e594647dedf",
    used_by="the texture GANFit",
)
REGRESSOR = ModelFile(
    title="Regressor",
    purpose="Gives a first head in one pass",
    licence="GPL-3.0-or-later",
    source="",
    files=("regressor.safetensors",),
    bundled=ENGINE / "regressors" / "data",
    sha256="a0b34e55561b9a5adbb6bac5b14ed311b49080999a497b04bbab941d45f392c9",
    used_by="the start of the texture Linear",
)
REGRESSOR_GENERATOR = ModelFile(
    title="Regressor for the Generator",
    purpose="Gives a first skin in one pass, for the small texture generator",
    licence="GPL-3.0-or-later",
    source="",
    files=("regressor_generator.safetensors",),
    bundled=ENGINE / "regressors" / "data",
    sha256="8d85364364fbbbfe8768ba4d3ffc326a394b1009fec53538826e59a8eeb8b424",
    used_by="the start of the texture GANFit",
)
BUNDLED = (
    OPEN_HEAD,
    POINTS_NETWORK,
    PARTS_NETWORK,
    FACE_RECOGNITION,
    TEXTURE_BASIS,
    TEXTURE_GENERATOR,
    REGRESSOR,
    REGRESSOR_GENERATOR,
)
