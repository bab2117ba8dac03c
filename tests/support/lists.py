"""Lists for hypothesis that have something to show: sorted by several keys, stored or added, in
pages, with any part of a job.

Beside those of `tests.support.strategies`, which are about filters.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.analyses import added_fields
from tests.support.chains import queries
from tests.support.strategies import DATES, INTEGERS, TEXTS, Request, chosen, several

_FIELDS = [*TEXTS, *INTEGERS, *DATES]
_DIRECT: dict[str, Any] = {
    "status": st.sampled_from(["SUCCESS", "FAILURE", "IN_PROGRESS", "JOB_STATE_NONE"]),
    "collector_id": st.sampled_from(["collector-a", "Collector-A"]),
    "plugin_id": st.sampled_from(["plugin-x", "plugin.x"]),
}


@st.composite
def list_requests(draw: st.DrawFn) -> Request:
    """At most one condition and one direct parameter."""
    query = dict(draw(queries))
    keys = [*_FIELDS, "id"]
    if draw(st.booleans()):
        query["add_fields"] = draw(added_fields)
        keys += [*query["add_fields"]] * 10
    for key in draw(several(keys, most=3)):
        query.setdefault("sort", []).append({"key": key, "desc": draw(st.booleans())})
    shown = draw(chosen(["all", "all", "only", "minimal", "both", "count"]))
    if shown in ("only", "both"):
        query["only"] = draw(several(_FIELDS, 1, 4))
    if shown in ("minimal", "both"):
        query["minimal"] = True
    if shown == "count":
        query["count_only"] = True
    request: Request = {"query": query}
    if draw(st.integers(0, 3)) == 0:
        name = draw(chosen([*_DIRECT]))
        request[name] = draw(_DIRECT[name])
    return request
