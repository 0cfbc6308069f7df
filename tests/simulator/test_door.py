"""The door of the simulator: signed, retried, accounted for; against a small real HTTP server."""

import gzip
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from simulator.account import Account
from simulator.cli import main
from simulator.door import Caller, Door
from simulator.rules import DAY_MS
from tests.simulator.recount import read, recounted

ROOT = Path(__file__).parents[2]
HALF_HOUR = timedelta(minutes=30)
SECRET = "an-invented-secret-for-tests"


@dataclass
class Ingest:
    """Takes requests as the ingest function does, and misbehaves as it is told."""

    moods: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    taken: dict[str, list[bytes]] = field(default_factory=lambda: {"play": [], "ad": []})
    signatures: set[str] = field(default_factory=set)
    broken_off: int = 0
    asked: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, path: str, headers: Any) -> tuple[int, dict[str, Any]]:
        """What the offer function answers: something for one customer in two."""
        message = f"{headers['Encore-Timestamp']}.GET {path}".encode()
        if (
            headers["Encore-Signature"]
            != hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()
        ):
            return 401, {"error": "bad signature"}
        customer = int(path.removeprefix("/v1/offers/"))
        self.asked.append(customer)
        if customer % 2:
            return 204, {}
        return 200, {"offer_id": f"gold-1day:{customer}", "ad": "ADV_REDUCED_1DAY"}

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        kind = {"/v1/plays": "play", "/v1/ad-events": "ad"}[path]
        with self.lock:
            mood = self.moods.pop(0) if self.moods else "fine"
            if mood.isdigit():
                return int(mood), {"error": mood}
            stamp, signature = headers["Encore-Timestamp"], headers["Encore-Signature"]
            right = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256)
            if signature != right.hexdigest() or headers["Encore-Key-Id"] != "tests":
                return 401, {"error": "bad signature"}
            if signature in self.signatures or abs(float(stamp) - time.time()) > 300:
                return 403, {"error": "replayed"}
            self.signatures.add(signature)
            lines = gzip.decompress(body).split(b"\n")[:-1]
            self.requests.append({"kind": kind, "lines": len(lines), "mood": mood,
                                  "published": headers.get("Encore-Published-At"),
                                  "at": time.time()})  # fmt: skip
            return self.judge(kind, lines, headers.get("Encore-Published-At"))

    def judge(
        self, kind: str, lines: list[bytes], published: str | None
    ) -> tuple[int, dict[str, Any]]:
        at = published or datetime.now().astimezone().isoformat()
        rejected = []
        for index, line in enumerate(lines):
            dated = line.rstrip(b"}") + f',"published_at":"{at}"}}'.encode()
            whole = line if len(line) > 64 * 1024 or not line.endswith(b"}") else dated
            if read(whole, "played_at" if kind == "play" else "at") is None:
                rejected.append({"index": index, "event_id": None, "reason": "bad", "detail": ""})
            self.taken[kind].append(whole)
        accepted = len(lines) - len(rejected)
        return 202 if accepted else 400, {"accepted": accepted, "rejected": rejected}


@dataclass
class Served:
    ingest: Ingest
    url: str


