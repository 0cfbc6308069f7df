"""From the simulator's listeners to the gate's verdict, through everything that lies between."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from beam_pipeline import daily
from beam_pipeline import main as pipeline
from beam_pipeline.training import train
from beam_pipeline.training.report import Report
from simulator.cli import main as simulate

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_listeners_whose_clicks_nobody_could_foretell_to_10_percent_give_a_refused_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, tracks, sim = (str(tmp_path / name) for name in ("c.csv", "t.csv", "run"))
    assert simulate(["customers", "--count", "2500", "--output", people]) == 0
    assert simulate(["tracks", "--count", "300", "--output", tracks]) == 0
    known = ("--customers", people, "--tracks", tracks)
    span = ("--start", "2026-03-02", "--days", "5", "--rate", "0.25")
    offers = ("--offers", "0.9", "--offers-after", "2", "--bayes-error", "0.14")
    assert simulate(["plays", *span, *offers, *known, "--output", sim]) == 0
    events = ("--plays", f"{sim}/plays.ndjson", "--ad-events", f"{sim}/ad-events.ndjson")
    left, days = str(tmp_path / "left"), str(tmp_path / "days")
    assert pipeline.main([*events, *known, "--output", left]) == 0
    closed = ("--since", "2026-03-02", "--day", "2026-03-07")
    assert daily.main([*closed, "--input", left, "--output", days], NOW) == 0
    models = tmp_path / "models"
    flags = ["--examples", f"{days}/training_examples", "--models", str(models)]
    assert train.main(flags, train.Surroundings(lambda: NOW, None)) == train.REFUSED
    capsys.readouterr()
    told = json.loads(Path(sim, "key", "summary.json").read_text())
    assert told["bayes_error"] > 0.12
    (file,) = models.glob("*/report.json")
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert report.model.error == pytest.approx(told["bayes_error"], abs=0.03)
    assert [reason.partition(" is ")[0] for reason in report.reasons] == ["error, upper bound"]
    assert not (models / "current.json").exists()
