"""Training reaches the optimum, and a run that was stopped goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import EngineError, ModelFileError, OutputError
from engine.training.perception import checkpoints
from engine.training.perception.log import read_log
from engine.training.perception.loop import TrainingConfig, train

TRUTH = torch.tensor([[2.0, -1.0, 0.5]])
QUICK = TrainingConfig(
    steps=30, learning_rate=0.05, warm_up=5, weight_decay=0.0, log_every=10, validate_every=10, save_every=10
)


class Line:
    """Toy: find the three factors of a noisy linear function. A hidden layer with dropout and statistics if `deep`."""

    def __init__(self, deep: bool = False, broken: tuple[int, int] = (0, 0), kill_at: int = -1) -> None:
        torch.manual_seed(7)
        layers = [nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)] if deep else [nn.Linear(3, 1)]
        self.model: nn.Module = nn.Sequential(*layers)
        self.broken, self.kill_at, self.steps = range(*broken), kill_at, []

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        self.steps.append(step)
        if step == self.kill_at:
            os.kill(os.getpid(), signal.SIGTERM)
        generator = torch.Generator().manual_seed(step)
        inputs = torch.randn(16, 3, generator=generator)
        scale = float("nan") if step in self.broken else 1.0
        return inputs, scale * (inputs @ TRUTH.T + 0.1)

    def loss(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        error = self.model(batch[0]) - batch[1]
        return error.square().mean(), {"error": error.detach().abs().mean(), "one": 1.0}

    def validate(self) -> dict[str, float]:
        torch.rand(3)  # whatever validation draws must not change what follows
        inputs = torch.eye(3)
        return {"error": float((self.model(inputs) - inputs @ TRUTH.T - 0.1).abs().max()), "training": 0.0}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_known_optimum_is_reached(tmp_path: Path):
    task = Line()
    outcome = train(task, replace(QUICK, steps=600, learning_rate=0.1, average=0.95), tmp_path / "run")
    assert outcome.finished
    assert outcome.step == 600
    assert outcome.figures["error"] < 1e-3
    average = load_file(outcome.checkpoint / checkpoints.AVERAGE)
    torch.testing.assert_close(average["0.weight"], TRUTH, atol=1e-3, rtol=0)
    torch.testing.assert_close(average["0.bias"], torch.tensor([0.1]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("workers", "stop"), [(0, 20), (0, 17), (2, 17)])
def test_stopped_and_resumed_equals_uninterrupted(tmp_path: Path, workers: int, stop: int):
    whole = Line(deep=True)
    first = train(whole, QUICK, tmp_path / "whole")
    config = replace(QUICK, workers=workers)
    stopped = train(Line(deep=True, kill_at=stop), config, tmp_path / "parts")
    assert not stopped.finished
    assert 0 < stopped.step < QUICK.steps
    torch.rand(5)  # a new process would stand elsewhere
    resumed = Line(deep=True)
    second = train(resumed, config, tmp_path / "parts", resume=True)
    assert second.finished
    assert resumed.steps[0] == stopped.step
    for file in (checkpoints.MODEL, checkpoints.AVERAGE):
        one, other = load_file(first.checkpoint / file), load_file(second.checkpoint / file)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert first.figures == second.figures
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_a_crash_falls_back_to_the_last_checkpoint_and_its_log_lines_go(tmp_path: Path):
    class Crash(Line):
        def batch(self, step: int) -> tuple[Tensor, Tensor]:
            if step == 27:
                raise MemoryError
            return super().batch(step)

    whole = train(Line(), replace(QUICK, log_every=5), tmp_path / "whole")
    with pytest.raises(MemoryError):
        train(Crash(), replace(QUICK, log_every=5), tmp_path / "run")
    assert max(line["step"] for line in read_log(tmp_path / "run")) == 25
    again = Line()
    outcome = train(again, replace(QUICK, log_every=5), tmp_path / "run", resume=True)
    assert again.steps[0] == 20
    steps = [line["step"] for line in read_log(tmp_path / "run") if line["kind"] == "training"]
    assert steps == [5, 10, 15, 20, 25, 30]
    one, other = load_file(whole.checkpoint / checkpoints.MODEL), load_file(outcome.checkpoint / checkpoints.MODEL)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_time_limit_leaves_a_checkpoint(tmp_path: Path):
    outcome = train(Line(), replace(QUICK, max_seconds=0.0), tmp_path)
    assert (outcome.step, outcome.finished) == (0, False)
    assert checkpoints.load(outcome.checkpoint).step == 0
    assert train(Line(), QUICK, tmp_path, resume=True).finished


def test_end_signal_leaves_handlers_as_they_were(tmp_path: Path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    outcome = train(Line(kill_at=3), QUICK, tmp_path)
    assert outcome.step == 4
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path):
    train(Line(), replace(QUICK, save_every=5, keep=2), tmp_path)
    assert [folder.name for folder in checkpoints.find(tmp_path)] == ["00000025", "00000030"]
    assert sorted(path.name for path in (tmp_path / checkpoints.FOLDER).iterdir()) == ["00000025", "00000030"]


def test_log_holds_means_rates_and_validations(tmp_path: Path):
    train(Line(), QUICK, tmp_path)
    lines = read_log(tmp_path)
    assert [line["kind"] for line in lines] == ["start", *["training", "validation"] * 3, "end"]
    training = [line for line in lines if line["kind"] == "training"]
    assert all(line["one"] == 1.0 for line in training)
    assert training[0]["loss"] > training[-1]["loss"] > 0
    assert training[0]["rate"] == pytest.approx(QUICK.rate(9))
    assert lines[0]["config"]["steps"] == 30
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 31, "ki')  # cut off
    assert read_log(tmp_path) == lines


def test_rate_warms_up_and_falls():
    config = TrainingConfig(steps=1000, learning_rate=2.0, warm_up=99, final=0.1)
    assert config.rate(0) == pytest.approx(0.02)
    assert config.rate(99) == pytest.approx(2.0)
    assert config.rate(99 + 901 // 2) == pytest.approx(1.1, abs=0.01)
    assert config.rate(1000) == pytest.approx(0.2)
    assert all(config.rate(step) >= config.rate(step + 1) for step in range(99, 1000))


def test_average_follows_slowly_and_leaves_the_model_alone(tmp_path: Path):
    task = Line()
    outcome = train(task, replace(QUICK, average=1.0), tmp_path)
    first = Line().model.state_dict()["0.weight"]
    last = task.model.state_dict()["0.weight"]
    average = load_file(outcome.checkpoint / checkpoints.AVERAGE)["0.weight"]
    assert task.model.training
    share = (average - first) / (last - first)
    assert bool(((share > 0.0) & (share < 1.0)).all())


def test_steps_without_numbers_are_left_out_and_many_end_the_run(tmp_path: Path):
    outcome = train(Line(broken=(5, 8)), QUICK, tmp_path / "some")
    assert outcome.finished
    lines = read_log(tmp_path / "some")
    assert [line["step"] for line in lines if line["kind"] == "skipped"] == [6, 7, 8]
    assert all(line["loss"] == line["loss"] for line in lines if line["kind"] == "training")
    with pytest.raises(EngineError, match="diverged"):
        train(Line(broken=(5, 1000)), QUICK, tmp_path / "all")


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path):
    train(Line(), QUICK, tmp_path)
    with pytest.raises(OutputError, match="already holds"):
        train(Line(), QUICK, tmp_path)


def test_damaged_and_foreign_checkpoints_are_named(tmp_path: Path):
    outcome = train(Line(), QUICK, tmp_path)
    with pytest.raises(ModelFileError, match="another network"):
        train(Line(deep=True), QUICK, tmp_path, resume=True)
    state = outcome.checkpoint / checkpoints.STATE
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(ModelFileError, match="damaged"):
        train(Line(), QUICK, tmp_path, resume=True)
    (outcome.checkpoint / checkpoints.MODEL).unlink()
    with pytest.raises(ModelFileError, match="damaged"):
        checkpoints.load(outcome.checkpoint)


def test_checkpoints_run_no_code(tmp_path: Path):
    outcome = train(Line(), QUICK, tmp_path)

    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"step": Evil()}, outcome.checkpoint / checkpoints.STATE)
    with pytest.raises(ModelFileError, match="damaged"):
        checkpoints.load(outcome.checkpoint)
    assert not (tmp_path / "harm").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError):
        train(Line(), QUICK, tmp_path / "file" / "run")
    with pytest.raises(ValueError, match="at least 1"):
        TrainingConfig(steps=0)
    assert json.loads(json.dumps(QUICK.betas)) == [0.9, 0.999]
