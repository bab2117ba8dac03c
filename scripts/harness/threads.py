"""Work in threads that ends with a context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def in_threads(work: Iterable[Callable[[threading.Event], object]]) -> Iterator[None]:
    """Runs each piece of work in a thread; the end of the context sets the event that all of them
    have as their argument, and waits for them."""
    stop = threading.Event()
    threads = [threading.Thread(target=each, args=(stop,), daemon=True) for each in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
