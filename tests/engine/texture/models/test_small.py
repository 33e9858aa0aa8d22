"""The bundled generator: its window in the UV square, its latents, and what its file must hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.errors import ModelFileError
from engine.heads.skin import load_base_skin
from engine.perception.networks.weights import save_network
from engine.texture.models.small import (
    MARGIN,
    WEIGHTS,
    WINDOW,
    SmallGeneratorTexture,
    TextureNetwork,
    Window,
    colour,
    density,
)

SIZE = {"z_dim": 6, "w_dim": 5, "side": 32, "channel_base": 64, "channel_max": 8, "mapping_layers": 2, "shuffle": 2}
PLACE = {"left": 0.25, "top": 0.125, "right": 0.75, "bottom": 0.625}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def toy_network() -> TextureNetwork:
    torch.manual_seed(4)
    network = TextureNetwork(**SIZE)
    network.measure_w(torch.randn(500, 6))
    return network


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A file of a generator of 32 pixels with random weights."""
    about = {"network": "texture", "size": SIZE, "window": PLACE, "provenance": {"licence": "none"}}
    save_network(tmp_path / "toy.safetensors", toy_network().state_dict(), about)
    return tmp_path / "toy.safetensors"


def test_what_is_cut_and_pasted_is_where_it_was():
    window = Window(**PLACE)
    ramp = torch.linspace(0, 1, 64).expand(1, 2, 64, 64).clone()
    ramp[0, 1] = ramp[0, 0].T.clone()
    cut = window.cut(ramp, 32)
    assert cut.shape == (1, 2, 32, 32)
    torch.testing.assert_close(cut, ramp[:, :, 8:40, 16:48])  # half of the side: texels as they are
    back = torch.nn.functional.grid_sample(cut, window.grid(64)[None], padding_mode="border", align_corners=False)
    torch.testing.assert_close(back[:, :, 8:40, 16:48], cut, atol=1e-5, rtol=0)
    torch.testing.assert_close(back[0, 0, :, :16], cut[0, 0, 0, 0].expand(64, 16))  # outside: what is at the edge


def test_a_window_fades_out_at_its_edges_but_not_at_the_squares():
    cover = Window(left=0.0, top=0.25, right=0.75, bottom=1.0).cover(64, 0.125)
    assert float(cover[:16].max()) == float(cover[:, 48:].max()) == 0.0
    assert float(cover[24:, :40].min()) == 1.0
    middle = cover[40]
    assert torch.all(middle[40:48].diff() < 0)
    assert middle[43:45].sum().item() == pytest.approx(1.0)  # the middle of the edge is half covered


@pytest.mark.parametrize("wrong", [{"left": 0.8}, {"top": -0.1}, {"bottom": 1.1}])
def test_a_window_lies_in_the_square(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="no part of the square"):
        Window(**(PLACE | wrong))


def test_density_adds_up_and_comes_back():
    shades = torch.tensor([0.02, 0.2, 0.5, 1.0])
    torch.testing.assert_close(colour(density(shades)), shades)
    assert density(shades)[3].item() == pytest.approx(0.0, abs=1e-6)
    linear = ((shades + 0.055) / 1.055) ** 2.4  # sRGB's power law; minus its logarithm is what pigments add to
    torch.testing.assert_close(density(shades), -linear.log())


def test_mean_linear_part_and_what_is_painted_add_up_in_density():
    network = toy_network()
    torch.manual_seed(1)
    ws = torch.randn(2, network.generator.num_ws, 5)
    with torch.no_grad():
        painted = torch.nn.functional.pixel_shuffle(network.generator.synthesis(ws), 2)
        network.origin.copy_(torch.arange(5.0))
        network.linear.copy_(torch.arange(7.0)[:, None, None, None].expand_as(network.linear) / 100)
        network.detail[1] = 0.3
        network.detail_shares[1, 0] = 2.0
        network.spread.fill_(0.1)
        made = network.paint(ws)
    offset = ws.mean(1) - network.origin
    linear = (offset * torch.arange(5.0) / 100).sum(1) - 0.05  # the bends of nothing are -1 and 0
    expected = (linear + 0.6 * offset[:, 0])[:, None, None, None] + network.mean + 0.1 * painted
    torch.testing.assert_close(density(made), expected, atol=1e-4, rtol=1e-4)


def test_bends_are_hermite_polynomials_along_the_complexions_axis():
    network = TextureNetwork(**SIZE)
    network.axis[2] = 0.5
    w = torch.zeros(3, 5)
    w[:, 2] = torch.tensor([0.0, 2.0, 4.0])
    assert network.told(w)[:, 5:].tolist() == [[-1.0, 0.0], [0.0, -2.0], [3.0, 2.0]]


def test_pixels_that_are_channels_lie_side_by_side():
    network = TextureNetwork(**SIZE)
    with torch.no_grad():
        for name, weight in network.generator.synthesis.named_parameters():
            if ".torgb.weight" in name:
                weight.zero_()
        network.generator.synthesis.get_parameter("b16.torgb.bias")[1] = 0.5  # of red, the right one of the upper two
        added = density(network(torch.randn(1, 6))[0]) - network.mean
    assert added[0, ::2, 1::2].mean().item() == pytest.approx(0.5, abs=1e-4)
    assert added.sum().item() == pytest.approx(0.5 * 16 * 16, rel=1e-3)


