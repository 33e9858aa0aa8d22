"""What `python -m engine.training` does, a function for each command."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import DeviceError, ModelFileError
from ..memory import is_out_of_memory

if TYPE_CHECKING:
    from .perception.loop import Outcome

SHARD = 200
"""Pictures in a file."""


def prepare(options: Namespace) -> None:
    """Make the wardrobe."""
    from ..heads.loader import load_head
    from .synthetic.wardrobe import build_wardrobe, find_assets, save_wardrobe

    folder = options.assets or find_assets()
    print(f"Assets: {folder or 'none, only what is bundled'}")
    save_wardrobe(options.out, build_wardrobe(load_head(), folder, options.seed))
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def synthesize(options: Namespace) -> None:
    """Draw pictures, shard by shard, and say how fast."""
    options.out.mkdir(parents=True, exist_ok=True)
    starts = range(options.first, options.first + options.count, SHARD)
    jobs = [_Shard(options.out, a, min(SHARD, options.first + options.count - a), options) for a in starts]
    jobs = [job for job in jobs if not job.path.exists()]
    start, drawn = perf_counter(), 0
    if options.workers > 1:
        with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
            for count in pool.map(draw_shard, jobs):
                drawn += count
                _say_speed(drawn, start)
    else:
        for job in jobs:
            drawn += draw_shard(job)
            _say_speed(drawn, start)
    if options.sheet:
        from ..heads.loader import load_head
        from ..media.write import write_picture
        from .synthetic.shards import read_shard
        from .synthetic.sheet import contact_sheet

        first = read_shard(_Shard(options.out, options.first, 0, options).path)
        write_picture(options.sheet, contact_sheet(first, load_head()))


@dataclass(frozen=True)
class _Shard:
    """Pictures to draw into one file; `options` are those of `synthesize`."""

    folder: Path
    first: int
    count: int
    options: Namespace

    @property
    def path(self) -> Path:
        return self.folder / f"{self.first:08d}.npz"


def draw_shard(job: _Shard) -> int:
    """Draw a file of pictures. Returns how many."""
    from ..devices import single_threaded_torch
    from .synthetic.people import draw_scenes
    from .synthetic.shards import write_shard

    options = job.options
    seeds = list(range(job.first, job.first + job.count))
    scenes, pictures = [], []
    with single_threaded_torch():
        head, wardrobe, renderer = _studio(options.wardrobe, options.device, options.renderer)
        for start in range(0, len(seeds), options.batch):
            some = seeds[start : start + options.batch]
            people = [seed // options.each for seed in some] if options.each > 1 else None
            drawn = draw_scenes(some, head, wardrobe, options.size, options.held_out, people)
            pictures += renderer(drawn)
            scenes += [replace(scene, albedo=None, classes=None, props=()) for scene in drawn]
    write_shard(job.path, scenes, pictures, seeds)
    return len(seeds)


_STUDIO: dict[tuple[Path, str, str], tuple[Any, Any, Any]] = {}


def _studio(path: Path, device: str, kind: str) -> tuple[Any, Any, Any]:
    """Head, wardrobe and renderer of a kind, made once in a process."""
    from ..heads.loader import load_head
    from .synthetic.cycles import CyclesRenderer
    from .synthetic.raster import RasterRenderer
    from .synthetic.wardrobe import load_wardrobe

    if (path, device, kind) not in _STUDIO:
        head, wardrobe = load_head(), load_wardrobe(path)
        wardrobe = replace(wardrobe, skins=wardrobe.skins.to(device))
        raster = RasterRenderer(head, device)
        _STUDIO[path, device, kind] = head, wardrobe, raster if kind == "raster" else CyclesRenderer(head, raster)
    return _STUDIO[path, device, kind]


def _say_speed(drawn: int, start: float) -> None:
    seconds = perf_counter() - start
    print(f"{drawn} pictures in {seconds:.0f} s: {drawn / seconds:.1f} a second", flush=True)


def portraits(options: Namespace) -> None:
    """Prepare real portraits."""
    from ..heads.loader import load_head
    from .perception.real import find_pictures, prepare_real

    folder = options.data or find_pictures()
    if folder is None:
        raise ModelFileError("There are no portraits beside the clone.", "Name their folder with --data.")
    real = prepare_real(load_head(), folder, options.out)
    print(f"{len(real)} pictures, {options.out.stat().st_size / 1e6:.1f} MB, {real.validation.sum()} for validation")


def perception(options: Namespace) -> None:
    """Train a network."""
    from .perception.recipes import read_recipe, remember

    recipe = read_recipe(options.config)
    remember(recipe, options.out)
    _train(recipe, lambda: recipe.task(options.data, options.device), options)


def texture(options: Namespace) -> None:
    """Train the texture generator."""
    from ..devices import single_threaded_torch
    from .texture.loop import train_textures
    from .texture.recipe import read_texture_recipe
    from .texture.textures import textures_of_run

    recipe = read_texture_recipe(options.config)
    if options.max_seconds is not None:
        recipe = replace(recipe, run=replace(recipe.run, max_seconds=options.max_seconds))
    with single_threaded_torch():
        textures = textures_of_run(
            options.out,
            options.data,
            recipe.window,
            recipe.size.side,
            recipe.run.textures,
            recipe.learning.seed,
        )
        outcome = train_textures(recipe, textures, options.out, options.resume, options.device, options.data)
    _say_outcome(outcome)


def calibrate(options: Namespace) -> None:
    """Learn how a points network errs."""
    from ..evaluation.calibration import save_detector
    from ..heads.loader import load_head
    from .perception.calibrate import calibrate_points

    detector = calibrate_points(load_head(), sorted(options.data.glob("*.npz")), options.weights)
    save_detector(options.out, detector)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")


def recognition(options: Namespace) -> None:
    """Learn what recognition says about shape."""
    from ..devices import single_threaded_torch
    from ..heads.loader import load_head
    from .perception.real_set import read_real
    from .recognition import learn_shape

    with single_threaded_torch():
        shards = sorted((options.data / "train").glob("*.npz"))
        portraits = read_real(options.data / "portraits.npz")
        regression, left = learn_shape(load_head(), shards, portraits, options.seed)
    regression.write(options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB; {left:.1%} of the shape's variance left")


def regressor(options: Namespace) -> None:
    """Train the regressor."""
    from .regressor.recipe import prepare_task, read_regressor_recipe

    recipe = read_regressor_recipe(options.config)
    _train(recipe, lambda: prepare_task(recipe, options.data, options.out, options.device, options.models), options)


def measure_regressor(options: Namespace) -> None:
    """Say how far a regressor's answers are from the truth."""
    from ..devices import single_threaded_torch
    from ..evaluation.held_out import read_held_out
    from ..heads.loader import load_head
    from .regressor.measure import measure

    with single_threaded_torch():
        figures, missed = measure(load_head(), read_held_out(options.data), weights=options.weights)
    for name, value in figures.items():
        print(f"{name} {value:.4f}")
    print(f"{missed} pictures without a usable face")


