"""Fetch a model file whose owner lets everybody have it without a login: resumed where it broke off, and checked.

Whether there may be a connection at all is the caller's to know (in Blender: `bpy.app.online_access`).
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ..errors import ModelFileError, OutputError
from ..progress import Progress
from .model_file import ModelFile
from .places import CHOOSE_FOLDER

CHUNK = 1 << 18
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""
BETWEEN = 0.2
"""Seconds between two reports."""
AGAIN = "Try again: what has arrived is kept, and the rest is fetched. Or get the file from {}."


def download(model: ModelFile, model_folder: Path, progress: Progress | None = None, address: str = "") -> Path:
    """Fetch a model file into the model folder.

    Args:
        model: with an address.
        address: instead of the model's.
    Returns:
        The file, whole and checked.
    Raises:
        ModelFileError: no address, no connection, the server refuses, or what arrived is another file.
        OutputError: the folder cannot be written, or is full.
        JobCancelled: on request; what has arrived is kept as NAME.part.
    """
    progress = progress or Progress()
    address = address or model.download
    if not address.startswith(("https://", "http://")):
        raise ModelFileError(f"“{model.title}” cannot be downloaded here.", f"Get it from {model.source}.")
    target = model_folder / _name(model, address)
    part = target.with_name(f"{target.name}.part")
    progress.stage(f"Connecting for {target.name}", 0.0)
    try:
        model_folder.mkdir(parents=True, exist_ok=True)
        _fetch(address, part, model, progress)
        progress.stage("Checking", 0.99)
        _verify(part, model, address)
        os.replace(part, target)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise _network_error(error, address, model) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"The disk of {model_folder} is full.", "Make space, then try again.") from error
        raise OutputError(f"Cannot write {part}: {error.strerror or error}.", CHOOSE_FOLDER) from error
    progress.finish()
    return target


def _name(model: ModelFile, address: str) -> str:
    """The address's last part where the model is known by that name."""
    last = address.rpartition("/")[2]
    return last if last in model.files else model.files[0]


def _fetch(address: str, part: Path, model: ModelFile, progress: Progress) -> None:
    """Append to what is there what is missing, or begin anew where the server does not continue."""
    held = part.stat().st_size if part.exists() else 0
    try:
        reply = _open(address, held)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not held:  # 416: there is nothing behind what we hold
            raise
        if _total(error.headers) == held:
            return
        held, reply = 0, _open(address, 0)
    with reply:
        if held and (reply.status != 206 or _start(reply.headers) != held):
            held = 0
        length = reply.headers.get("Content-Length", "")
        whole = held + int(length) if length.isdecimal() else 0
        _room(part, whole - held)
        told = 0.0
        with part.open("ab" if held else "wb") as file:
            while data := reply.read(CHUNK):
                file.write(data)
                held += len(data)
                progress.check()
                if time.monotonic() - told > BETWEEN:
                    told = time.monotonic()
                    progress.stage(_told(model, held, whole), min(held / (whole or model.size or 2 * held), 1.0) * 0.98)
    if whole and held < whole:
        raise http.client.IncompleteRead(b"", whole - held)


def _open(address: str, held: int) -> Any:
    headers = {"User-Agent": "likeness", "Accept-Encoding": "identity"}
    if held:
        headers["Range"] = f"bytes={held}-"
    return urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=TIMEOUT)


def _start(headers: Any) -> int:
    """Where the part begins that a server sends; -1 where it does not say."""
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _total(headers: Any) -> int:
    """How long a server says the whole is; -1 where it does not."""
    found = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _room(part: Path, wanted: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if wanted > free:
        raise OutputError(
            f"The download needs {wanted / 1e6:.0f} MB, and {part.parent} has {free / 1e6:.0f} MB left.",
            "Make space, or choose another model folder in the add-on's preferences.",
        )


def _told(model: ModelFile, held: int, whole: int) -> str:
    amount = f"{held / 1e6:.1f} of {whole / 1e6:.1f} MB" if whole else f"{held / 1e6:.1f} MB"
    return f"Downloading {model.title}: {amount}"


def _verify(part: Path, model: ModelFile, address: str) -> None:
    """Against the published hash; a wrong file is removed, so that the next try begins anew."""
    if not model.sha256:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(model.sha256):
        part.unlink(missing_ok=True)
        raise ModelFileError(
            f"What {address} sent is not {model.title}: its SHA-256 is {found}, not {model.sha256}.",
            f"Try again, or get the file from {model.source}.",
        )


def _network_error(error: Exception, address: str, model: ModelFile) -> ModelFileError:
    if isinstance(error, urllib.error.HTTPError):
        return ModelFileError(f"{address} cannot be had: the server says {error.code} {error.reason}.", _get(model))
    reason = getattr(error, "reason", None) or error
    return ModelFileError(f"The download from {address} broke off ({reason}).", AGAIN.format(model.source))


def _get(model: ModelFile) -> str:
    return f"Get the file from {model.source}, and choose it with Locate File."
