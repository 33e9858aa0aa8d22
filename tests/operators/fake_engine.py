"""A worker with the real protocol and pretended jobs: python -m fake_engine. The photo's name says what happens."""

import errno
import os
import shutil
import signal
import sys
import time
from pathlib import Path

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
                "track": track,
                "check": lambda arguments, progress: {"versions": {"python": "fake"}},
            }
        )
    )
