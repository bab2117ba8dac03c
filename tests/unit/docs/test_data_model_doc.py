"""The page about stored data says what the code does with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson import json_util
from google.protobuf.json_format import MessageToDict

from inventory_job.query.fields import FIELDS, FieldType
from inventory_job.wire.encode import job_info, struct
from tests.support.documents import page

PAGE = page("docs/data-model.md")
OPTIONS = json_util.JSONOptions(tz_aware=False)
TYPES = {
    "string": FieldType.TEXT,
    "integer": FieldType.INTEGER,
    "date": FieldType.DATE,
    "ObjectId": FieldType.OBJECT_ID,
}


def bson(cell: str) -> Any:
    """The stored value that a cell has as extended JSON."""
    return json_util.loads(cell.strip("`"), json_options=OPTIONS)


def test_every_field_is_in_the_table_with_its_type() -> None:
    described = {cells[0].strip("`"): TYPES[cells[1]] for cells in PAGE.rows("job")}

    assert described == {name: field.type for name, field in FIELDS.items()}


@pytest.mark.parametrize(("field", "stored", "shown", "_why"), PAGE.rows("values"))
def test_a_stored_value_is_shown_as_the_table_says(
    field: str, stored: str, shown: str, _why: str
) -> None:
    name = field.strip("`")
    message, _ = job_info({name: bson(stored)} if stored else {}, (name,))

    answer = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert answer[name] == json.loads(shown.strip("`"))


@pytest.mark.parametrize(("_type", "stored", "shown"), PAGE.rows("rows"))
def test_a_value_in_a_row_is_shown_as_the_table_says(_type: str, stored: str, shown: str) -> None:
    assert MessageToDict(struct({"it": bson(stored)}))["it"] == json.loads(shown.strip("`"))
