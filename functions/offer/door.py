"""Offer: what to show a customer at login, or nothing; login never waits on us."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Request, Response

from beam_pipeline.domain.offers import ACTIVE, GOLD, HOLDOUT, MAX_ID, OFFERS, Offer, offer_id
from functions.offer.settings import Settings
from functions.shared.admission import ADMIT_FUNCTION, admission_keys, check_verdict
from functions.shared.clock import now_ms
from functions.shared.http import Refusal, allow, answer
from functions.shared.logs import Tally
from functions.shared.signing import Caller, Guard, payload
from functions.shared.store import Store, StoreDown

STORE_TIMEOUT_S = 0.05
"""How long one step of talking to Redis may take: connecting is one, asking another."""

_PATH = re.compile(r"/v1/offers/(0|[1-9]\d{0,18})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME_MS = 253_402_300_800_000
"""The year 10000, which no clock can show."""

CHOOSE = f"""{ADMIT_FUNCTION}
-- Admits the caller, then finds the first offer that the customer may be shown and counts it.
-- KEYS seen:{{signature}}, rate:offer:{{key}}, customer:{{id}}, target:{{id}}, shows:{{id}}:{{day}}
-- ARGV lifetime in s, requests a second, bucket size, now in ms, then id and shows a day of each
-- Gives the verdict of admit, and where there is an offer its id and its `until`
local verdict = admit(KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 1)
if verdict ~= 0 then return {{verdict}} end

local function read(text)
  local fine, value = pcall(cjson.decode, text or '')
  if fine and type(value) == 'table' then return value end
  return {{}}
end

local customer = read(redis.call('GET', KEYS[3]))
local level = tonumber(customer.level)
if customer.status ~= {ACTIVE} or not level or level >= {GOLD} then return {{0}} end

for place = 5, #ARGV, 2 do
  local target = read(redis.call('HGET', KEYS[4], ARGV[place]))
  local ends = tonumber(target['until']) or 0
  local open = tonumber(ARGV[4]) < ends and ends < {_END_OF_TIME_MS}
  if open and target.channel ~= '{HOLDOUT}' then
    local shown = tonumber(redis.call('HGET', KEYS[5], ARGV[place])) or 0
    if shown < tonumber(ARGV[place + 1]) then
      redis.call('HINCRBY', KEYS[5], ARGV[place], 1)
      redis.call('EXPIRE', KEYS[5], 172800)
      return {{0, ARGV[place], string.format('%.0f', ends)}}
    end
  end
end
return {{0}}
"""


class Offers:
    """Answers in one round trip to Redis; without Redis there is no offer, and at once."""

    def __init__(
        self, settings: Settings, store: Store, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._guard = Guard(settings.auth.keys, clock)
        self._choose = store.script(CHOOSE)
        self._clock = clock
        self._without = Tally("offer_without_redis", "no offer: redis is not answering")
        self._offers = [each for offer in OFFERS.values() for each in (offer.id, offer.shows_a_day)]

    def __call__(self, request: Request) -> Response:
        """Answer a request; every refusal is a response, never an exception."""
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.response()

    def _route(self, request: Request) -> Response:
        if request.path == "/healthz":
            allow(request, "GET")
            return answer(200, {"status": "ok"})
        found = _PATH.fullmatch(request.path)
        if found is None or int(found[1]) > MAX_ID:
            raise Refusal(404, "not_found", "there is /v1/offers/{customer_id} and /healthz")
        allow(request, "GET")
        caller = self._caller(request)
        ms = now_ms(request, self._settings.simulated_time, self._clock)
        return self._answer(caller, int(found[1]), ms)

    def _answer(self, caller: Caller, customer_id: int, ms: int) -> Response:
        try:
            verdict, *chosen = self._ask(caller, customer_id, ms)
        except StoreDown:
            self._without.count()
            return answer(204, None)
        check_verdict(int(verdict))
        if not chosen:
            return answer(204, None)
        return answer(200, _told(OFFERS[chosen[0].decode()], customer_id, int(chosen[1])))

    def _ask(self, caller: Caller, customer_id: int, ms: int) -> list[Any]:
        day = (_EPOCH + timedelta(milliseconds=ms)).date().isoformat()
        keys = [
            *admission_keys("offer", caller),
            f"customer:{customer_id}",
            f"target:{customer_id}",
            f"shows:{customer_id}:{day}",
        ]
        limits = [caller.lifetime_s, self._settings.rate, self._settings.burst, ms]
        result: list[Any] = self._choose(keys, [*limits, *self._offers])
        return result

    def _caller(self, request: Request) -> Caller:
        auth = self._settings.auth
        if auth.mode == "hmac":
            return self._guard.verify(request, payload(request, b""))
        return Caller(auth.mode, b"", 0)


def _told(offer: Offer, customer_id: int, until_ms: int) -> dict[str, Any]:
    """What the app is told about an offer."""
    until = _EPOCH + timedelta(milliseconds=until_ms)
    return {
        "offer_id": offer_id(offer.id, customer_id),
        "offer": offer.id,
        "ad": offer.ad,
        "title": {language: words.title for language, words in offer.words.items()},
        "text": {language: words.text for language, words in offer.words.items()},
        "until": until.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
