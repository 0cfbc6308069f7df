"""A demo's learning: a fortnight that is made once, and lessons beside a running stack."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from beam_pipeline.domain.schemas import AD_EVENTS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import query
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.tables import create_tables
from beam_pipeline.training import skew
from infra.local import fortnight as fortnights
from infra.local.fortnight import Fortnight, Size
from infra.local.learning import Learning
from infra.local.lesson import models_folder, read_lesson
from infra.local.parts import Reference
from infra.local.paths import ROOT
from infra.local.stack import Endpoints, Stack
from simulator.cli import main as simulate
from tests.training.conftest import bigquery_flags

LITTLE = Size(customers=200, rate=0.02)
TODAY = fortnights.today()
DAY = timedelta(days=1)


class Apart(Stack):
    """The session's stack, with a BigQuery dataset of these tests' own."""

    @property
    def endpoints(self) -> Endpoints:
        """The same services."""
        return replace(super().endpoints, dataset="lessons")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Customers and tracks as a demo has them, only fewer."""
    reference = Reference(tmp_path_factory.mktemp("reference"), customers=600, tracks=300)
    for name, file in (("customers", reference.customers_file), ("tracks", reference.tracks_file)):
        count = str(getattr(reference, name))
        assert simulate([name, "--count", count, "--output", str(file)]) == 0
    return reference


@pytest.fixture(scope="module")
def kept(reference: Reference, tmp_path_factory: pytest.TempPathFactory) -> Fortnight:
    """A little fortnight, simulated and closed."""
    fortnight = Fortnight.of(tmp_path_factory.mktemp("learning"), TODAY)
    fortnight.simulate(reference, LITTLE, print)
    fortnight.close(reference, print)
    return fortnight


def test_a_fortnight_is_made_once_and_serves_while_features_look_back_on_it(
    kept: Fortnight, reference: Reference
) -> None:
    root, said = kept.folder.parent, list[str]()
    for later in range(14):
        again = Fortnight.of(root, TODAY + later * DAY)
        assert again == kept
        again.simulate(reference, LITTLE, said.append)
        again.close(reference, said.append)
    assert said == []
    assert Fortnight.of(root, TODAY + 14 * DAY).last == TODAY + 12 * DAY
    features = kept.folder / "features.txt"
    meant = features.read_text()
    features.write_text("other features")
    other = Fortnight.of(root, TODAY + DAY)
    features.write_text(meant)
    assert other.last == TODAY - DAY
    assert not other.folder.exists()


def test_those_who_listened_are_the_demos_customers_and_nothing_is_left_but_what_is_used(
    kept: Fortnight, reference: Reference
) -> None:
    people = pl.read_csv(reference.customers_file)["CustID"]
    heard = pl.read_parquet(kept.days / "profiles" / "*.parquet")["customer_id"].unique()
    assert 100 < heard.len() <= LITTLE.customers
    assert heard.is_in(people.to_list()).all()
    assert {file.name for file in kept.folder.iterdir()} == {"key", "days", "features.txt"}
    assert len(list((kept.days / "profiles").iterdir())) == 14
    assert 0 < kept.bayes_error < 0.10


def bigquery_of(stack: Stack) -> BigQueryConfig:
    """The stack's dataset."""
    ends = stack.endpoints
    return BigQueryConfig(ends.project, ends.dataset, ends.bigquery, ends.bigquery_grpc)


@pytest.fixture
def learning(stack: Stack, kept: Fortnight, tmp_path: Path) -> Iterator[Learning]:
    """Learning beside the session's stack, from nothing."""
    apart = Apart(stack.home, stack.ports)
    redis = connect(stack.redis)
    redis.flushdb()
    assert stack.bigquery
    client = bigquery_of(apart).client()
    client.delete_dataset("lessons", delete_contents=True, not_found_ok=True)
    create_tables(client, "lessons")
    (tmp_path / "data").mkdir()
    yield Learning(apart, kept, tmp_path)
    redis.flushdb()
    redis.close()


def test_a_lesson_takes_up_what_the_demo_has_settled_and_leaves_features_without_skew(
    learning: Learning, capsys: pytest.CaptureFixture[str]
) -> None:
    config = bigquery_of(learning.stack)
    assert read_lesson(learning.home) is None
    learning.begin()
    moment = datetime.now(UTC) - timedelta(minutes=20)
    sink = config.open()
    sink.write("ad_events", shown_at(moment, learning.fortnight))
    sink.close()
    lesson = learning.lesson(TODAY)
    assert read_lesson(learning.home) == lesson
    assert lesson.today == (1 if moment.date() == TODAY else 0)
    assert lesson.outcome == "refused"
    assert lesson.live is None
    assert lesson.reasons[0].startswith("test examples is ")
    assert lesson.bayes_error == learning.fortnight.bayes_error
    assert f"gate refused; {lesson.reasons[0]}" in lesson.sentence()
    kept = list(models_folder(learning.home).glob("*/report.json"))
    assert [report.parent.name for report in kept] == [lesson.version]
    examples = pl.read_parquet(learning.fortnight.days / "training_examples" / "*.parquet")
    counted = query(
        config, "SELECT COUNT(*) AS n FROM training_examples WHERE as_of > '2000-01-01'"
    )
    assert counted["n"].item() == examples.height + 1
    capsys.readouterr()
    flags = ("--day", str(TODAY), "--redis", learning.stack.endpoints.redis)
    assert skew.main([*bigquery_flags(config), *flags], datetime.now(UTC)) == skew.EQUAL
    assert json.loads(capsys.readouterr().out)["equal"] > 100


def shown_at(moment: datetime, fortnight: Fortnight) -> pl.DataFrame:
    """One offer, shown at a moment to somebody who listened in the fortnight."""
    profiles = pl.read_parquet(fortnight.days / "profiles" / "*.parquet")
    customer = profiles["customer_id"][0]
    offer = f"gold-1day:{customer}"
    row = ("s", customer, "ADV_REDUCED_1DAY", "shown", offer, moment, moment, False)
    return pl.DataFrame([row], schema=AD_EVENTS, orient="row")


@pytest.mark.parametrize(("words", "told"), [
    (("watch", "--home", "{home}"), "No Redis runs at"),
    (("simulate", "--wrong"), "Unrecognized arguments: --wrong"),
    ((), "required"),
])  # fmt: skip
def test_bad_input_gives_one_sentence_and_exit_code_2(
    words: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    flags = [word.format(home=tmp_path) for word in words]
    command = [sys.executable, "-m", "infra.local.learning", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
