"""Log lines: whole, in order, none lost, from however many threads and at the end as well."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import threading, structlog
from inventory_job.logs import configure_logging
configure_logging("info", "json", worker=7)
log = structlog.get_logger("test")
def work(name):
    for number in range(200):
        log.info("line", name=name, number=number)
threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
log.debug("too little")
log.warning("last")
"""


def test_no_line_is_lost_or_torn_when_the_process_ends() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)

    entries = [json.loads(line) for line in done.stderr.splitlines()]
    for name in "abcd":
        assert [e["number"] for e in entries if e.get("name") == name] == list(range(200))
    assert len(entries) == 801
    assert entries[-1]["event"] == "last"
    assert {entry["worker"] for entry in entries} == {7}
