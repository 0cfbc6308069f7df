"""Serves a board over real HTTP in this process, so that its clock can be handed in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elasticsearch import Elasticsearch
from flask import Flask, Request, Response, request
from werkzeug.serving import make_server

from functions.board.catalogue import load
from functions.board.data import Data
from functions.board.door import Board
from functions.board.model import ModelReader
from functions.board.progress import ProgressReader

Handler = Callable[[Request], Response]


def board(
    elasticsearch: str,
    redis: str | None,
    clock: Callable[[], float],
    *,
    customers: bool = True,
    model: str | None = None,
    monotonic: Callable[[], float] | None = None,
) -> Board:
    """A board on these stores, nothing cached yet; its caches go by the same clock."""
    monotonic = monotonic or clock
    client = Elasticsearch(elasticsearch, request_timeout=30, max_retries=0)
    data = Data(client, ProgressReader(redis), load(), customers=customers, clock=clock)
    reader = ModelReader(model, monotonic)
    return Board(data, reader, load(), customers=customers, monotonic=monotonic)


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """The address at which `handler` answers while the block runs."""
    app = Flask("board", static_folder=None)

    def answer(path: str) -> Response:
        del path
        return handler(request)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    app.add_url_rule("/", "root", answer, methods=methods, defaults={"path": ""})
    app.add_url_rule("/<path:path>", "rest", answer, methods=methods)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
