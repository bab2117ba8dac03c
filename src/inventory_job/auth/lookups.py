"""Look-ups at a remote directory: cached, shared, and limited in number.

A look-up's key is a domain or an app; it is known while an answer (a public key, permissions) is
cached. Unauthenticated callers can cause calls by bad tokens. Such calls are charged to two token
buckets, one per key and one for all; renewals of known keys are not, and run a few at a time.

Callers cannot find out which keys are known: for all keys alike, only the answer to a charged call
refuses a token, and an empty bucket raises Unavailable. A known key is then also renewed in the
background, within a separate rate limit: a token of a new public key is accepted on retry.

While the directory is down, calls to it back off, and look-ups that need one fail. Each call runs
in its own task: cancelling a look-up does not cancel the call, which other look-ups may wait for.
Calls in flight end when the channel that `fetch` uses is closed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from inventory_job.auth.rate_limits import BackOff, BoundedDict, Clock, TokenBucket
from inventory_job.errors import Unavailable

_Key = TypeVar("_Key", bound=Hashable)
_Found = TypeVar("_Found")

_TOO_MANY = "too many look-ups at the identity service"
_DOWN = "the identity service cannot be reached"

_KEY_BURST = 3
"""The size of a key's token bucket."""
_REFILL_SECONDS = 1.0
"""How long a key's bucket takes to gain a token, and how long a charged answer refuses tokens."""
_MOST_RENEWALS = 16
"""How many renewals run at a time: a caller who knows many domains may cause one for each."""


class Unanswered(Unavailable):
    """The directory works, but this call to it failed."""


@dataclass(frozen=True, slots=True)
class LookupLimits:
    """`keep_seconds`: the TTL of an answer. `entries`: how many known and how many unknown keys are
    cached. `burst`, `per_second`: the bucket for all keys, and that of background renewals."""

    keep_seconds: float = 300.0
    entries: int = 10_000
    burst: int = 20
    per_second: float = 5.0


@dataclass(slots=True)
class _Entry(Generic[_Found]):
    """The latest answer for a key, `value`, asked for at `fetched_at`, and the bucket of the key's
    charged calls. `charged_at`: when the last one that was answered began. Until `refuses_until`,
    `value` refuses tokens that were first seen by `charged_at`."""

    bucket: TokenBucket
    value: _Found | None = None
    fetched_at: float = -math.inf
    charged_at: float = -math.inf
    refuses_until: float = -math.inf


_Calls = dict[_Key, asyncio.Task[_Found | None]]
"""Calls in flight, at most one for each key."""