def test_w_is_measured_along_its_axes():
    network = toy_network()
    torch.manual_seed(4)
    z = torch.randn(500, 6)
    network.measure_w(z)
    w = network.generator.mapping(z)[:, 0].detach()
    torch.testing.assert_close(network.w_mean, w.mean(0))
    torch.testing.assert_close(network.w_axes @ network.w_axes.T, torch.cov(w.T), atol=1e-5, rtol=1e-4)
    assert torch.all(network.w_axes.norm(dim=0).diff() <= 0)  # the strongest first
    latent = torch.linalg.solve(network.w_axes, (w - network.w_mean).T).T
    torch.testing.assert_close(torch.cov(latent.T), torch.eye(5), atol=1e-3, rtol=0)


def test_albedo_is_the_generators_picture_in_the_window(toy: Path):
    model = SmallGeneratorTexture(toy, size=64)
    assert model.latent_shape == (5,)
    z = torch.randn(1, 6, generator=torch.Generator().manual_seed(7))
    painted = model.network.paint(model.network.generator.mapping(z))
    albedo = model.albedo(model.start(7)[None])
    assert albedo.shape == (1, 3, 64, 64)
    assert painted.std() > 0.02
    torch.testing.assert_close(albedo[:, :, 8:40, 16:48], painted.clamp(0, 1), atol=1e-3, rtol=0)
    torch.testing.assert_close(model.coverage, Window(**PLACE).cover(64, MARGIN))


def test_latents_are_counted_in_standard_deviations(toy: Path):
    model = SmallGeneratorTexture(toy, size=32)
    assert torch.equal(model.start(), torch.zeros(5))
    assert torch.equal(model.start(3), model.start(3))
    assert not torch.equal(model.start(3), model.start(4))
    draws = torch.stack([model.start(seed) for seed in range(200)])
    assert float(model.penalty(draws).mean()) == pytest.approx(1.0, abs=0.15)
    assert model.penalty(torch.tensor([[0.0] * 5, [1.0, 2.0, 0.0, 0.0, 0.0]])).tolist() == [0.0, 1.0]


def test_gradients_reach_the_latent(toy: Path):
    model = SmallGeneratorTexture(toy, size=32)
    direction = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    latent = model.start(1)[None].requires_grad_()

    def along(latent: torch.Tensor) -> torch.Tensor:
        return (direction * model.albedo(latent)).sum()

    (gradient,) = torch.autograd.grad(along(latent), latent)
    step = 0.01 * gradient / gradient.norm()
    change = (along(latent + step) - along(latent - step)).item()
    assert abs(change) > 0.01
    assert change == pytest.approx(0.02 * gradient.norm().item(), rel=0.05)


def test_wrong_files_are_refused(toy: Path, tmp_path: Path):
    with pytest.raises(ModelFileError, match="is missing"):
        SmallGeneratorTexture(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    save_network(other, {"weight": torch.zeros(2, 2)}, {"network": "points", "window": PLACE})
    with pytest.raises(ModelFileError, match="no texture generator"):
        SmallGeneratorTexture(other)
    data = toy.read_bytes()
    toy.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        SmallGeneratorTexture(toy)


@pytest.fixture(scope="module")
def bundled() -> SmallGeneratorTexture:
    return SmallGeneratorTexture()


def test_the_bundled_file_is_small_and_covers_the_face(bundled: SmallGeneratorTexture):
    assert WEIGHTS.stat().st_size < 8e6
    assert WEIGHTS.with_suffix(".md").is_file()
    assert bundled.window == WINDOW
    regions = load_base_skin(512).regions
    for name in ("lips", "nostril", "brow"):
        assert float(bundled.coverage[torch.tensor(regions[name] > 0.5)].min()) == 1.0
    assert "CC0" in bundled.provenance["source"]


def test_bundled_skins_look_like_skin(bundled: SmallGeneratorTexture):
    """Redder than green, greener than blue; lips redder than cheeks; all of it different from person to person."""
    regions = load_base_skin(512).regions
    lips, brows = (torch.tensor(regions[name] > 0.9) for name in ("lips", "brow"))
    cheeks = torch.zeros(512, 512, dtype=torch.bool)
    cheeks[235:265, 150:190] = True
    with torch.no_grad():
        skins = bundled.albedo(torch.stack([bundled.start(seed) for seed in range(12)]))
    cheek, lip, brow = (skins[:, :, mask].mean(2) for mask in (cheeks, lips, brows))
    assert torch.all(cheek[:, 0] > cheek[:, 1])
    assert torch.all(cheek[:, 1] > cheek[:, 2])
    assert float((cheek[:, 0]).std()) > 0.05
    redness = [(part[:, 0] / part[:, 1]) for part in (lip, cheek)]
    assert float((redness[0] > redness[1]).float().mean()) >= 0.9
    assert torch.all((brow / cheek) > 0.7)  # no brows are painted
    with torch.no_grad():
        mean = bundled.albedo(bundled.start()[None])[0, :, cheeks].mean(1)
    assert torch.all((mean > cheek.min(0).values) & (mean < cheek.max(0).values))  # neither very light nor very dark
