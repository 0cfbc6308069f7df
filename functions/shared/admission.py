"""Letting a proven caller in: each signature once, and no more events than its key may send.

Redis keeps both for all instances, in one call of one script. Without Redis, or while it is
down, the door stays open: the rate is not limited, and signatures are remembered by each
process for itself. Events are worth more than a limit, a signature is still needed, and a
replayed event is a duplicate that the pipeline drops.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from functions.shared.http import Refusal
from functions.shared.signing import Caller
from functions.shared.store import Store, StoreDown

MAX_REMEMBERED = 400_000
"""Signatures a process remembers, at most (about 40 MB); the older half goes first."""

ADMIT_FUNCTION = """
-- Takes a signature, then `cost` tokens from the key's bucket; neither without the other.
-- Gives 0 when both were taken, -1 for a signature seen before, else ms until it is worth a try.
local function admit(seen, bucket, lifetime, rate, size, cost)
  if lifetime > 0 and redis.call('EXISTS', seen) == 1 then return -1 end
  if rate > 0 then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    local held = redis.call('HMGET', bucket, 'tokens', 'at')
    local tokens, at = tonumber(held[1]) or size, tonumber(held[2]) or now
    tokens = math.min(size, tokens + math.max(0, now - at) * rate / 1000)
    if tokens < cost then return math.ceil((cost - tokens) * 1000 / rate) end
    redis.call('HSET', bucket, 'tokens', tostring(tokens - cost), 'at', now)
    redis.call('PEXPIRE', bucket, math.ceil(size * 1000 / rate) + 1000)
  end
  if lifetime > 0 then redis.call('SET', seen, 1, 'EX', lifetime) end
  return 0
end
"""
"""Lua: `admit(seen key, bucket key, lifetime in s, tokens a second, bucket size, cost)`."""

ADMIT = f"""{ADMIT_FUNCTION}
-- KEYS seen:{{signature}}, rate:{{door}}:{{key}}  ARGV lifetime in s, tokens a second, size, cost
return admit(KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4]))
"""

FORGET = """
-- Forgets a signature whose request was not carried out. KEYS seen:{signature}
return redis.call('DEL', KEYS[1])
"""


class Memory:
    """Signatures that this process has seen, for at least as long as they would be believed."""

    def __init__(self, lifetime_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lifetime_s = lifetime_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since = monotonic()

    def take(self, signature: bytes) -> bool:
        """Remember a signature; False when it is remembered already."""
        with self._lock:
            now = self._monotonic()
            if now - self._since > self._lifetime_s or len(self._young) >= MAX_REMEMBERED // 2:
                expired = now - self._since > 2 * self._lifetime_s
                self._old = set() if expired else self._young
                self._young = set()
                self._since = now
            if signature in self._young or signature in self._old:
                return False
            self._young.add(signature)
            return True

    def forget(self, signature: bytes) -> None:
        """Make a signature good again."""
        with self._lock:
            self._young.discard(signature)
            self._old.discard(signature)


class Admission:
    """Lets each signature in once, and each key at its rate."""

    def __init__(
        self, door: str, store: Store | None, rate: float, burst: float, memory: Memory
    ) -> None:
        self._door = door
        self._admit = store.script(ADMIT) if store else None
        self._forget = store.script(FORGET) if store else None
        self._rate = rate
        self._burst = burst
        self._memory = memory

    def enter(self, caller: Caller, cost: int) -> None:
        """Let a request of `cost` events in.

        Raises:
            Refusal: 403 for a signature seen before, 429 with Retry-After over the rate.
        """
        if caller.signature and not self._memory.take(caller.signature):
            raise _replayed()
        verdict = self._ask(caller, cost)
        if verdict > 0:
            self._memory.forget(caller.signature)
        check_verdict(verdict)

    def leave(self, caller: Caller) -> None:
        """Make the signature of a request that was not carried out good for another try."""
        self._memory.forget(caller.signature)
        if self._forget is not None and caller.signature:
            try:
                self._forget([f"seen:{caller.signature.hex()}"], [])
            except StoreDown:
                return

    def _ask(self, caller: Caller, cost: int) -> int:
        if self._admit is None:
            return 0
        arguments = [caller.lifetime_s, self._rate, self._burst, cost]
        try:
            return int(self._admit(admission_keys(self._door, caller), arguments))
        except StoreDown:
            return 0


def admission_keys(door: str, caller: Caller) -> list[str]:
    """Where a caller's signature and bucket are kept."""
    return [f"seen:{caller.signature.hex()}", f"rate:{door}:{caller.key_id}"]


def check_verdict(verdict: int) -> None:
    """Hold the caller to what `admit` gave.

    Raises:
        Refusal: 403 for a signature seen before, 429 with Retry-After over the rate.
    """
    if verdict < 0:
        raise _replayed()
    if verdict > 0:
        wait = str(max(1, math.ceil(verdict / 1000)))
        raise Refusal(429, "too_fast", "over the rate of this key", {"Retry-After": wait})


def _replayed() -> Refusal:
    return Refusal(403, "replayed", "this signature has been used; sign every attempt anew")
