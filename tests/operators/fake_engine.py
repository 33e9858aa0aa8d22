"""A worker with the real protocol and pretended jobs: python -m fake_engine. The photo's name says what happens."""

import errno
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from square_glb import square_glb

from engine.errors import FaceError
from engine.tracking.chunks import FOLDER
from engine.worker.__main__ import main


def reconstruct(arguments, progress):
    """Act out what the photo's name says, after a first stage and a file in the job's folder."""
    photo, folder = Path(arguments["photo"]), Path(arguments["folder"])
    progress.stage("Reading the photo", 0.1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "head.npz").write_bytes(b"half a head")
    if "LIKENESS_TEST_RESULT" in os.environ:
        shutil.copytree(os.environ["LIKENESS_TEST_RESULT"], folder, dirs_exist_ok=True)
    ACTS[photo.stem.partition("-")[0]]()
    progress.stage("Fitting the head", 0.5)
    if photo.stem.startswith("slow"):
        for _ in range(1000):
            time.sleep(0.02)
            progress.check()
    return {"folder": str(folder), "name": photo.stem, "pid": os.getpid(), "options": arguments["options"]}


def reconstruct_several(arguments, progress):
    """Likewise for several photos: those with a bad name are left out, an engine fails if none is left."""
    photos = [Path(photo) for photo in arguments["photos"]]
    good = [photo for photo in photos if photo.stem.partition("-")[0] in ("good", "slow")]
    done = reconstruct({**arguments, "photo": str(good[0] if good else photos[0])}, progress)
    entries = [
        {
            "file": photo.name,
            "path": str(photo),
            "used": photo in good,
            "main": photo is good[0],
            "reason": "" if photo in good else f"No face was found in {photo.name}.",
        }
        for photo in photos
    ]
    if "LIKENESS_TEST_RESULT" in os.environ:
        name_cameras(Path(arguments["folder"]), [entry for entry in entries if entry["used"]])
    warnings = [f"{entry['file']} is left out: {entry['reason']}" for entry in entries if not entry["used"]]
    return {**done, "photos": entries, "warnings": warnings}


def name_cameras(folder, entries):
    """Give the used photos the template's camera, the further ones on a square picture, as the albedo's file is."""
    import json

    path = folder / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    places = {name: report[name] for name in ("K", "world_to_camera", "image_size")}
    for number, entry in enumerate(entries):
        entry |= places | {"picture": "photo.jpg" if entry["main"] else f"photo-{number + 1}.png"}
        if not entry["main"]:
            entry["image_size"] = [600, 600]
            shutil.copy(folder / "albedo.png", folder / entry["picture"])
    path.write_text(json.dumps(report | {"photos": entries}), encoding="utf-8")


def track(arguments, progress):
    """Likewise for a clip: what a cancelled job leaves, then the template's head and a take."""
    clip, folder = Path(arguments["clip"]), Path(arguments["folder"])
    progress.stage("Following the face", 0.1)
    partial = folder / FOLDER
    resumed = partial.is_dir()
    partial.mkdir(parents=True, exist_ok=True)
    ACTS[clip.stem.partition("-")[0]]()
    if clip.stem.startswith("slow"):
        for _ in range(1000):
            time.sleep(0.02)
            progress.check()
    shutil.rmtree(partial)
    shutil.copytree(os.environ["LIKENESS_TEST_RESULT"], folder, dirs_exist_ok=True)
    shutil.copy(os.environ["LIKENESS_TEST_TAKE"], folder)
    options = arguments["options"]
    return {"folder": str(folder), "name": clip.stem, "options": options, "resumed": resumed, "warnings": ["blurred"]}


def depth(arguments, progress):
    """Likewise for a depth mesh: a square with a picture."""
    photo, folder = Path(arguments["photo"]), Path(arguments["folder"])
    progress.stage("Measuring depth", 0.5)
    folder.mkdir(parents=True, exist_ok=True)
    ACTS[photo.stem.partition("-")[0]]()
    (folder / "mesh.glb").write_bytes(square_glb())
    return {"folder": str(folder), "name": photo.stem, "options": arguments["options"], "warnings": ["cut off"]}


def nothing():
    pass


def no_face():
    raise FaceError("No face was found in “portrait.jpg”.", "Use a photo in which the face is larger.")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exits():
    print("the last words", file=sys.stderr, flush=True)
    os._exit(3)


def noisy():
    print("library noise on standard output", flush=True)
    os.write(1, b'{"say": "nonsense"}\n')


def sleeps():
    time.sleep(60)


def memory():
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory")


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def no_torch():
    sys.modules["torch"] = None
    try:
        import torch  # noqa: F401
    finally:
        del sys.modules["torch"]


def bug():
    return {}["missing"]


ACTS = {
    "good": nothing,
    "slow": nothing,
    "noface": no_face,
    "killed": killed,
    "exits": exits,
    "noisy": noisy,
    "stubborn": sleeps,
    "memory": memory,
    "full": full,
    "notorch": no_torch,
    "bug": bug,
}

if __name__ == "__main__":
    sys.exit(
        main(
            {
                "reconstruct": reconstruct,
                "reconstruct_several": reconstruct_several,
                "track": track,
                "depth": depth,
                "check": lambda arguments, progress: {"versions": {"python": "fake"}},
            }
        )
    )
