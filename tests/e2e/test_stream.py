"""Plays through everything that is real: function, emulator, pipeline, stores."""

from __future__ import annotations

import time
from pathlib import Path

from infra.local.stack import Stack
from tests.e2e.stores import differences
from tests.e2e.system import ingest_of, new_system, post_all, wait_until
from tests.e2e.traffic import reference, traffic
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
