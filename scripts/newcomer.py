"""The way of a newcomer from a clone to a job's page and an answer on the command line, timed.

Every command is run as it is printed, in README's Quick start or by the server; only where a
default port is in use, another one is asked for. Packages come out of pip's cache, if they are in
it, as they would on a second try: `--no-cache` downloads them. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

_ROOT = Path(__file__).resolve().parent.parent
_PORTS = {"--port": 50051, "--http-port": 8080}
_START_SECONDS = 600.0
_LONGEST_SILENCE = 10.0
"""Seconds; three on a machine that has nothing else to do."""

# What a new account has, and what pip needs here to find packages.
_KEPT = re.compile(
    r"PATH|LANG|LC_.*|TERM|TMPDIR|PIP_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|.*_proxy", re.IGNORECASE
)
_STEP = re.compile(r"^  (the page|the API|what failed|to stop) +(\S.*?)\s*$", re.MULTILINE)


class Surprise(Exception):
    """A step that did not show what it should."""


def main() -> None:
    """Goes the way; exits with 1 and the reason when it does not lead there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-cache", action="store_true", help="have pip download everything")
    given = parser.parse_args()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
            _go(Path(folder), _environment(Path(folder) / "home", use_cache=not given.no_cache))
    except Surprise as surprise:
        sys.exit(f"newcomer: {surprise}")
    source = "from the network" if given.no_cache else "from pip's cache, where it has them"
    print(f"{time.monotonic() - began:6.1f} s  in all; packages {source}")


def _go(folder: Path, environment: dict[str, str]) -> None:
    clone = folder / "inventory-job"
    with _timed("git clone"):
        # A depth has it copy, as over a network; the home directory says whom git trusts.
        url = f"file://{_ROOT}"
        git = shutil.which("git") or "/usr/bin/git"
        subprocess.run([git, "clone", "--quiet", "--depth", "1", url, clone], check=True)
    commands = quick_start((clone / "README.md").read_text(encoding="utf-8"))
    [run] = [command for command in commands if command.startswith("scripts/run")]
    [path] = [command for command in commands if command.startswith("export PATH=")]
    calls = [command for command in commands if command.startswith("inventory-job list")]
    options = _free_ports()
    with _Started(f"{run}{options}", clone, environment) as server:
        with _timed(f"{run}{options}"):
            steps = server.steps()
        print(f"          longest silence {server.longest_silence:.1f} s")
        with _timed("the page and the API's page"):
            _look_at(steps["the page"])
            _look_at(steps["the API"])
        shell = _Shell(environment, clone)
        with _timed(steps["what failed"]):
            failed = _rows(shell(steps["what failed"], directory="/"))
        if options:
            endpoint = re.search(r"--endpoint (\S+)", steps["what failed"])
            shell.environment["INVENTORY_JOB_ENDPOINT"] = endpoint[1] if endpoint else ""
            shell.environment["INVENTORY_JOB_PAGE"] = urldefrag(steps["the page"]).url
        for call in calls:
            with _timed(call):
                _rows(shell(f"{path}\n{call}"))
        domain = parse_qs(urldefrag(steps["the page"]).fragment)["domain"][0]
        _look_at_job(failed[0].split("\t")[0], domain, lambda call: shell(f"{path}\n{call}"))
        with _timed(steps["to stop"]):
            server.stop()


