"""The first thing a newcomer runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import demo


@pytest.mark.slow
def test_writes_everything_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "OUT", tmp_path / "astronaut")
    code = demo.main()
    output = capfd.readouterr()
    assert code == 0, output.err
    for name in demo.RESULTS:
        assert (tmp_path / "astronaut" / name).stat().st_size > 0
        assert name in output.out
