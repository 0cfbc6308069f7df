"""The command line: a stranger is helped, and a mistake is one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import main

ROOT = Path(__file__).parents[2]
START = ["--start", "2026-03-02", "--hours", "1"]


def complaint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that must end with 2 says, one line on standard error."""
    try:
        code: object = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    said = capsys.readouterr()
    assert code == 2
    assert not said.out
    assert said.err.count("\n") == 1
    return said.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("customers", "tracks", "plays", "http", "import")
    for asked in ([], *([name] for name in names)):
        with pytest.raises(SystemExit) as leaving:
            main([*asked, "--help"])
        assert leaving.value.code == 0
        said = capsys.readouterr().out
        assert all(name in said for name in (asked or names))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["listen"], "listen"),
        (["customers", "--count", "0", "--output", "x"], "'0' is not a whole number from 1 on"),
        (["customers", "--count", "5"], "--output"),
        (["plays", *START, "--rate", "-1"], "--rate"),
        (["plays", *START, "--rate", "nan"], "--rate"),
        (["plays", *START, "--malformed", "2"], "--malformed"),
        (["plays", *START, "--malformed", "0.1:x"], "--malformed"),
        (["plays", *START, "--bayes-error", "0.4"], "--bayes-error"),
        (["plays", *START, "--days", "2"], "not allowed with"),
        (["plays", "--start", "soon", "--hours", "1"], "'soon' is not a time"),
    ],
)
def test_a_bad_flag_is_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in complaint(arguments, capsys)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--url", "nowhere", "--live"], "nowhere is not an address"),
        (["--url", "http://127.0.0.1:1"], "--backlog, --live or --simulated"),
        (["--url", "http://127.0.0.1:1", "--backlog", "3h"], "at most 110m"),
        (["--url", "http://127.0.0.1:1", "--live", "--key-id", "a"], "belong together"),
        (["--url", "http://127.0.0.1:1", "--simulated"], "--start, and either"),
        (["--url", "http://127.0.0.1:1", "--live", "--hours", "1"], "belong to --simulated"),
        (["--url", "http://127.0.0.1:1", "--live", "--batch", "5000"], "--batch"),
        (["--url", "http://127.0.0.1:1", "--simulated", "--within", "5m"], "up to 4m"),
        (
            ["--url", "http://127.0.0.1:1", "--live", "--key-id", "a", "--secret-file", "/none"],
            "/none cannot be read",
        ),
    ],
)
def test_a_bad_way_to_post_is_one_sentence(
    flags: list[str],
    words: str,
    customers: Path,
    tracks: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["http", "--customers", str(customers), "--tracks", str(tracks), *flags]
    assert words in complaint(given, capsys)


def test_files_that_cannot_be_used_are_one_sentence(
    customers: Path, tracks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ["--customers", str(customers), "--tracks", str(tracks)]
    empty = tmp_path / "empty.csv"
    empty.write_text("CustID,Name\n")
    words = tmp_path / "words.csv"
    words.write_text("TrackId,Title,Artist,Length\nx,A,B,1\n")
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    out = ["--output", str(tmp_path / "out")]
    for flags, text in (
        (["--customers", "/none.csv", "--tracks", str(tracks), *out], "There is no file /none.csv"),
        (["--customers", str(tracks), "--tracks", str(tracks), *out], "lacks the column CustID"),
        (["--customers", str(empty), "--tracks", str(tracks), *out], "lacks the column"),
        (["--customers", str(customers), "--tracks", str(words), *out], "words.csv"),
        ([*good, "--output", str(full)], "is not empty"),
        ([*good, "--output", "/proc/nothing"], "cannot be made"),
        ([*good, *out, "--start", "2001-01-01"], "No customer of the file"),
    ):
        said = complaint(["plays", *START, *flags], capsys)
        assert text in said
    assert not (tmp_path / "out" / "plays.ndjson").exists(), "nothing half-written"


def test_the_summary_is_printed_as_one_json_line(
    customers: Path, tracks: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator", "plays", *START, "--customers", str(customers),
         "--tracks", str(tracks), "--output", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    summary = json.loads(done.stdout)
    assert summary["received"] == summary["lines"] > 100
    written = json.loads((tmp_path / "out" / "key" / "summary.json").read_text())
    assert summary.items() >= written.items()


def test_an_original_log_becomes_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, output = tmp_path / "log.csv", tmp_path / "plays.ndjson"
    log.write_text(
        '0,48,453,"2014-10-23 03:26:20",0,"72132"\n1,1081,19,"2014-10-15 18:32:14",1,"07307"\n'
    )
    assert main(["import", "--log", str(log), "--output", str(output)]) == 0
    first, second = map(json.loads, output.read_text().splitlines())
    assert first == {
        "event_id": "0", "customer_id": 48, "track_id": 453, "is_mobile": False, "zip": "72132",
        "played_at": "2014-10-23T03:26:20Z",
    }  # fmt: skip
    assert (second["is_mobile"], second["zip"]) == (True, "07307")
    capsys.readouterr()
    for text, words in (
        ("1,2,3\n", "3 columns"),
        ('0,48,453,"2014-10-23",0,"72132"\n', "number 1"),
        ('0,48,453,"2014-10-23 03:26:20",2,"72132"\n', "number 1"),
        ('0,48,x,"2014-10-23 03:26:20",1,"72132"\n', "number 1"),
    ):
        log.write_text(text)
        assert words in complaint(["import", "--log", str(log), "--output", str(output)], capsys)


def test_the_original_log_that_came_with_the_seed(tmp_path: Path) -> None:
    log = ROOT.parent / "shared" / "data" / "tracks_live.csv"
    if not log.exists():
        pytest.skip("the original data is not here")
    output = tmp_path / "plays.ndjson"
    assert main(["import", "--log", str(log), "--output", str(output)]) == 0
    plays = list(map(json.loads, output.read_text().splitlines()))
    assert len(plays) == 3474
    identities = {(play["customer_id"], play["event_id"]) for play in plays}
    assert len(identities) == 2682
