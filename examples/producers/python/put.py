"""A binlog record's value, docs/binlog.md, written and read with fastavro; and the fold that turns records into a table."""
import io
import json
import sys
import time

import fastavro

SCHEMA = fastavro.parse_schema({
    "type": "record",
    "name": "Put",
    "namespace": "levee",
    "fields": [
        {"name": "expiresAtMs", "type": ["null", "long"], "default": None},
        {"name": "crc", "type": ["null", "int"], "default": None},
        {"name": "value", "type": "bytes"},
    ],
})
FRAME = bytes.fromhex("c30173555d3059ee5513")
RESERVED = b"\0levee\0"


def encode_put(value, expires_at_ms=None, crc=None):
    """`crc` may be left out: then nobody checks it."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, SCHEMA, {"expiresAtMs": expires_at_ms, "crc": crc, "value": value})
    return FRAME + body.getvalue()


def decode_put(record):
    """The body begins behind the frame, or behind the five bytes of a Confluent serializer."""
    if record.startswith(FRAME):
        body = io.BytesIO(record[len(FRAME):])
    elif record.startswith(b"\0"):
        body = io.BytesIO(record[5:])
    else:
        raise ValueError("no Put")
    put = fastavro.schemaless_reader(body, SCHEMA, None)
    if body.read(1):
        raise ValueError("bytes behind the Put")
    return put


class Table:
    """What a reader of a binlog knows: the newest value of each key."""

    def __init__(self):
        self.entries = {}

    def apply(self, key, record):
        if key is None or key.startswith(RESERVED):
            return
        self.entries.pop(key, None)
        if record is None:
            return
        try:
            put = decode_put(record)
        except Exception as error:
            print(f"{key}: {error}", file=sys.stderr)
            return
        expires = put["expiresAtMs"]
        if expires is None or expires > time.time() * 1000:
            self.entries[key] = put

    def print(self):
        for key, put in sorted(self.entries.items()):
            expires = "never" if put["expiresAtMs"] is None else put["expiresAtMs"]
            print(key.decode(), put["value"].decode(), expires, sep="\t")


def orders(name):
    """A hundred orders, every tenth of which expires in an hour; None deletes the seventh."""
    hour_ahead = int(time.time() * 1000) + 3_600_000
    for i in range(100):
        expires = hour_ahead if i % 10 == 0 else None
        yield f"{name}:order:{i}".encode(), encode_put(f"{i} apples".encode(), expires)
    yield f"{name}:order:7".encode(), None


def check(file, partition_of=None):
    """Compares this file, and the client's partitioner where it can be asked, with test/golden/binlog.json."""
    with open(file, encoding="utf-8") as opened:
        vectors = json.load(opened)
    for vector in vectors["records"]:
        value, record = bytes.fromhex(vector["valueHex"]), bytes.fromhex(vector["recordHex"])
        if vector["framing"] == "single-object":
            assert encode_put(value, vector["expiresAtMs"], vector["crc"]) == record, vector
        put = decode_put(record)
        assert (put["value"], put["expiresAtMs"]) == (value, vector["expiresAtMs"]), vector
    for vector in vectors["bad"]:
        if vector["keyHex"] is None or vector["reason"] == "badCrc":
            continue
        try:
            decode_put(bytes.fromhex(vector["recordHex"]))
        except Exception:
            continue
        raise AssertionError(f"taken for a Put: {vector}")
    keys = [key for key in vectors["keys"] if key["algorithm"] == "murmur2" and partition_of is not None]
    for key in keys:
        assert partition_of(bytes.fromhex(key["keyHex"]), key["partitions"]) == key["partition"], key
    print(f"{len(vectors['records'])} records and {len(keys)} keys are as they should be")
