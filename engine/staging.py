"""Writing a folder of results all at once, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


@contextmanager
def staged_folder(out: Path) -> Iterator[Path]:
    """Yield a scratch folder whose files move into `out` only if the block succeeds.

    A failed or cancelled job leaves neither `out` nor any folder above it that was not there before.

    Raises:
        OutputError: `out` is a file, or cannot be created or written.
    """
    created = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".likeness-", dir=out))
    except OSError as error:
        _remove_empty(created)
        raise _output_error(out, error) from error
    try:
        yield scratch
        for item in sorted(scratch.iterdir()):
            os.replace(item, out / item.name)
    except OSError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        _remove_empty(created)
        raise _output_error(out, error) from error
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        _remove_empty(created)
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _output_error(out: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write the result to {out}: {error.strerror or error}.",
        "Choose a folder you can write to, on a disk with free space.",
    )
