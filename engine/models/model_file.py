"""What the engine knows of one model file, and where such a file is looked for. Imports nothing heavy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError
from . import places

REINSTALL = "Install the add-on again."


@dataclass(frozen=True)
class ModelFile:
    """One model.

    Attributes:
        title: what the user calls it.
        purpose: what it is for, in a few words.
        licence: of the file.
        source: page where its owner hands it out; empty for a bundled one, and for what users train themselves.
        files: names looked for, the first found wins.
        bundled: folder inside the extension that holds it; None for the user's own file in the model folder.
        sha256: hexadecimal, or its beginning where its owner publishes no more; empty where it is not recorded.
        key: its name in `models.json` and on the command line; empty for a bundled one.
        group: heading it stands under.
        kinds: of content that fit, see `identify.TITLES`.
        variant: of that content, where a file's name tells more than its content; see `identify.Identified`.
        used_by: what uses it today; empty where nothing does yet.
        size: of the file in bytes, roughly; 0 where it is not known.
        download: address from which its owner lets everybody fetch it without a login; empty where there is none.
        folder: it is a folder of files.
    """

    title: str
    purpose: str
    licence: str
    source: str
    files: tuple[str, ...]
    bundled: Path | None = None
    sha256: str = ""
    key: str = ""
    group: str = "Built In"
    kinds: tuple[str, ...] = ()
    variant: str = ""
    used_by: str = ""
    size: int = 0
    download: str = ""
    folder: bool = False

    def find(self, model_folder: Path | None) -> Path | None:
        """The file, or None where it is missing: the one that the user chose, else one with a known name."""
        if self.bundled is None and model_folder is not None:
            chosen = places.chosen(model_folder).get(self.key)
            if chosen is not None and self.there(chosen):
                return chosen
        folder = self.bundled or model_folder
        if folder is None:
            return None
        return next((folder / name for name in self.files if self.there(folder / name)), None)

    def there(self, path: Path) -> bool:
        """Whether there is a file, or a folder where it is one, that can be looked at."""
        try:
            return path.is_dir() if self.folder else path.is_file()
        except OSError:
            return False

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
        cure = f"Get it again from {self.source}." if self.source else REINSTALL
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelFileError(f"The model file {path} cannot be read ({error}).", cure) from error
        if not found.startswith(self.sha256):
            raise ModelFileError(f"The model file {path} is damaged: its SHA-256 is {found}, not {self.sha256}.", cure)
