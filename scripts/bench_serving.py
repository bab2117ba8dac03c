"""A gRPC server of one hand-written servicer, as the processes of the benchmark run it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2_grpc

_LARGEST_ANSWER = 64 * 1024 * 1024


def serve(make: Callable[[str, str], job_pb2_grpc.JobServicer]) -> None:
    """Serves what `make` makes of a connection string and a database name until SIGTERM; prints
    the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("database")
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    server = grpc.server(
        ThreadPoolExecutor(given.threads),
        options=[("grpc.so_reuseport", 0), ("grpc.max_send_message_length", _LARGEST_ANSWER)],
    )
    job_pb2_grpc.add_JobServicer_to_server(make(given.uri, given.database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stopping.wait()
    server.stop(None).wait()
