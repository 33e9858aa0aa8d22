"""An evaluation set like "prosopo": photos of faces with depth, mesh and latent (thesis "eg3d_supervised", 4.1, A.1).

With EG3D's file each photo is inverted, and depth and mesh are those of the generator tuned to it, which the thesis
takes for the truth. Without, they are what the engine's own methods find: to compare against, not the truth; the index
says which. A folder for each photo, and `index.json` for all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..devices import choose_device, versions
from ..eg3d.options import COLD_STEPS, LEVEL, TUNING_STEPS
from ..errors import DeviceError, EngineError, FaceError, JobCancelled, MediaError, ModelFileError, OutputError
from ..media.write import whole_file, write_png
from ..options import DeviceName, ReconstructOptions
from ..progress import Progress
from ..staging import staged_folder
from .prosopo_choice import Candidate, Choice, Criteria, choose, examine, photos_in

if TYPE_CHECKING:
    from ..depth.options import DepthOptions
    from ..depth.sources import Method
    from ..eg3d.job import Generator
    from ..heads.model import HeadModel

INDEX, LOOKED_AT = "index.json", "looked_at.json"
KIND = "likeness evaluation set"
CROP, REPORT = "photo.png", "report.json"
TRUTH = {
    True: "EG3D tuned to each photo",
    False: "the engine's own method, to compare with, not the truth",
}
Said = Callable[[str], None]


@dataclass(frozen=True)
class SetOptions:
    """How a set is built.

    Attributes:
        generator: EG3D's file; None for the engine's own `method` of depth. regressor: where inversions begin.
        count: most photos. criteria: what they must be.
        steps, tuning_steps: of an inversion. grid, level: of a mesh, see `eg3d.options.Eg3dOptions`.
        resolution: pixels of a depth map's longer side. faces: most of a mesh.
        seed: of everything random.
    """

    generator: Path | None = None
    regressor: Path | None = None
    method: Method = "auto"
    count: int = 1600
    criteria: Criteria = field(default_factory=Criteria)
    steps: int = COLD_STEPS
    tuning_steps: int = TUNING_STEPS
    grid: int = 256
    level: float = LEVEL
    resolution: int = 512
    faces: int = 100_000
    model_folder: Path | None = None
    seed: int = 0
    device: DeviceName = "auto"


def build_set(folder: Path, out: Path, options: SetOptions, said: Said = lambda line: None) -> dict[str, Any]:
    """Choose photos and make what belongs to them. What is there from an earlier call is not made again.

    Args:
        folder: with photos, folders inside included. out: made when missing.
        said: called with a line after each photo.
    Returns:
        The index, which is written after each photo: it holds what is done.
    Raises:
        EngineError: not one photo is asked for. MediaError: there are no photos. FaceError: none of them suits.
        OutputError: the folder cannot be written, or holds a set with other settings.
        ModelFileError: a model's file is missing or damaged. DeviceError: memory will not do.
    """
    from ..heads.loader import load_head

    if options.count < 1:
        raise EngineError("No photos were asked for.", "Choose a count of at least 1.")
    paths = photos_in(folder)
    if not paths:
        raise MediaError(f"There are no photos in {folder}.", "Name a folder with JPEG or PNG files.")
    head = load_head()
    maker = _maker(head, options)
    settings = _settings(options, maker)
    _same_set(out, settings)
    _made(out)
    choice = _chosen(paths, out, head, options, said)
    if not choice.photos:
        reasons = " ".join(f"{path.name}: {reason}" for path, reason in choice.left_out[:5])
        raise FaceError(f"None of the {len(paths)} photos in {folder} suits. {reasons}", "Add other photos.")
    index = settings | {"versions": versions(), "photos": [], "left_out": []}
    index["left_out"] = [{"file": path.name, "reason": reason} for path, reason in choice.left_out]
    for photo in choice.photos:
        try:
            index["photos"].append(_entry(photo, out, maker))
            said(f"{photo.path.name}: done")
        except (DeviceError, JobCancelled, ModelFileError, OutputError):  # the others would fare no better
            raise
        except EngineError as error:
            index["left_out"].append({"file": photo.path.name, "reason": str(error)})
            said(f"{photo.path.name}: {error}")
        _write(out / INDEX, index)
    return index


def _entry(photo: Candidate, out: Path, maker: Maker) -> dict[str, Any]:
    """A photo's line in the index; makes its folder if it is not there."""
    place = out / f"{photo.path.stem}-{photo.sha256[:8]}"
    if not (place / REPORT).is_file():  # written last, with all the rest
        maker.make(photo.path, place)
    report = _read(place / REPORT)
    files = sorted(path.name for path in place.iterdir())
    entry = {"file": photo.path.name, **photo.stored(), "folder": place.name, "files": files}
    return entry | {name: report[name] for name in ("method", "warnings", "label", "inversion") if name in report}


class Maker:
    """Makes the folder of a photo by the engine's own depth.

    Args:
        head: the model. options: of the set.
    """

    def __init__(self, head: HeadModel, options: SetOptions) -> None:
        from ..depth.options import DepthOptions

        self.head, self.options = head, options
        self.depth: DepthOptions = DepthOptions(
            method=options.method, resolution=options.resolution, faces=options.faces, device=options.device,
            model_folder=options.model_folder, seed=options.seed,
        )  # fmt: skip

    @property
    def says(self) -> dict[str, Any]:
        """What the index says of how it is made."""
        return {"method": self.options.method, "truth": TRUTH[False]}

    def make(self, photo: Path, place: Path) -> None:
        """Write the folder, whole or not at all."""
        from ..depth.job import depth_mesh
        from ..eg3d.camera import PHOTO_SIDE
        from ..eg3d.job import look

        with staged_folder(place) as scratch:
            write_png(scratch / CROP, look(photo, self.depth, PHOTO_SIDE, Progress()).aligned.image)
            depth_mesh(photo, scratch, self.depth)


