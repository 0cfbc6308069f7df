"""The Cloud Function `board`: what the functions framework calls.

    python -m functions.board.build
    functions-framework --source functions/board/main.py --target board

The board is put together at the first request, after the server has forked its workers.
"""

from __future__ import annotations

import os
import time

from elasticsearch import Elasticsearch
from flask import Request, Response

from functions.board.catalogue import load
from functions.board.data import Data
from functions.board.door import Board
from functions.board.model import ModelReader
from functions.board.progress import ProgressReader
from functions.board.settings import Settings
from functions.shared.lazy import Lazy

TIMEOUT_S = 8.0


def _open() -> Board:
    settings = Settings.read(os.environ)
    client = Elasticsearch(
        settings.elasticsearch_url,
        api_key=settings.elasticsearch_api_key,
        request_timeout=TIMEOUT_S,
        max_retries=0,
        retry_on_timeout=False,
    )
    catalogue = load()
    data = Data(client, ProgressReader(settings.redis_url), catalogue, customers=settings.customers)
    model = ModelReader(settings.model, time.monotonic)
    return Board(data, model, catalogue, customers=settings.customers)


_door = Lazy(_open)


def board(request: Request) -> Response:
    """Answer one request."""
    return _door(request)