class Lookups(Generic[_Key, _Found]):
    """A cache of a remote directory. `fetch` calls the directory: it returns the answer, None if
    there is none, or raises Unavailable or Unanswered, all within a bounded time."""

    def __init__(
        self,
        fetch: Callable[[_Key], Awaitable[_Found | None]],
        limits: LookupLimits,
        clock: Clock = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._limits = limits
        self._clock = clock
        # Two dictionaries, so that unknown keys do not evict known ones.
        self._found: BoundedDict[_Key, _Entry[_Found]] = BoundedDict(limits.entries)
        self._absent: BoundedDict[_Key, _Entry[_Found]] = BoundedDict(limits.entries)
        self._shared_bucket = TokenBucket(clock, limits.burst, limits.per_second)
        self._background_bucket = TokenBucket(clock, limits.burst, limits.per_second)
        self._back_off = BackOff(clock)
        self._charged: _Calls[_Key, _Found] = {}
        self._renewals: _Calls[_Key, _Found] = {}
        self._renewal_slots = asyncio.Semaphore(_MOST_RENEWALS)
        self._log = structlog.get_logger(__name__)

    async def find(
        self, key: _Key, since: float = -math.inf, unfit: _Found | None = None
    ) -> _Found | None:
        """The answer for `key`, None if there is none; raises Unavailable, also if the limits
        allow no call now.

        With `unfit`, an answer that did not verify the caller's token: another answer, or `unfit`
        again if a charged call begun since `since`, on `clock`, has confirmed it.
        """
        while True:
            entry = self._entry(key)
            if entry.value is not None and entry.value != unfit:
                if self._is_fresh(entry):
                    return entry.value
                return await _result(self._started(self._renewals, key))
            if entry.charged_at >= since and self._clock() < entry.refuses_until:
                return entry.value
            await _result(self._charged_call(key, entry))

    def _entry(self, key: _Key) -> _Entry[_Found]:
        """The cached entry of a key, or a new one that is not cached yet."""
        kept = self._found.get(key) or self._absent.get(key)
        return kept or _Entry(TokenBucket(self._clock, _KEY_BURST, 1 / _REFILL_SECONDS))

    def _keep(self, key: _Key, entry: _Entry[_Found]) -> None:
        self._found.pop(key, None)
        self._absent.pop(key, None)
        kept = self._absent if entry.value is None else self._found
        kept[key] = entry

    def _is_fresh(self, entry: _Entry[_Found]) -> bool:
        return self._clock() - entry.fetched_at < self._limits.keep_seconds

    def _charged_call(self, key: _Key, entry: _Entry[_Found]) -> asyncio.Task[_Found | None]:
        """The charged call for `key`, started unless in flight; raises Unavailable at a limit."""
        in_flight = self._charged.get(key)
        if in_flight is not None:
            return in_flight
        self._check_back_off()
        if entry.bucket.has_one() and self._shared_bucket.take():
            entry.bucket.take()
            self._keep(key, entry)
            return self._started(self._charged, key)
        is_old = self._clock() - entry.fetched_at >= _REFILL_SECONDS
        if entry.value is not None and is_old and self._background_bucket.take():
            self._started(self._renewals, key)
        raise Unavailable(_TOO_MANY)

    def _check_back_off(self) -> None:
        if not self._back_off.is_time():
            raise Unavailable(_DOWN)

    def _started(self, calls: _Calls[_Key, _Found], key: _Key) -> asyncio.Task[_Found | None]:
        """The call for `key`, started unless in flight."""
        task = calls.get(key)
        if task is None:
            task = calls[key] = asyncio.create_task(self._call(calls, key))
            task.add_done_callback(self._log_bug)
        return task

    async def _call(self, calls: _Calls[_Key, _Found], key: _Key) -> _Found | None:
        try:
            async with self._renewal_slots if calls is self._renewals else nullcontext():
                # An outage may have begun while a renewal waited for its slot.
                self._check_back_off()
                self._back_off.begin()
                began = self._clock()
                value = await self._fetched(key, began)
        finally:
            del calls[key]
        self._back_off.succeeded()
        entry = self._entry(key)
        # A renewal and a charged call for one key may end in any order.
        if began >= entry.fetched_at:
            entry.value, entry.fetched_at = value, began
        if calls is self._charged:
            entry.charged_at = began
            entry.refuses_until = self._clock() + _REFILL_SECONDS
        self._keep(key, entry)
        return value

    async def _fetched(self, key: _Key, began: float) -> _Found | None:
        try:
            return await self._fetch(key)
        except Exception as error:
            if isinstance(error, Unavailable) and not isinstance(error, Unanswered):
                self._back_off.failed(began)
                raise
            self._back_off.succeeded()
            entry = self._entry(key)
            if entry.value is not None and not self._is_fresh(entry):
                # The next call is a charged one, because failing renewals would have no rate limit.
                self._keep(key, _Entry(entry.bucket))
            raise

    def _log_bug(self, task: asyncio.Task[_Found | None]) -> None:
        """Logs an unexpected error, as no look-up may be waiting for it; `fetch` logs outages."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Unavailable):
            self._log.error("look-up failed", exc_info=error)


async def _result(task: asyncio.Task[_Found | None]) -> _Found | None:
    """The result of a task, which is not cancelled with the caller."""
    await asyncio.wait([task])
    return task.result()
