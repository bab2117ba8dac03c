"""Look-ups at a remote directory: cached, shared, and limited in number.

A bad token can make the server look for a key. So calls that strangers cause draw on two token
buckets, the key's own and one for all; renewals of known keys draw on neither, and run a few at a
time. While the directory is down it is tried with growing pauses; other look-ups fail.

Known and unknown keys look the same from outside. Only the answer to a call that drew on the
buckets refuses a stranger, whether there is a key or not; with the buckets empty both get
Unavailable. A known key is renewed in the background then, within a rate limit of its own: a token
signed with a new key is accepted at the next attempt.

Each call is a task of its own: cancelling a look-up leaves the call to other look-ups that wait.
Calls under way end when the channel that `fetch` uses is closed.
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
"""How many calls for one key strangers may cause in a row."""
_AGAIN_SECONDS = 1.0
"""Then one more in this time, which is also how long it is cached that a key has no answer."""
_MOST_RENEWALS = 16
"""How many renewals run at a time: a stranger who knows many domains may cause one for each."""


class Unanswered(Unavailable):
    """The directory works, and has no answer to this one question."""


@dataclass(frozen=True, slots=True)
class LookupLimits:
    """How long answers are kept, in seconds, how many, and how many calls strangers may cause for
    all keys together: `burst` in a row and then `per_second`. Background renewals are as many."""

    keep_seconds: float = 300.0
    entries: int = 10_000
    burst: int = 20
    per_second: float = 5.0


@dataclass(slots=True)
class _Entry(Generic[_Found]):
    """What is known of a key, and the bucket of the calls for it that strangers cause. Such a call
    settles, for a moment, what was wanted before it started."""

    bucket: TokenBucket
    value: _Found | None = None
    fetched_at: float = -math.inf
    settles_before: float = -math.inf
    settles_until: float = -math.inf


_Calls = dict[_Key, asyncio.Task[_Found | None]]
"""The calls of one kind under way, one for each key."""


class Lookups(Generic[_Key, _Found]):
    """A cached directory. `fetch` calls the remote one: it returns the answer, None if there is
    none, or raises Unavailable or Unanswered, all within a bounded time."""

    def __init__(
        self,
        fetch: Callable[[_Key], Awaitable[_Found | None]],
        limits: LookupLimits,
        clock: Clock = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._limits = limits
        self._clock = clock
        # Two dictionaries, so that unknown keys do not push out known ones.
        self._found: BoundedDict[_Key, _Entry[_Found]] = BoundedDict(limits.entries)
        self._absent: BoundedDict[_Key, _Entry[_Found]] = BoundedDict(limits.entries)
        self._strangers_bucket = TokenBucket(clock, limits.burst, limits.per_second)
        self._background_bucket = TokenBucket(clock, limits.burst, limits.per_second)
        self._back_off = BackOff(clock)
        self._strangers: _Calls[_Key, _Found] = {}
        self._renewals: _Calls[_Key, _Found] = {}
        self._renewal_slots = asyncio.Semaphore(_MOST_RENEWALS)
        self._log = structlog.get_logger(__name__)

    async def find(
        self, key: _Key, since: float = -math.inf, unfit: _Found | None = None
    ) -> _Found | None:
        """The answer for `key`, None if there is none; raises Unavailable, also if the limits
        allow no call now.

        When the answer `unfit` did not fit something that was there at `since`, on the clock:
        another answer, or `unfit` again if it is newer than `since`.
        """
        while True:
            entry = self._entry(key)
            if entry.value is not None and entry.value != unfit:
                if self._is_fresh(entry):
                    return entry.value
                return await _result(self._started(self._renewals, key))
            if entry.settles_before >= since and self._clock() < entry.settles_until:
                return entry.value
            await _result(self._strangers_call(key, entry))

    def _entry(self, key: _Key) -> _Entry[_Found]:
        """What is known of a key; a new entry, not kept yet, if nothing is."""
        kept = self._found.get(key) or self._absent.get(key)
        return kept or _Entry(TokenBucket(self._clock, _KEY_BURST, 1 / _AGAIN_SECONDS))

    def _keep(self, key: _Key, entry: _Entry[_Found]) -> None:
        self._found.pop(key, None)
        self._absent.pop(key, None)
        kept = self._absent if entry.value is None else self._found
        kept[key] = entry

    def _is_fresh(self, entry: _Entry[_Found]) -> bool:
        return self._clock() - entry.fetched_at < self._limits.keep_seconds

    def _strangers_call(self, key: _Key, entry: _Entry[_Found]) -> asyncio.Task[_Found | None]:
        """The call for `key` that strangers may cause, started if there is none; raises
        Unavailable if the limits forbid it."""
        under_way = self._strangers.get(key)
        if under_way is not None:
            return under_way
        self._check_back_off()
        if entry.bucket.has_one() and self._strangers_bucket.take():
            entry.bucket.take()
            self._keep(key, entry)
            return self._started(self._strangers, key)
        is_old = self._clock() - entry.fetched_at >= _AGAIN_SECONDS
        if entry.value is not None and is_old and self._background_bucket.take():
            self._started(self._renewals, key)
        raise Unavailable(_TOO_MANY)

    def _check_back_off(self) -> None:
        if not self._back_off.is_time():
            raise Unavailable(_DOWN)

    def _started(self, calls: _Calls[_Key, _Found], key: _Key) -> asyncio.Task[_Found | None]:
        """The call for `key`, started unless it is under way; raises Unavailable in a pause."""
        task = calls.get(key)
        if task is None:
            self._check_back_off()
            self._back_off.begin()
            task = calls[key] = asyncio.create_task(self._call(calls, key))
            task.add_done_callback(self._log_bug)
        return task

    async def _call(self, calls: _Calls[_Key, _Found], key: _Key) -> _Found | None:
        try:
            async with self._renewal_slots if calls is self._renewals else nullcontext():
                began = self._clock()
                value = await self._fetch(key)
        except Exception as error:
            self._failed(key, error)
            raise
        finally:
            del calls[key]
        self._back_off.succeeded()
        entry = self._entry(key)
        # A renewal and a stranger's call for one key may end in any order.
        if began >= entry.fetched_at:
            entry.value, entry.fetched_at = value, began
        if calls is self._strangers:
            entry.settles_before = began
            entry.settles_until = self._clock() + _AGAIN_SECONDS
        self._keep(key, entry)
        return value

    def _failed(self, key: _Key, error: Exception) -> None:
        if isinstance(error, Unavailable) and not isinstance(error, Unanswered):
            self._back_off.failed()
            return
        self._back_off.succeeded()
        entry = self._entry(key)
        if entry.value is not None and not self._is_fresh(entry):
            # The next call is charged to strangers: failing renewals would be without limit.
            self._keep(key, _Entry(entry.bucket))

    def _log_bug(self, task: asyncio.Task[_Found | None]) -> None:
        """Logs what no waiter may be there to raise; an outage is logged where it is noticed."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Unavailable):
            self._log.error("look-up failed", exc_info=error)


async def _result(task: asyncio.Task[_Found | None]) -> _Found | None:
    """The result of a task, which goes on when the caller is cancelled."""
    await asyncio.wait([task])
    return task.result()
