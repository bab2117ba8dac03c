"""Calls from h2load (Debian: nghttp2-client), which speaks gRPC and takes little processor time."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

from harness.callers import SERVICE, Request


@contextmanager
def h2load(
    address: str, request: Request, metadata: Iterable[tuple[str, str]], *options: str
) -> Iterator[subprocess.Popen[str]]:
    """A process that sends the request again and again, as the options of h2load say, until it is
    done or the context ends. Raises RuntimeError when there is no h2load."""
    program = shutil.which("h2load")
    if program is None:
        raise RuntimeError("h2load is needed (Debian: nghttp2-client)")
    headers = [("content-type", "application/grpc"), ("te", "trailers"), *metadata]
    with NamedTemporaryFile() as body:
        # A gRPC message: not compressed, its length, itself.
        body.write(struct.pack(">BI", 0, len(request.message)) + request.message)
        body.flush()
        command = [program, f"--data={body.name}", *options]
        command += [f"--header={name}: {value}" for name, value in headers]
        process = subprocess.Popen(
            [*command, f"http://{address}/{SERVICE}/{request.method}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()
