"""The model files the engine knows: what each is for, whose it is, and whether it is there. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    """

    title: str
    purpose: str
    licence: str
    source: str
    files: tuple[str, ...]
    bundled: Path | None = None

    def find(self, model_folder: Path | None) -> Path | None:
        """The file, or None where it is missing."""
        folder = self.bundled or model_folder
        if folder is None:
            return None
        return next((folder / name for name in self.files if (folder / name).is_file()), None)


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
MODELS = (OPEN_HEAD, FACE_LANDMARKER)
