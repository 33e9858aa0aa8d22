"""Samples hold what the generator gives; sets are drawn once, gone on with, and not mixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.eg3d.camera import METRES, orbit_label
from engine.eg3d.config import TINY
from engine.eg3d.generator import TriplaneGenerator
from engine.errors import EngineError, ModelFileError, OutputError
from engine.training.__main__ import main
from engine.training.eg3d import dataset
from engine.training.eg3d.dataset import draw_set
from engine.training.eg3d.poses import HELD_OUT
from engine.training.eg3d.samples import Drawing, axial_depth, draw_samples
from engine.training.eg3d.shards import normalised, read_samples, read_set


def test_a_sample_is_what_its_latent_and_camera_give(dense_tiny):
    sample = draw_samples(dense_tiny, [3], Drawing())[0]
    assert sample.image.shape == (48, 48, 3)
    assert sample.depth.shape == sample.mask.shape == (TINY.raw_side, TINY.raw_side)
    picture = dense_tiny.synthesis(torch.tensor(sample.ws)[None], torch.tensor(sample.pose.label)[None])
    seen = (picture.image[0].permute(1, 2, 0) * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()
    np.testing.assert_array_equal(sample.image, seen)


def test_heads_drawn_together_are_those_drawn_alone(dense_tiny):
    for number, sample in zip((3, 4), draw_samples(dense_tiny, [3, 4], Drawing(jitter=5.0)), strict=True):
        alone = draw_samples(dense_tiny, [number], Drawing(jitter=5.0))[0]
        assert np.abs(sample.image.astype(int) - alone.image).max() <= 1
        np.testing.assert_allclose(sample.depth, alone.depth, atol=1e-5)
        np.testing.assert_array_equal(sample.pose.label, alone.pose.label)
        assert sample.pose.pitch != 0


def test_the_mask_is_what_rays_meet_within_the_border(dense_tiny):
    """Rays through random weights keep more than half of their light: nothing is there. Dense ones end everywhere."""
    torch.manual_seed(11)
    thin = TriplaneGenerator(TINY).eval().requires_grad_(False)
    assert not draw_samples(thin, [0], Drawing())[0].mask.any()
    sample = draw_samples(dense_tiny, [0], Drawing())[0]
    label = torch.tensor(sample.pose.label)[None]
    distance = dense_tiny.synthesis(torch.tensor(sample.ws)[None], label).depth[:, 0]
    inside = axial_depth(distance, label, (0.5 - 30 / 256) * TINY.rendering.box)[1][0].numpy()
    assert not inside.all()
    np.testing.assert_array_equal(sample.mask, inside)


def test_latents_are_truncated_towards_the_mean(dense_tiny):
    whole, half = (draw_samples(dense_tiny, [0], Drawing(truncation=psi))[0].ws for psi in (1.0, 0.5))
    mean = dense_tiny.backbone.mapping.w_avg.numpy()
    np.testing.assert_allclose(half - mean, 0.5 * (whole - mean), atol=1e-6)
    held_out = draw_samples(dense_tiny, [0], Drawing(truncation=1.0, stream=HELD_OUT))[0].ws
    assert np.abs(held_out - whole).max() > 0.1


def test_depth_is_along_the_axis_from_the_origin():
    """A plane through the origin, across the axis of a turned camera, has depth 0 in every pixel."""
    label = torch.tensor(orbit_label(35.0, 10.0))[None]
    from engine.eg3d.renderer import rays

    start, toward = rays(label, 4)
    ahead = label[:, :16].view(1, 4, 4)[:, :3, 2]
    distance = (-(start * ahead).sum(1, keepdim=True) / (toward @ ahead[..., None])[..., 0]).view(1, 4, 4)
    depth, inside = axial_depth(distance, label, 0.1)
    torch.testing.assert_close(depth, torch.zeros(1, 4, 4), atol=1e-5, rtol=0)
    assert not inside.all()
    assert axial_depth(distance, label, 0.5)[1].all()
    further, _ = axial_depth(distance + 0.1 / (toward @ ahead[..., None])[..., 0].view(1, 4, 4), label, 0.1)
    torch.testing.assert_close(further, torch.full((1, 4, 4), 0.1), atol=1e-5, rtol=0)


def test_depth_is_kept_in_the_generators_units_and_given_in_two_others(heads: Path):
    _, parts = read_set(heads / "train")
    part = parts[0]
    assert part.mask.mean() > 0.5
    stored = part.depth[2].astype(np.float32)
    inside = part.mask[2]
    np.testing.assert_allclose(part.metres(2)[inside], METRES * stored[inside])
    assert np.isinf(part.metres(2)[~inside]).all()
    assert (part.published(2).min(), part.published(2).max()) == (-1, 1)
    np.testing.assert_allclose(normalised(np.array([[2.0, 3.0], [2.5, 4.0]])), [[-1, 0], [-0.5, 1]])


def test_a_set_says_what_it_is(heads: Path, dense_tiny):
    index, parts = read_set(heads / "held_out")
    assert index["finished"]
    assert index["mix"]["frontal"] == 80
    assert index["count"] == 3
    assert list(index["kinds"].values()) == np.bincount(parts[0].kinds, minlength=4).tolist()
    assert (index["layers"], index["width"]) == parts[0].ws.shape[1:] == (6, 16)
    sample = draw_samples(dense_tiny, [1], Drawing(stream=HELD_OUT))[0]
    np.testing.assert_array_equal(parts[0].ws[1], sample.ws)
    np.testing.assert_array_equal(parts[0].labels[1], sample.pose.label)
    assert np.abs(parts[0].image(1).astype(int) - sample.image).mean() < 4  # as JPEG


def test_a_set_that_was_stopped_is_gone_on_with(dense_tiny, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD", 2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    said: list[int] = []
    assert draw_set(dense_tiny, "x", whole, 5, Drawing(), said=said.append) == 5
    assert said == [2, 4, 5]
    assert draw_set(dense_tiny, "x", parts, 3, Drawing()) == 3
    kept = (parts / "00000000.npz").stat().st_mtime_ns
    (parts / "00000002.npz").write_bytes(b"cut off")
    assert draw_set(dense_tiny, "x", parts, 5, Drawing()) == 3  # the damaged file's two, and the last
    assert (parts / "00000000.npz").stat().st_mtime_ns == kept
    for path in sorted(whole.glob("*.npz")):
        first, second = read_samples(path), read_samples(parts / path.name)
        np.testing.assert_array_equal(first.ws, second.ws)
        np.testing.assert_array_equal(first.depth, second.depth)
        np.testing.assert_array_equal(first.jpegs[0], second.jpegs[0])


def test_pictures_may_be_smaller_than_the_generators(dense_tiny):
    small = draw_samples(dense_tiny, [0], Drawing(resolution=24))[0]
    large = draw_samples(dense_tiny, [0], Drawing())[0]
    assert small.image.shape == (24, 24, 3)
    np.testing.assert_array_equal(small.depth, large.depth)
    assert np.abs(small.image - large.image.reshape(24, 2, 24, 2, 3).mean((1, 3))).max() <= 2


def test_what_cannot_be_is_refused(dense_tiny, heads: Path, tmp_path: Path, capsys):
    with pytest.raises(OutputError, match="generator"):
        draw_set(dense_tiny, "another", heads / "train", 6, Drawing())
    with pytest.raises(EngineError, match="16 to 48"):
        draw_set(dense_tiny, "x", tmp_path / "a", 2, Drawing(resolution=64))
    with pytest.raises(EngineError, match="No pictures"):
        draw_set(dense_tiny, "x", tmp_path / "a", 0, Drawing())
    assert not (tmp_path / "a").exists()
    with pytest.raises(ModelFileError, match="no samples"):
        read_set(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"kind": "cats"}))
    with pytest.raises(ModelFileError, match=r"index\.json"):
        read_set(tmp_path)
    (tmp_path / "0.npz").write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"0\.npz"):
        read_samples(tmp_path / "0.npz")
    assert main(["eg3d-dataset", "--generator", str(tmp_path / "none.pkl"), "--out", str(tmp_path / "b")]) == 1
    assert "none.pkl" in capsys.readouterr().err
