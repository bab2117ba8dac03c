"""A replica set that is met as a sharded cluster is: through what says that it is a mongos.

There is no cluster behind it. What a client does because it takes the server for a mongos can be
seen, what a mongos and shards do can not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from bson import decode, encode
from pymongo.uri_parser import parse_uri

from tests.support.proxy import Proxy

_HEADER = struct.Struct("<iiii")
_REPLY, _MESSAGE = 1, 2013
_BEFORE_THE_DOCUMENT = {_REPLY: _HEADER.size + 20, _MESSAGE: _HEADER.size + 5}
_OF_A_SET = frozenset(
    {"setName", "setVersion", "hosts", "primary", "me", "electionId", "lastWrite", "secondary"}
)


@contextmanager
def as_mongos(uri: str) -> Iterator[str]:
    """A connection string of what answers as a mongos, in the place of the server of `uri`."""
    [(_, port)] = parse_uri(uri)["nodelist"]
    assert port is not None
    with Proxy(port) as proxy:
        proxy.edit = _as_of_mongos
        yield f"mongodb://{proxy.host}/"


def _as_of_mongos(message: bytes) -> bytes:
    """A server's message; an answer to hello, which says what the server is, as a mongos has it."""
    _, request, response, kind = _HEADER.unpack_from(message)
    begin = _BEFORE_THE_DOCUMENT[kind]
    said = decode(message[begin:])
    if not {"ismaster", "isWritablePrimary"} & said.keys():
        return message
    kept = {name: value for name, value in said.items() if name not in _OF_A_SET}
    document = encode(kept | {"msg": "isdbgrid"})
    header = _HEADER.pack(begin + len(document), request, response, kind)
    return header + message[_HEADER.size : begin] + document