def quick_start(readme: str) -> list[str]:
    """The commands of README's Quick start: the lines of its blocks of code."""
    section = re.search(r"^## Quick start\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    if section is None:
        raise Surprise("README has no Quick start")
    fenced = re.findall(r"^```\w+\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(\S.*)$", section[1], re.MULTILINE)
    return [line.removeprefix("$ ") for block in fenced for line in block.splitlines()] + indented


def _look_at_job(job_id: str, domain: str, run: Callable[[str], str]) -> None:
    """The page of a job: its address, its files, and the call by which it shows the job."""
    command = f"inventory-job open {job_id} --domain {domain}"
    with _timed(command):
        address = run(command).strip()
        if f"job={job_id}" not in address:
            raise Surprise(f"{address} is not the page of {job_id}")
        _look_at(address)
        call = urllib.request.Request(  # noqa: S310  the server's own address
            urljoin(address, "/inventory/v1/job/get"),
            json.dumps({"job_id": job_id}).encode(),
            {"content-type": "application/json", "x-domain-id": domain},
        )
        if json.loads(_fetched(call))["job_id"] != job_id:
            raise Surprise(f"the page would not show {job_id}")
    command = f"inventory-job show {job_id} --domain {domain}"
    with _timed(command):
        if "status\tFAILURE" not in run(command):
            raise Surprise(f"{job_id} is no failed job")


def _look_at(address: str) -> None:
    """Fetches a page and all files that it names, as a browser does."""
    page = _fetched(address)
    if "<html" not in page:
        raise Surprise(f"{address} is no page")
    for name in re.findall(r'(?:src|href)="([^"#]+)"', page):
        if not urlsplit(name).netloc:
            _fetched(urljoin(address, name))


def _fetched(what: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(what, timeout=20) as answer:  # noqa: S310  the server's own
        text: str = answer.read().decode(errors="replace")
        return text


def _rows(table: str) -> list[str]:
    """The jobs in a list that is not for a terminal, one at least."""
    head, *rows = table.splitlines()
    if not head.startswith("job_id\tstatus") or not rows or not rows[0].startswith("job-"):
        raise Surprise(f"this is no list of jobs: {table}")
    return rows


class _Shell:
    """Another terminal: runs commands, and returns what they print."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self.environment = dict(environment)
        self._directory = directory

    def __call__(self, command: str, directory: str | None = None) -> str:
        done = subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=directory or self._directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Surprise(f"{command} ends with {done.returncode}: {done.stderr}")
        return done.stdout


class _Started:
    """A command in a terminal of its own, as a context manager that ends it."""

    def __init__(self, command: str, directory: Path, environment: Mapping[str, str]) -> None:
        self._terminal, other = pty.openpty()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=directory,
            env=environment,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self._written = ""
        self.longest_silence = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        os.close(self._terminal)

    def steps(self) -> dict[str, str]:
        """What it says to do next, once it has."""
        end = time.monotonic() + _START_SECONDS
        while "to stop" not in self._written or not self._written.endswith("\n"):
            if time.monotonic() > end or not self._read():
                raise Surprise(f"it does not serve:\n{self._written}")
        if self.longest_silence > _LONGEST_SILENCE:
            raise Surprise(f"it says nothing for {self.longest_silence:.1f} s:\n{self._written}")
        for sign in ("[1/3] ", "[2/3] ", "[3/3] "):
            if sign not in self._written:
                raise Surprise(f"it does not show step {sign}:\n{self._written}")
        return dict(_STEP.findall(self._written.replace("\r\n", "\n")))

    def stop(self) -> None:
        """Ends it as Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)
        while self._read():
            pass
        if self._process.wait(30) or "stopped" not in self._written:
            raise Surprise(f"it does not stop well:\n{self._written}")

    def _read(self) -> bool:
        """Takes in what is written next; whether there was anything."""
        began = time.monotonic()
        ready, _, _ = select.select([self._terminal], [], [], _START_SECONDS)
        try:
            text = os.read(self._terminal, 65536).decode(errors="replace") if ready else ""
        except OSError:  # the other end is closed
            text = ""
        self._written += text
        self.longest_silence = max(self.longest_silence, time.monotonic() - began)
        return bool(text)


def _environment(home: Path, *, use_cache: bool) -> dict[str, str]:
    """The variables of a new account, whose packages come from where they come from here."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    kept |= {"HOME": str(home), "PYTHON": sys.executable}
    configuration = Path.home() / ".config/pip/pip.conf"
    if configuration.exists():
        kept.setdefault("PIP_CONFIG_FILE", str(configuration))
    if use_cache:
        pip = [sys.executable, "-m", "pip", "cache", "dir"]
        found = subprocess.run(pip, check=True, capture_output=True, text=True)
        kept.setdefault("PIP_CACHE_DIR", found.stdout.strip())
    return kept


def _free_ports() -> str:
    """Options for ports that are free, where a default one is in use."""
    options = ""
    for option, port in _PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                options += f" {option} 0"
    return options


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
