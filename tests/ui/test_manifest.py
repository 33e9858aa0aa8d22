"""The manifest follows the platform's rules."""

import re
import tomllib

import pytest

import engine


@pytest.fixture
def manifest(repo_root):
    return tomllib.loads((repo_root / "blender_manifest.toml").read_text(encoding="utf-8"))


def test_required_values(manifest):
    assert manifest["schema_version"] == "1.0.0"
    assert manifest["id"] == "likeness"
    assert manifest["type"] == "add-on"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later", "SPDX:Apache-2.0", "SPDX:MIT"]
    assert tuple(map(int, manifest["blender_version_min"].split("."))) >= (4, 2, 0)
    assert "blender" not in manifest["name"].lower()


def test_version_is_the_engines(manifest):
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["version"] == engine.__version__


def test_lengths_and_ends(manifest):
    for text in (manifest["tagline"], *manifest["permissions"].values()):
        assert 0 < len(text) <= 64
        assert not text.endswith(".")
