"""Which texture model a choice means: what is bundled, or better, what the user brings."""

from __future__ import annotations

from pathlib import Path

from ...errors import EngineError
from ...heads.model import HeadModel
from ...models.registry import FFHQ_UV_TEXTURE
from .model import TextureModel

USERS_SIZE = 1024
"""Side of the textures that users' generators are brought to, texels."""


def texture_model(choice: str, model_folder: Path | None, head: HeadModel) -> TextureModel:
    """The model of a choice.

    Args:
        choice: "linear" or "ganfit".
        model_folder: where the user's own generator is looked for.
        head: whose UV the textures are in.
    Raises:
        EngineError: no such choice, or a head of another UV layout.
        ModelFileError: the file is missing, damaged or of another kind.
    """
    if head.name != "open":
        raise EngineError(
            f"The texture “{choice}” is made for the open head, not for “{head.name}”.", "Choose the texture “Photo”."
        )
    if choice == "linear":
        from .linear import load_linear

        return load_linear()
    if choice == "ganfit":
        own = FFHQ_UV_TEXTURE.find(model_folder)
        if own is not None:
            return load_stylegan2_of(own, head)
        from .small import SmallGeneratorTexture

        return SmallGeneratorTexture()
    raise EngineError(f"There is no texture model “{choice}”.", "Choose “ganfit” or “linear”.")


def load_stylegan2_of(path: Path, head: HeadModel) -> TextureModel:
    """The user's generator in FFHQ-UV's layout, its colours brought to the head's."""
    from .gan import load_stylegan2
    from .uv_transfer import FFHQ_UV, FFHQ_UV_PAIRS, from_landmarks

    return load_stylegan2(path, from_landmarks(FFHQ_UV, head, USERS_SIZE, FFHQ_UV_PAIRS))
