"""Answers of a remote directory: cached, and asked for no more than need be.

Whoever can send a bad token can make the server want a key. So that nobody hammers the directory
through it, and a slow one does not take all threads:

- answers are kept, that there is nothing is one, and those who want the same wait for one call;
- calls that a stranger can cause draw on two token buckets, that of the key and one that all
  strangers share, and only few run at a time; for one of these to end others wait for a moment;
- renewals of what was found draw on neither, so strangers cannot keep the known from being renewed;
- calls run in threads of their own; only so many callers wait for slow ones, and who comes later
  waits for a moment only, nobody beyond the deadline of the call;
- while the directory is down nobody waits: one call at a time tries, with growing pauses.

What is known and what is not look the same from outside. An answer that refuses a stranger is
given only for a call that drew on the buckets, whether there was a key or not; when they are empty
both are told Unavailable. A known key is looked for all the same then, unseen, out of a bucket of
its own: whoever holds a token of a new key comes in at the next attempt.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Generic, TypeVar

from inventory_job.auth.pacing import BackOff, Clock, TokenBucket
from inventory_job.errors import RequestTimeout, Unavailable

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

    Strangers may have one key looked up `asks` times at once and then once in `again_seconds`
    (more than 0); all keys together `burst` times and then `per_second`, with `at_a_time` calls
    under way. Looking for newer keys unseen has as much again.
    Who is not among the Waiters does so until a call has taken `patience_seconds`, and no longer.
    """

    keep_seconds: float = 300.0
    again_seconds: float = 1.0
    entries: int = 10_000
    asks: int = 3
    burst: int = 20
    per_second: float = 5.0
    at_a_time: int = 4
    renewals_at_a_time: int = 16
    patience_seconds: float = 0.25


class Waiters:
    """Those who wait for answers for as long as it takes, `most` at a time.

    One bound for all look-ups that threads of one kind wait for. It should be less than there are
    threads, so that slow answers leave some to callers who need none.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._number = 0

    def enter(self) -> bool:
        """Counts one more, unless there are as many as may be; whether it is counted."""
        with self._lock:
            is_counted = self._number < self._most
            self._number += is_counted
            return is_counted

    def leave(self) -> None:
        """One who was counted has stopped to wait."""
        with self._lock:
            self._number -= 1


class _Cause(Enum):
    STRANGER = auto()
    RENEWAL = auto()
    """What was found has run out."""
    SEARCH = auto()
    """For something newer, with nobody waiting."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[_Found]):
    value: _Found | None
    asked_at: float
    settled_from: float
    """When the latest answer to strangers was asked for."""
    settled_until: float
    """Until when it is one to those who wanted it before it was asked for."""
    asks: TokenBucket


@dataclass(frozen=True, slots=True)
class _Call(Generic[_Found]):
    """One call to the directory, and its answer."""

    cause: _Cause
    attempt: int
    asked_at: float
    asks: TokenBucket
    answer: Future[_Found | None]


