"""Files are fetched from a server on this machine: whole, in parts, broken off, wrong."""

import hashlib
from dataclasses import replace

import pytest

from engine.errors import JobCancelled, ModelFileError, OutputError
from engine.models import download as module
from engine.models.download import download
from engine.models.registry import FACE_LANDMARKER, SMIRK
from engine.progress import Progress

from .file_server import file_server

CONTENT = bytes(range(256)) * 5000
MODEL = replace(FACE_LANDMARKER, sha256=hashlib.sha256(CONTENT).hexdigest())
NAME = "face_landmarker.task"


@pytest.fixture
def server(monkeypatch):
    """Asked directly, whatever the machine's proxies are."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server(CONTENT) as server:
        yield server


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_under_its_name(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BETWEEN", 0.0)
    stages = []
    progress = Progress(listener=lambda stage, fraction: stages.append((stage, fraction)))
    target = download(MODEL, tmp_path / "new", progress, server.address())
    assert target == tmp_path / "new" / NAME
    assert target.read_bytes() == CONTENT
    assert names(target.parent) == [NAME]
    assert server.asked == [""]
    assert ("Downloading Face Landmarker: 1.3 of 1.3 MB", 0.98) in stages
    assert [fraction for _, fraction in stages] == sorted(fraction for _, fraction in stages)


def test_a_broken_connection_keeps_what_arrived_and_the_next_try_goes_on(server, tmp_path):
    server.break_at = 300_000
    with pytest.raises(ModelFileError, match="broke off") as caught:
        download(MODEL, tmp_path, address=server.address())
    assert server.address() in caught.value.message
    assert "Try again" in caught.value.cure
    assert names(tmp_path) == [f"{NAME}.part"]
    held = (tmp_path / f"{NAME}.part").stat().st_size
    assert 0 < held <= 300_000
    assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={held}-"]


def test_a_server_that_knows_no_parts_begins_anew(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT


def test_a_part_that_is_the_whole_is_taken_as_it_is_and_one_that_is_more_is_not(server, tmp_path):
    part = tmp_path / f"{NAME}.part"
    for held in (CONTENT, CONTENT + b"more"):
        part.write_bytes(held)
        assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT
    assert server.asked[0] == f"bytes={len(CONTENT)}-"


def test_another_file_than_the_published_one_is_refused_and_removed(server, tmp_path):
    server.content = b"another" * 100
    with pytest.raises(ModelFileError, match="its SHA-256 is") as caught:
        download(MODEL, tmp_path, address=server.address())
    assert MODEL.source in caught.value.cure
    assert names(tmp_path) == []


def test_a_part_of_another_file_is_found_out(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 1000)
    with pytest.raises(ModelFileError, match="SHA-256"):
        download(MODEL, tmp_path, address=server.address())
    assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT


def test_redirects_are_followed(server, tmp_path):
    server.moved = True
    assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_server_that_refuses_is_named_with_the_owners_page(server, tmp_path, status):
    server.status = status
    with pytest.raises(ModelFileError, match=f"the server says {status}") as caught:
        download(MODEL, tmp_path, address=server.address())
    assert server.address() in caught.value.message
    assert MODEL.source in caught.value.cure
    assert names(tmp_path) == []


def test_no_server_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with file_server(b"") as gone:
        address = gone.address()
    with pytest.raises(ModelFileError, match="broke off"):
        download(MODEL, tmp_path, address=address)


def test_a_download_stops_when_asked_to_and_goes_on_later(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 1 << 16)
    asked = iter([False] * 5 + [True])
    with pytest.raises(JobCancelled):
        download(MODEL, tmp_path, Progress(cancelled=lambda: next(asked)), server.address())
    assert names(tmp_path) == [f"{NAME}.part"]
    assert download(MODEL, tmp_path, address=server.address()).read_bytes() == CONTENT
    assert server.asked[1].startswith("bytes=")


def test_a_full_disk_is_told_before_and_while_it_fills(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
        with pytest.raises(OutputError, match="needs 1 MB"):
            download(MODEL, tmp_path, address=server.address())

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(OutputError, match="is full"):
        download(MODEL, tmp_path, address=server.address())


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="Cannot write"):
        download(MODEL, tmp_path / "file", address=server.address())


def test_what_its_owner_hands_out_behind_a_login_is_not_fetched(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be downloaded here") as caught:
        download(SMIRK, tmp_path)
    assert SMIRK.source in caught.value.cure
    with pytest.raises(ModelFileError, match="cannot be downloaded"):
        download(MODEL, tmp_path, address="file:///etc/passwd")