@pytest.fixture
def served() -> Iterator[Served]:
    ingest = Ingest()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.tell(*ingest.offer(self.path, self.headers))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                ingest.broken_off += 1
                self.close_connection = True
                return
            code, told = ingest.answer(self.path, self.headers, body)
            if code == 599:
                self.close_connection = True
                return
            self.tell(code, told)

        def tell(self, code: int, told: dict[str, Any]) -> None:
            data = json.dumps(told).encode() if code != 204 else b""
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            if code == 429:
                self.send_header("Retry-After", "0.2")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Served(ingest, f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def flags(customers: Path, tracks: Path, tmp_path: Path) -> list[str]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    return ["http", "--customers", str(customers), "--tracks", str(tracks), "--key-id", "tests",
            "--secret-file", str(secret), "--key", str(tmp_path / "key"),
            "--status", str(tmp_path / "status.json")]  # fmt: skip


def summary(tmp_path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((tmp_path / "key" / "summary.json").read_text())
    return told


DAY = ["--simulated", "--start", "2026-03-02", "--hours", "12", "--rate", "0.1"]


@pytest.mark.parametrize(("within", "most"), [("1m", 720), ("4m", 180)])
def test_a_simulated_day_is_accounted_for_as_the_function_took_it(
    served: Served, flags: list[str], tmp_path: Path, within: str, most: int
) -> None:
    assert main([*flags, "--url", served.url, *DAY, "--faults", "usual", "--malformed", "0.05",
                 "--connections", "1", "--within", within]) == 0  # fmt: skip
    told = summary(tmp_path)
    plays = recounted(served.ingest.taken["play"], "play")
    ads = recounted(served.ingest.taken["ad"], "ad")
    for name in ("received", "accepted", "duplicate", "rejected", "late"):
        assert told[name] == getattr(plays, name) + getattr(ads, name), name
    assert told["plays"] == len(plays.plays)
    found = {
        (row["customer_id"], row["track_id"]): (row["since"], row["latest"], row["peak"])
        for row in pl.read_parquet(tmp_path / "key" / "interests.parquet").iter_rows(named=True)
    }
    assert found == plays.interests()
    published = [request["published"] for request in served.ingest.requests]
    assert published == sorted(published)
    assert all(request["lines"] <= 200 for request in served.ingest.requests)
    plays_of_the_day = [
        one
        for one in served.ingest.requests
        if one["kind"] == "play" and one["published"] < "2026-03-02T12"
    ]
    assert 0.7 * most < len(plays_of_the_day) <= most


def test_what_a_simulated_run_holds_does_not_grow_with_its_days(
    served: Served, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is posted is settled as time goes on; the key loses nothing by it."""
    by_day: dict[int, int] = {}
    take = Account.take

    def measured(self: Account, kind: str, events: pl.DataFrame) -> None:
        take(self, kind, events)
        held = sum(part.height for parts in self.recent.blocks.values() for part in parts)
        day = max(events["published"].to_list()) // DAY_MS
        by_day[day] = max(by_day.get(day, 0), held)

    monkeypatch.setattr(Account, "take", measured)
    days = ["--simulated", "--start", "2026-03-02", "--hours", "72", "--rate", "0.05"]
    assert main([*flags, "--url", served.url, *days, "--within", "4m", "--connections", "1"]) == 0
    first, *later = [by_day[day] for day in sorted(by_day)]
    assert len(later) >= 2
    assert max(later) < 1.5 * first
    counted = pl.read_parquet(tmp_path / "key" / "listening.parquet")
    every = counted.filter(
        pl.col("dimension") == "all", pl.col("window_end") - pl.col("window_start") < HALF_HOUR
    )
    plays = recounted(served.ingest.taken["play"], "play")
    assert every["plays"].sum() == plays.accepted - plays.late


def test_refusals_by_the_function_are_followed_and_disagreements_counted(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    assert main([*flags, "--url", served.url, *DAY, "--malformed", "0.1"]) == 0
    told = summary(tmp_path)
    assert told["rejected_by_reason"] == {"bad": told["rejected"]}
    assert told["disagreements"] == told["rejected"] > 100, "the function says 'bad', we know more"
    rejects = pl.read_parquet(tmp_path / "key" / "rejects.parquet")
    assert {"not_json", "missing_field", "out_of_range"} <= set(rejects["expected"])


def test_busy_broken_and_lost_answers_are_tried_again_under_fresh_signatures(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    served.ingest.moods = ["503", "429", "fine", "599", "500", "fine", "502"]
    assert main([*flags, "--url", served.url, *DAY]) == 0
    told = summary(tmp_path)
    lines = sum(map(len, served.ingest.taken.values()))
    assert told["sent"] == told["received"] == lines
    assert told["retries"] == 5
    assert told["unsure_events"] > 0, "after a lost answer nobody knows"
    assert told["given_up"] == 0


def test_no_two_signatures_are_alike_even_within_a_microsecond() -> None:
    door = Door(
        "http://127.0.0.1:9", Caller("tests", b"secret"), threading.Event(), clock=lambda: 5
    )
    signed = [door._signed(b"the same body") for _ in range(3)]
    assert [one["Encore-Timestamp"] for one in signed] == ["5.000000", "5.000001", "5.000002"]
    assert len({one["Encore-Signature"] for one in signed}) == 3
    door.close()


def test_a_request_that_is_cut_off_counts_for_nothing_and_is_sent_whole(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    assert main([*flags, "--url", served.url, *DAY, "--cut", "0.05:3"]) == 0
    told = summary(tmp_path)
    assert told["cut"] == served.ingest.broken_off > 5
    assert told["sent"] == told["received"] == sum(map(len, served.ingest.taken.values()))
    assert told["retries"] == told["unsure_events"] == 0


def test_listeners_ask_for_offers_as_they_log_in_and_tell_what_came_of_them(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    assert main([*flags, "--url", served.url, "--offer-url", served.url, "--for", "4",
                 "--rate", "40", "--base-upgrades", "0.5", "--uplift", "0.4"]) == 0  # fmt: skip
    ads = [json.loads(line) for line in served.ingest.taken["ad"]]
    shown = {ad["customer_id"] for ad in ads if ad["action"] == "shown" and ad.get("offer_id")}
    assert shown == {customer for customer in served.ingest.asked if customer % 2 == 0} != set()
    assert len(served.ingest.asked) == len(set(served.ingest.asked)), "once a session"
    assert all(
        ad["offer_id"] == f"gold-1day:{ad['customer_id']}" for ad in ads if ad.get("offer_id")
    )
    told = summary(tmp_path)
    asked = pl.read_parquet(tmp_path / "key" / "asked.parquet")
    assert told["showings"] == asked.height == len(shown)
    assert told["received"] == sum(map(len, served.ingest.taken.values()))


def test_a_refusal_for_good_ends_the_run_with_one_sentence_and_its_key(
    served: Served, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.ingest.moods = ["fine", "fine", "413"]
    assert main([*flags, "--url", served.url, *DAY, "--connections", "1"]) == 1
    assert "answers 413" in capsys.readouterr().err
    told = summary(tmp_path)
    assert told["received"] == sum(map(len, served.ingest.taken.values())) > 0
    assert told["received"] + told["given_up"] == told["sent"]


def test_a_door_that_never_opens_is_given_up(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = ["--url", "http://127.0.0.1:9", "--patience", "0.5"]
    assert main([*flags, *gone, "--backlog", "5m", "--rate", "5"]) == 1
    assert "took nothing for 0.5 s" in capsys.readouterr().err
    assert summary(tmp_path)["received"] == 0


def test_the_backlog_comes_first_and_then_what_happens_now(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    before = time.time()
    span = ["--backlog", "10m", "--for", "3", "--rate", "20", "--flat"]
    assert main([*flags, "--url", served.url, *span]) == 0
    told = summary(tmp_path)
    plays = recounted(served.ingest.taken["play"], "play")
    ages = [play.published_at - play.played_at for play in plays.plays.values()]
    assert max(ages).total_seconds() > 550
    assert min(ages).total_seconds() < 2
    assert time.time() - before >= 3
    assert told["received"] == told["accepted"] == len(plays.plays) + told["ad_events"] > 10_000
    assert all(request["published"] is None for request in served.ingest.requests)
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["phase"] == "done"
    assert status["sent"] == told["received"]


def test_told_to_stop_it_finishes_what_is_under_way_and_writes_its_key(
    served: Served, flags: list[str], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", *flags, "--url", served.url, "--live", "--rate", "50"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not served.ingest.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    told = json.loads(output)
    assert told == summary(tmp_path)
    assert told["received"] == sum(map(len, served.ingest.taken.values())) > 0