class Eg3dMaker(Maker):
    """The same by EG3D.

    Args:
        generator: the user's, on its device.
    Raises:
        DeviceError: memory will not do.
    """

    def __init__(self, head: HeadModel, options: SetOptions, generator: Generator) -> None:
        from ..eg3d.invert_photo import Way
        from ..eg3d.job import check_fits
        from ..eg3d.options import Eg3dOptions

        super().__init__(head, options)
        self.generator = generator
        self.depth = replace(
            self.depth, method="eg3d", eg3d=Eg3dOptions("tune", grid=options.grid, level=options.level)
        )
        self.way = Way(options.steps, options.tuning_steps, options.regressor)
        check_fits(generator.network, self.depth, self.way, choose_device(options.device))

    @property
    def says(self) -> dict[str, Any]:
        """See `Maker`."""
        chosen = self.options
        return {
            "method": "eg3d",
            "truth": TRUTH[True],
            "generator": self.generator.sha256,
            "regressor": None if chosen.regressor is None else chosen.regressor.name,
            **{name: getattr(chosen, name) for name in ("steps", "tuning_steps", "grid", "level")},
        }

    def make(self, photo: Path, place: Path) -> None:
        """See `Maker`. A photo's inversion that was stopped is gone on with; the tuned generator is not kept."""
        from ..eg3d import job
        from ..eg3d.invert_photo import invert_photo

        chosen, network, device = self.options, self.generator.network, choose_device(self.options.device)
        state = place.with_suffix(".inversion.pt")
        seen = job.look(photo, self.depth, network.config.image_side, Progress())
        target, label = seen.aligned.target(device)
        inverted = invert_photo(
            network, target, label, self.depth.eg3d, self.way, chosen.seed, chosen.model_folder, None, state
        )
        made = job.build(seen, inverted, self.depth, Progress())
        with staged_folder(place) as scratch:
            job.write(scratch, seen, self.generator, made, self.depth, Progress())
            (scratch / "tuned.safetensors").unlink(missing_ok=True)
            write_png(scratch / CROP, seen.aligned.image)
            _write(scratch / REPORT, job.report_of(seen, self.generator, made, self.depth, self.way, device))
        state.unlink(missing_ok=True)


def _maker(head: HeadModel, options: SetOptions) -> Maker:
    if options.generator is None:
        return Maker(head, options)
    from ..eg3d.job import read_generator

    return Eg3dMaker(head, options, read_generator(options.generator, choose_device(options.device)))


def _chosen(paths: list[Path], out: Path, head: HeadModel, options: SetOptions, said: Said) -> Choice:
    """Look at every photo once; what was seen is kept in `LOOKED_AT`."""
    kept = _read(out / LOOKED_AT)
    look = ReconstructOptions(device=options.device, model_folder=options.model_folder, seed=options.seed)
    candidates: list[Candidate] = []
    unusable: list[tuple[Path, str]] = []
    for number, path in enumerate(paths):
        try:
            name = _fingerprint(path)
            if name not in kept:
                kept[name] = _looked_at(path, name, head, look)
                _write(out / LOOKED_AT, kept)
                said(f"Looked at {number + 1} of {len(paths)}: {path.name}")
            if "reason" in kept[name]:
                unusable.append((path, kept[name]["reason"]))
            else:
                candidates.append(Candidate.of(path, kept[name]))
        except MediaError as error:
            unusable.append((path, str(error)))
    choice = choose(candidates, options.criteria, options.count)
    return Choice(choice.photos, (*unusable, *choice.left_out))


def _looked_at(path: Path, name: str, head: HeadModel, options: ReconstructOptions) -> dict[str, Any]:
    """What is seen in a photo, or the reason why it cannot be used."""
    try:
        return examine(path, name, head, options, Progress()).stored()
    except (MediaError, FaceError) as error:
        return {"reason": str(error)}


def _fingerprint(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(f"{path.name} cannot be read ({error}).", "Check who may read it.") from error


def _settings(options: SetOptions, maker: Maker) -> dict[str, Any]:
    """What tells one set from another."""
    return {
        "kind": KIND,
        **maker.says,
        "criteria": asdict(options.criteria),
        "resolution": options.resolution,
        "faces": options.faces,
        "seed": options.seed,
    }


def _same_set(out: Path, settings: dict[str, Any]) -> None:
    found = _read(out / INDEX)
    other = next((name for name in settings if found and found.get(name) != settings[name]), None)
    if other is not None:
        raise OutputError(
            f"The folder {out} holds a set with another “{other}”.",
            "Choose another folder, or the settings that it was begun with.",
        )


def _made(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {out} cannot be made ({error}).", "Choose another folder.") from error


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of this module's; empty where there is none.

    Raises:
        OutputError: it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        return found
    except (OSError, ValueError) as error:
        raise OutputError(f"The file {path} is damaged ({error}).", "Delete it to have it made anew.") from error


def _write(path: Path, values: dict[str, Any]) -> None:
    with whole_file(path, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1, ensure_ascii=False)
