"""The board's addresses: the page, its files, its data. Reads only, and says so in headers."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import msgspec
from flask import Request, Response

from functions.board import page
from functions.board.assets import Assets
from functions.board.cache import OneAtATime
from functions.board.catalogue import LANGUAGES, Catalogue, Language
from functions.board.data import LIGHT_S, Data, Unavailable
from functions.board.model import ModelReader
from functions.board.view import View, read_language
from functions.shared.http import Refusal, allow, answer

RETRY_AFTER_S = 4
_MOST_VIEWS = 64
_ASSET = re.compile(r"/assets/([0-9a-f]{12})/([a-z0-9.-]{1,40})")
"""Not /static/: that is the functions framework's own."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Board:
    """Serves the page. Whoever gets here may read all of it: who that is, is decided in front."""

    def __init__(
        self,
        data: Data,
        model: ModelReader,
        catalogue: Catalogue,
        *,
        customers: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data = data
        self._model = model
        self._catalogue = catalogue
        self._customers = customers
        self._assets = Assets.load(catalogue)
        self._pages = {
            language: page.render(
                catalogue, cast(Language, language), self._assets.version, customers=customers
            )
            for language in LANGUAGES
        }
        self._answers: OneAtATime[bytes] = OneAtATime(LIGHT_S, _MOST_VIEWS, monotonic)

    def __call__(self, request: Request) -> Response:
        """Answer a request; every refusal is a response, never an exception."""
        try:
            response = self._route(request)
        except Refusal as refusal:
            response = refusal.response()
        response.headers.update(HEADERS)
        return response

    def _route(self, request: Request) -> Response:
        allow(request, "GET") if request.method != "HEAD" else None
        asset = _ASSET.fullmatch(request.path)
        if asset is not None:
            return self._file(request, asset[1], asset[2])
        if request.path == "/healthz":
            return answer(200, {"status": "ok"})
        if request.path in ("", "/"):
            self._view(request)
            content = self._pages[read_language(request.args)]
            return _packed(request, gzip.compress(content, 6), content, "text/html; charset=utf-8")
        if request.path == "/data":
            return self._json(request, "page", self._view(request), self._page)
        if request.path == "/customers" and self._customers:
            view = self._view(request)
            if view.state is None:
                raise Refusal(400, "no_state", "state says whose customers are asked for")
            return self._json(request, "customers", view, self._customers_of)
        raise Refusal(404, "not_found", "there is /, /data and /healthz")

    def _view(self, request: Request) -> View:
        return View.read(request.args, self._catalogue.words.states)

    def _page(self, view: View) -> bytes:
        found = self._data.page(view)
        found["charts"]["model"] = {"rows": self._model.rows()}
        return gzip.compress(msgspec.json.encode(found), 5)

    def _customers_of(self, view: View) -> bytes:
        return gzip.compress(msgspec.json.encode({"rows": self._data.customers_of(view)}), 5)

    def _json(
        self, request: Request, name: str, view: View, make: Callable[[View], bytes]
    ) -> Response:
        try:
            gzipped = self._answers.get(
                (name, replace(view)), lambda: make(view), failures=Unavailable
            )
        except Unavailable:
            raise Refusal(
                503,
                "unavailable",
                "the data cannot be reached just now",
                {"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        return _packed(request, gzipped, None, "application/json")

    def _file(self, request: Request, version: str, name: str) -> Response:
        asset = self._assets.files.get(name)
        if asset is None:
            raise Refusal(404, "not_found", "there is no such file")
        response = _packed(request, asset.gzipped, asset.content, asset.media_type)
        if version == self._assets.version:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _packed(request: Request, gzipped: bytes, content: bytes | None, media_type: str) -> Response:
    """A response, compressed for whoever takes it so."""
    takes_gzip = request.accept_encodings.quality("gzip") > 0
    if not takes_gzip and content is None:
        content = gzip.decompress(gzipped)
    response = Response(gzipped if takes_gzip else content, content_type=media_type)
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-store"
    return response
