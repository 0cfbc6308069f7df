"""Plays through everything that is real: function, emulator, pipeline, stores."""

from __future__ import annotations

import time
from pathlib import Path

from infra.local.stack import Stack
from tests.e2e.stores import differences
from tests.e2e.system import ingest_of, new_system, post_all, wait_until
from tests.e2e.traffic import Post, reference, traffic
from tests.oracle import account


def test_every_store_holds_what_the_oracle_says(stack: Stack, tmp_path: Path) -> None:
    posts = traffic(seed=1)
    expected = account([post.message() for post in posts], reference())
    assert expected.interests()
    assert expected.dead_letters
    with new_system(stack, tmp_path) as system, ingest_of(system) as ingest:
        system.start_pipeline()
        post_all(ingest, posts)
        wait_until(lambda: differences(system, expected), system.say)


def as_file(posts: list[Post], kind: str, path: Path) -> str:
    """The requests of a kind as NDJSON whose lines say when they were published, if they can."""
    lines = []
    for post in posts:
        published = b'{"published_at":"%s",' % post.published_at.encode()
        whole = [line.startswith(b'{"') for line in post.lines]
        lines += [
            line.replace(b"{", published, 1) if fine else line
            for line, fine in zip(post.lines, whole, strict=True)
            if post.kind == kind
        ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def test_files_leave_in_the_real_stores_what_a_stream_leaves(stack: Stack, tmp_path: Path) -> None:
    """Minutes of health apart: a line that cannot be read has the time of one before it."""
    posts = traffic(seed=1)
    expected = account([post.message() for post in posts], reference())
    with new_system(stack, tmp_path) as system:
        plays = as_file(posts, "play", tmp_path / "plays.ndjson")
        ads = as_file(posts, "ad", tmp_path / "ads.ndjson")
        files = ("--plays", plays, "--ad-events", ads)
        system.run("main", *files, "--shards", "2", *system.store_flags())
        assert differences(system, expected, by_minute=False) is None


def test_a_pipeline_killed_and_started_again_leaves_no_trace(stack: Stack, tmp_path: Path) -> None:
    posts = traffic(seed=2, requests=90)
    expected = account([post.message() for post in posts], reference())
    with new_system(stack, tmp_path) as system, ingest_of(system) as ingest:
        system.start_pipeline()
        post_all(ingest, posts[:30])
        half = account([post.message() for post in posts[:30]], reference())
        wait_until(lambda: differences(system, half), system.say)
        post_all(ingest, posts[30:45])
        time.sleep(0.2)
        system.kill_pipeline()
        post_all(ingest, posts[45:60])
        system.start_pipeline()
        post_all(ingest, posts[60:])
        wait_until(lambda: differences(system, expected), system.say)
