"""What Cloud Scheduler does in the cloud: it tells `sms` when it is time."""

import threading
import time
from collections import Counter
from types import TracebackType

import httpx

from infra.local.doors import KEY_ID, Caller
from infra.local.services import HOST
from simulator.door import Caller as Signer

EVERY_S = 5.0
"""In the cloud it is a minute; here somebody is watching."""
TIMEOUT_S = 60.0


class Scheduler:
    """Tells `sms` that it is time, again and again, while the context is open.

    What the function answers is added up in `counts`; a time at which it does not answer is
    passed over, as Cloud Scheduler does.
    """

    def __init__(self, port: int, caller: Caller, every_s: float = EVERY_S) -> None:
        self._url = f"http://{HOST}:{port}/v1/send"
        self._signer = Signer(KEY_ID, caller.secret.encode())
        self._every_s = every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="scheduler", daemon=True)
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "Scheduler":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _tell(self) -> None:
        with httpx.Client(timeout=TIMEOUT_S) as client:
            while not self._end.wait(self._every_s):
                headers = self._signer.headers(b"", f"{time.time():.6f}")
                try:
                    answer = client.post(self._url, headers=headers)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200:
                    self.counts.update(answer.json()["counts"])