class Lookups(Generic[_Key, _Found]):
    """A cached directory. `fetch` asks the remote one: the answer, None when there is none, or
    it raises Unavailable, or Unanswered; it takes a bounded time. `clock` is monotonic, in
    seconds."""

    def __init__(
        self,
        fetch: Callable[[_Key], _Found | None],
        limits: LookupLimits,
        clock: Clock,
        waiters: Waiters,
    ) -> None:
        self._fetch = fetch
        self._limits = limits
        self._clock = clock
        self._waiters = waiters
        self._lock = threading.Lock()
        # Apart, so that strangers' questions do not push out what is known.
        self._found: OrderedDict[_Key, _Entry[_Found]] = OrderedDict()
        self._absent: OrderedDict[_Key, _Entry[_Found]] = OrderedDict()
        # The buckets of keys that there was no answer for.
        self._missed: OrderedDict[_Key, TokenBucket] = OrderedDict()
        self._running: dict[_Key, _Call[_Found]] = {}
        self._call_ended = threading.Condition(self._lock)
        self._strangers = TokenBucket(clock, limits.burst, limits.per_second)
        self._searches = TokenBucket(clock, limits.burst, limits.per_second)
        self._back_off = BackOff(clock)

    def find(self, key: _Key, until: float | None = None) -> _Found | None:
        """The answer for `key`, None if there is none.

        Waits no longer than `until`, on the clock. Raises Unavailable; RequestTimeout then.
        """

        def is_known() -> bool:
            entry = self._entry(key)
            return entry is not None and (entry.value is not None or self._is_fresh(entry))

        with self._lock:
            entry = self._entry(key)
            if entry is not None and self._is_fresh(entry):
                return entry.value
            self._await_room(key, is_known, until)
            entry = self._entry(key)
            if entry is not None and self._is_fresh(entry):
                return entry.value
            call = self._running.get(key)
            if call is None and entry is not None and entry.value is not None:
                call = self._renew(key, entry)
            elif call is None:
                call = self._ask(key, entry)
            stays = self._waiters.enter()
        return self._wait(call, until, stays=stays)

    def at_hand(self, key: _Key) -> _Found | None:
        """The answer for `key` that is kept and has not run out, if there is one."""
        with self._lock:
            entry = self._found.get(key)
            return entry.value if entry is not None and self._is_fresh(entry) else None

    def find_newer(
        self, key: _Key, since: float, unfit: _Found | None, until: float | None = None
    ) -> _Found | None:
        """As `find`, after the answer `unfit` did not do for something that was there at `since`,
        on the clock: another one, or `unfit` again if it was asked for after `since`.

        Raises Unavailable as well when the limits let nobody ask now.
        """

        def is_answered() -> bool:
            entry = self._entry(key)
            return entry is not None and (entry.value != unfit or self._settles(entry, since))

        while True:
            with self._lock:
                self._await_room(key, is_answered, until)
                entry = self._entry(key)
                if entry is not None and is_answered():
                    return entry.value
                call = self._running.get(key)
                if call is None:
                    call = self._ask(key, entry)
                elif call.cause is _Cause.SEARCH:
                    # Where there is no key there would be nothing to wait for.
                    raise Unavailable(_TOO_MANY)
                stays = self._waiters.enter()
            value = self._wait(call, until, stays=stays)
            if call.cause is _Cause.STRANGER and call.asked_at >= since:
                return value

    def _entry(self, key: _Key) -> _Entry[_Found] | None:
        return self._found.get(key) or self._absent.get(key)

    def _is_fresh(self, entry: _Entry[_Found]) -> bool:
        now = self._clock()
        if entry.value is None:
            return now < entry.settled_until
        return now - entry.asked_at < self._limits.keep_seconds

    def _settles(self, entry: _Entry[_Found], since: float) -> bool:
        return entry.settled_from >= since and self._clock() < entry.settled_until

    def _ask(self, key: _Key, entry: _Entry[_Found] | None) -> _Call[_Found]:
        """A call that a stranger may have caused; raises Unavailable if it may not be made."""
        if not self._back_off.is_time():
            raise Unavailable(_DOWN)
        asks = self._asks(key, entry)
        if self._has_room() and asks.has_one() and self._strangers.take():
            asks.take()
            return self._start(key, _Cause.STRANGER, asks)
        if entry is not None and entry.value is not None:
            self._search(key, entry)
        raise Unavailable(_TOO_MANY)

    def _await_room(self, key: _Key, is_needless: Callable[[], bool], until: float | None) -> None:
        """Waits while nothing but the calls under way keeps a call for `key` from being made, and
        it is not needless. Many tenants come at once after a start, and calls take milliseconds.

        Waits for slow ones as little as `_wait`, whoever it is. Raises RequestTimeout.
        """

        def may_go_on() -> bool:
            return (
                self._has_room()
                or key in self._running
                or is_needless()
                or not self._may_be_asked_for(key)
            )

        if may_go_on():
            return
        stays = self._waiters.enter()
        now = self._clock()
        patience = self._limits.patience_seconds
        if not stays:
            latest = max(
                each.asked_at for each in self._running.values() if each.cause is _Cause.STRANGER
            )
            patience += latest - now
        left = math.inf if until is None else until - now
        try:
            goes_on = self._call_ended.wait_for(may_go_on, max(min(patience, left), 0))
        finally:
            if stays:
                self._waiters.leave()
        if not goes_on and left < patience:
            raise RequestTimeout

    def _has_room(self) -> bool:
        return self._count(_Cause.STRANGER) < self._limits.at_a_time

    def _may_be_asked_for(self, key: _Key) -> bool:
        asks = self._asks(key, self._entry(key))
        return self._back_off.is_time() and asks.has_one() and self._strangers.has_one()

    def _asks(self, key: _Key, entry: _Entry[_Found] | None) -> TokenBucket:
        if entry is not None:
            return entry.asks
        limits = self._limits
        return self._missed.get(key) or TokenBucket(
            self._clock, limits.asks, 1 / limits.again_seconds
        )

    def _search(self, key: _Key, entry: _Entry[_Found]) -> None:
        limits = self._limits
        is_time = self._clock() - entry.asked_at >= limits.again_seconds
        has_room = self._count(_Cause.SEARCH) < limits.at_a_time
        if is_time and has_room and self._searches.take():
            self._start(key, _Cause.SEARCH, entry.asks)

    def _renew(self, key: _Key, entry: _Entry[_Found]) -> _Call[_Found]:
        if not self._back_off.is_time():
            raise Unavailable(_DOWN)
        if self._count(_Cause.RENEWAL) >= self._limits.renewals_at_a_time:
            raise Unavailable(_SLOW)
        return self._start(key, _Cause.RENEWAL, entry.asks)

    def _count(self, cause: _Cause) -> int:
        return sum(call.cause is cause for call in self._running.values())

    def _start(self, key: _Key, cause: _Cause, asks: TokenBucket) -> _Call[_Found]:
        call: _Call[_Found] = _Call(cause, self._back_off.begin(), self._clock(), asks, Future())
        self._running[key] = call
        thread = threading.Thread(
            target=self._run, args=(key, call), name="identity look-up", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            del self._running[key]
            self._back_off.failed(call.attempt)
            raise Unavailable(_DOWN) from error
        return call

    def _wait(self, call: _Call[_Found], until: float | None, *, stays: bool) -> _Found | None:
        """The answer to a call, for as long as it takes if `stays`; else raises Unavailable if it
        is slow. Counts no more among the waiters then."""
        now = self._clock()
        patience = math.inf if stays else call.asked_at + self._limits.patience_seconds - now
        left = math.inf if until is None else until - now
        seconds = max(min(patience, left), 0)
        try:
            wait((call.answer,), None if math.isinf(seconds) else seconds)
        finally:
            if stays:
                self._waiters.leave()
        if call.answer.done():
            return call.answer.result()
        raise RequestTimeout if left < patience else Unavailable(_SLOW)

    def _run(self, key: _Key, call: _Call[_Found]) -> None:
        """Asks; everybody who waits gets the answer, or the error."""
        try:
            value = self._fetch(key)
        except BaseException as error:  # noqa: BLE001  raised where the answer is taken
            with self._lock:
                self._end(key)
                if isinstance(error, Unavailable) and not isinstance(error, Unanswered):
                    self._back_off.failed(call.attempt)
                else:
                    self._back_off.succeeded()
                    self._miss(key, call)
            call.answer.set_exception(error)
            return
        with self._lock:
            self._end(key)
            self._back_off.succeeded()
            self._keep(key, value, call)
        call.answer.set_result(value)

    def _end(self, key: _Key) -> None:
        del self._running[key]
        self._call_ended.notify_all()

    def _miss(self, key: _Key, call: _Call[_Found]) -> None:
        """Forgets an entry that has run out and cannot be had anew: the directory is not down,
        but asking for this once more is no renewal, and no more free than the first time."""
        entry = self._entry(key)
        if entry is not None and self._is_fresh(entry):
            return
        self._found.pop(key, None)
        self._absent.pop(key, None)
        self._missed[key] = call.asks
        self._missed.move_to_end(key)
        if len(self._missed) > self._limits.entries:
            self._missed.popitem(last=False)

    def _keep(self, key: _Key, value: _Found | None, call: _Call[_Found]) -> None:
        self._missed.pop(key, None)
        before = self._found.pop(key, None) or self._absent.pop(key, None)
        entry = (
            _Entry(value, call.asked_at, -math.inf, -math.inf, call.asks)
            if before is None
            else replace(before, value=value, asked_at=call.asked_at)
        )
        if call.cause is _Cause.STRANGER:
            settled_until = self._clock() + self._limits.again_seconds
            entry = replace(entry, settled_from=call.asked_at, settled_until=settled_until)
        kept = self._absent if value is None else self._found
        kept[key] = entry
        if len(kept) > self._limits.entries:
            kept.popitem(last=False)
