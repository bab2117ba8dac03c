"""A gRPC server of one hand-written servicer, as the processes of the benchmark run it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import grpc
import uvloop

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2_grpc

_LARGEST_ANSWER = 64 * 1024 * 1024
_OPTIONS = [("grpc.so_reuseport", 0), ("grpc.max_send_message_length", _LARGEST_ANSWER)]

Make: TypeAlias = Callable[[str, str], Any]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def serve(make: Make) -> None:
    """Serves in threads what `make` makes of a connection string and a database name until
    SIGTERM; prints the port."""
    given = _arguments()
    server = grpc.server(ThreadPoolExecutor(given.threads), options=_OPTIONS)
    job_pb2_grpc.add_JobServicer_to_server(make(given.uri, given.database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server.start()
    _print(port)
    stopping.wait()
    server.stop(None).wait()


def serve_in_loop(make: Make) -> None:
    """The same in one event loop."""
    given = _arguments()

    async def run() -> None:
        server: Any = grpc.aio.server(options=_OPTIONS)
        job_pb2_grpc.add_JobServicer_to_server(make(given.uri, given.database), server)
        port = server.add_insecure_port("127.0.0.1:0")
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        await server.start()
        _print(port)
        await stopping.wait()
        await server.stop(None)

    uvloop.run(run())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("database")
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def _print(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
