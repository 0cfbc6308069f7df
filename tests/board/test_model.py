"""The model card in the cloud: the pointer is in a bucket that the board's account may read."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from flask import Request, Response

from functions.board.model import ModelReader
from tests.board.serving import serving

PLACE = "gs://bucket/models/current.json"


def test_in_a_bucket_the_pointer_is_read_with_the_functions_own_account() -> None:
    asked: list[str] = []
    now = 0.0

    def google(request: Request) -> Response:
        asked.append(request.path)
        if request.path.endswith("/token"):
            assert request.headers["Metadata-Flavor"] == "Google"
            return Response('{"access_token": "mine", "expires_in": 3600, "token_type": "Bearer"}')
        assert request.headers["Authorization"] == "Bearer mine"
        assert unquote(request.path) == "/storage/v1/b/bucket/o/models/current.json"
        assert request.args["alt"] == "media"
        return Response('{"live": {"version": "2026-03-01-1", "metrics": {"error": 0.072}}}')

    with serving(google) as url:
        reader = ModelReader(PLACE, lambda: now, url, url)
        (row,) = reader.rows()
        assert (row["version"], row["error"]) == ("2026-03-01-1", 0.072)
        now = 11.0
        assert reader.rows() == [row]
        now = 3600.0
        assert reader.rows() == [row]
    assert len(asked) == 5
    assert sum(path.endswith("/token") for path in asked) == 2


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_bucket_that_does_not_give_it_shows_no_card(status: int) -> None:
    with serving(lambda _: Response(status=status)) as url:
        assert ModelReader(PLACE, lambda: 0.0, url, url).rows() == []
