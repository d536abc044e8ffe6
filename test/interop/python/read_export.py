"""Reads an export of Levee with fastavro, which knows nothing of Levee, and says what it found."""
import hashlib
import json
import sys

import fastavro

with open(sys.argv[1], "rb") as file:
    reader = fastavro.reader(file)
    manifest = json.loads(reader.metadata["levee.manifest"])
    keys = {}
    seals = 0
    for record in reader:
        if record["key"].startswith(b"\x00levee\x00"):
            seals += 1
        else:
            keys[record["key"].hex()] = hashlib.sha256(record["value"] or b"").hexdigest()
print(json.dumps({"codec": reader.codec, "seals": seals, "told": manifest["keys"], "keys": keys}))
