"""Answers of a remote directory: cached, and asked for no more than need be.

Whoever can send a bad token can make the server want a key. So that nobody hammers the directory
through it, and a slow one does not take all threads:

- answers are kept, that there is nothing is one, and those who want the same wait for one call;
- a newer answer than the cached one is looked for once in `again_seconds`;
- calls for what is not known yet draw on a token bucket; renewals, which are as many as there are
  known entries, do not, so strangers cannot keep the known from being renewed;
- of those only few run at a time; further ones fail at once;
- calls may hold so many threads, waiting ones included; who comes later waits for a moment only;
- while the directory is down nobody waits: one call at a time tries, with growing pauses.

What is known and what is not look the same from outside, in answers and in the calls they cause.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from inventory_job.errors import Unavailable

Clock = Callable[[], float]
_Key = TypeVar("_Key", bound=Hashable)
_Found = TypeVar("_Found")

_TOO_MANY = "too many look-ups at the identity service"
_DOWN = "the identity service cannot be reached"
_SLOW = "the identity service is slow to answer"


class Unanswered(Unavailable):
    """The directory is there, and has no answer to this one question."""


@dataclass(frozen=True, slots=True)
class LookupLimits:
    """How long answers are kept, in seconds, how many, and how often the directory is asked.

    `held_threads` should be less than the threads that answer calls, so that slow answers leave
    some to callers who need none; beyond them nobody waits once a call has taken
    `patience_seconds`.
    """

    keep_seconds: float = 300.0
    again_seconds: float = 1.0
    entries: int = 10_000
    burst: int = 20
    per_second: float = 5.0
    at_a_time: int = 4
    held_threads: int = 6
    patience_seconds: float = 0.25


class BackOff:
    """Pauses between attempts at something that fails: `first` seconds, doubled up to `longest`.

    Not thread-safe by itself.
    """

    def __init__(self, clock: Clock, first: float = 0.5, longest: float = 10.0) -> None:
        self._clock = clock
        self._first = first
        self._longest = longest
        self._pause = 0.0
        self._until = 0.0
        self._trying = False

    def is_time(self) -> bool:
        """Whether an attempt may be made now."""
        return not self._pause or (not self._trying and self._clock() >= self._until)

    def begin(self) -> None:
        """Before an attempt."""
        self._trying = bool(self._pause)

    def succeeded(self) -> None:
        """After an attempt that worked."""
        self._pause, self._trying = 0.0, False

    def failed(self) -> None:
        """After an attempt that did not. Those under way when the first failed count once."""
        if not self._pause:
            self._pause = self._first
        elif self._trying:
            self._pause = min(self._pause * 2, self._longest)
        else:
            return
        self._until, self._trying = self._clock() + self._pause, False


class TokenBucket:
    """Lets `burst` through at once and `per_second` on. Not thread-safe by itself."""

    def __init__(self, clock: Clock, burst: int, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = float(burst)
        self._filled_at = clock()

    def take(self) -> bool:
        """Whether one more may pass now."""
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._left = min(self._left + gained, float(self._burst))
        self._filled_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Found]):
    value: _Found | None
    asked_at: float
    refreshed_at: float
    """When a newer answer than a cached one was last asked for."""


@dataclass(frozen=True, slots=True)
class _Call(Generic[_Found]):
    """One call to the directory, and those who wait for its answer."""

    asked_at: float
    is_renewal: bool
    is_refresh: bool
    answer: Future[_Found | None]


class Lookups(Generic[_Key, _Found]):
    """A cached directory. `fetch` asks the remote one: the answer, None when there is none, or
    it raises Unavailable, or Unanswered. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        fetch: Callable[[_Key], _Found | None],
        limits: LookupLimits,
        clock: Clock,
    ) -> None:
        self._fetch = fetch
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Key, _Entry[_Found]] = OrderedDict()
        self._running: dict[_Key, _Call[_Found]] = {}
        self._waiting = 0
        self._bucket = TokenBucket(clock, limits.burst, limits.per_second)
        self._back_off = BackOff(clock)

    def find(self, key: _Key) -> _Found | None:
        """The answer for `key`, None if there is none; raises Unavailable."""
        return self._answer(key, self._is_fresh, is_refresh=False)

    def find_newer(self, key: _Key, since: float) -> _Found | None:
        """As `find`, of an answer asked for after `since`, or as new as the limits allow."""

        def is_new(entry: _Entry[_Found]) -> bool:
            waited = self._clock() - entry.refreshed_at
            return entry.asked_at >= since or waited < self._limits.again_seconds

        return self._answer(key, is_new, is_refresh=True)

    def _answer(
        self, key: _Key, will_do: Callable[[_Entry[_Found]], bool], *, is_refresh: bool
    ) -> _Found | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and will_do(entry):
                return entry.value
            call = self._running.get(key)
            is_mine = call is None
            if call is None:
                call = self._running[key] = self._begin(entry, is_refresh=is_refresh)
        if not is_mine:
            return self._wait(call)
        self._run(key, call)
        return call.answer.result()

    def _wait(self, call: _Call[_Found]) -> _Found | None:
        """The answer to a call that another thread makes; raises Unavailable if it is slow and
        enough threads are held up already."""
        with self._lock:
            stays = len(self._running) + self._waiting < self._limits.held_threads
            self._waiting += stays
        patience = call.asked_at + self._limits.patience_seconds - self._clock()
        try:
            wait((call.answer,), None if stays else max(patience, 0))
        finally:
            with self._lock:
                self._waiting -= stays
        if not call.answer.done():
            raise Unavailable(_SLOW)
        return call.answer.result()

    def _is_fresh(self, entry: _Entry[_Found]) -> bool:
        limits = self._limits
        keep = limits.again_seconds if entry.value is None else limits.keep_seconds
        return self._clock() - entry.asked_at < keep

    def _begin(self, entry: _Entry[_Found] | None, *, is_refresh: bool) -> _Call[_Found]:
        is_renewal = entry is not None and entry.value is not None and not self._is_fresh(entry)
        if not self._back_off.is_time():
            raise Unavailable(_DOWN)
        if not is_renewal:
            strangers = sum(not call.is_renewal for call in self._running.values())
            if strangers >= self._limits.at_a_time or not self._bucket.take():
                raise Unavailable(_TOO_MANY)
        self._back_off.begin()
        return _Call(self._clock(), is_renewal, is_refresh, Future())

    def _run(self, key: _Key, call: _Call[_Found]) -> None:
        """Asks; everybody who waits gets the answer, or the error."""
        try:
            value = self._fetch(key)
        except BaseException as error:  # noqa: BLE001  raised where the answer is taken
            with self._lock:
                del self._running[key]
                if isinstance(error, Unavailable) and not isinstance(error, Unanswered):
                    self._back_off.failed()
                else:
                    self._back_off.succeeded()
                    self._miss(key, call)
            call.answer.set_exception(error)
            return
        with self._lock:
            del self._running[key]
            self._back_off.succeeded()
            self._keep(key, value, call)
        call.answer.set_result(value)

    def _miss(self, key: _Key, call: _Call[_Found]) -> None:
        """Notes that an entry could not be had anew: a fresh one stays, whoever asked."""
        entry = self._entries.get(key)
        if entry is not None and self._is_fresh(entry):
            self._entries[key] = replace(entry, refreshed_at=call.asked_at)
        else:
            # The directory is not down, but asking for this once more is no renewal.
            self._entries.pop(key, None)

    def _keep(self, key: _Key, value: _Found | None, call: _Call[_Found]) -> None:
        before = self._entries.get(key)
        refreshed_at = before.refreshed_at if before else -math.inf
        # Nothing found counts as refreshed: strangers cannot tell it from a key that was found.
        if call.is_refresh or value is None:
            refreshed_at = call.asked_at
        self._entries[key] = _Entry(value, call.asked_at, refreshed_at)
        self._entries.move_to_end(key)
        if len(self._entries) > self._limits.entries:
            self._entries.popitem(last=False)