def eg3d_dataset(options: Namespace) -> None:
    """Draw heads with EG3D."""
    from ..devices import single_threaded_torch
    from ..eg3d.job import read_generator
    from .eg3d.dataset import draw_set
    from .eg3d.poses import HELD_OUT, TRAINING
    from .eg3d.samples import Drawing

    stream, start = HELD_OUT if options.held_out else TRAINING, perf_counter()
    drawing = Drawing(options.seed, stream, options.truncation, options.jitter, options.resolution)
    generator = read_generator(options.generator, options.device)
    with single_threaded_torch():
        drawn = draw_set(
            generator.network, generator.sha256, options.out, options.count, drawing, options.batch,
            lambda done: _say_speed(done, start),
        )  # fmt: skip
    print(f"{options.out}: {drawn} of {options.count} pictures drawn now")


def depth(options: Namespace) -> None:
    """Train a depth network."""
    from .depth.recipe import prepare_depth, read_depth_recipe

    recipe = read_depth_recipe(options.config)
    _train(recipe, lambda: prepare_depth(recipe, options.data, options.out, options.device, options.weights), options)


def latents(options: Namespace) -> None:
    """Train a regressor of latents."""
    from .latents.recipe import prepare_latents, read_latent_recipe

    recipe = read_latent_recipe(options.config)
    if options.weights is not None:
        recipe = replace(recipe, start=options.weights)
    _train(
        recipe, lambda: prepare_latents(recipe, options.data, options.out, options.device, options.generator), options
    )


def _train(recipe: Any, prepare: Callable[[], Any], options: Namespace) -> None:
    """Train by a recipe with a `loop`, and say how it ended."""
    from ..devices import single_threaded_torch
    from .perception.loop import train

    loop = recipe.loop if options.max_seconds is None else replace(recipe.loop, max_seconds=options.max_seconds)
    try:
        with single_threaded_torch():  # batches are made in the same process: more threads wait for each other
            outcome = train(prepare(), loop, options.out, options.resume)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            "There was not enough memory to train.", "Resume with a smaller batch in the recipe."
        ) from error
    _say_outcome(outcome)


def _say_outcome(outcome: Outcome) -> None:
    for name, value in outcome.figures.items():
        print(f"{name} {value:.4f}")
    print(f"{outcome.step} steps, {'finished' if outcome.finished else 'to be gone on with'}: {outcome.checkpoint}")


def evaluation_set(options: Namespace) -> None:
    """Choose photos and make what a network is measured against."""
    from ..devices import single_threaded_torch
    from ..evaluation.prosopo import SetOptions, build_set
    from ..evaluation.prosopo_choice import Criteria

    chosen = SetOptions(
        generator=options.generator,
        regressor=options.regressor,
        method=options.method,
        count=options.count,
        criteria=Criteria(face=options.face),
        steps=options.steps,
        tuning_steps=options.tuning_steps,
        grid=options.grid,
        level=options.level,
        resolution=options.resolution,
        model_folder=options.models,
        seed=options.seed,
        device=options.device,
    )
    with single_threaded_torch():
        index = build_set(options.photos, options.out, chosen, lambda line: print(line, flush=True))
    print(f"{options.out}: {len(index['photos'])} photos, {len(index['left_out'])} left out")


def export(options: Namespace) -> None:
    """Write weights for use."""
    from .perception.recipes import export_run
    from .texture.recipe import export_texture_run, is_texture_run

    (export_texture_run if is_texture_run(options.run) else export_run)(options.run, options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
