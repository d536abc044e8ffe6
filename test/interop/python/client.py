"""Reads and writes through redis-py; prints one line per fact, which the test compares."""
import os
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]), protocol=int(sys.argv[2]))
print("ping", client.ping())
print("set", client.set("py", "hello"))
print("get", client.get("py"))
print("missing", client.get("py-missing"))
client.set(b"\x00py\xff", b"\r\n\x00\xff")
print("binary", client.get(b"\x00py\xff"))
large = os.urandom(1024 * 1024)
client.set("py-large", large)
print("large", client.get("py-large") == large)
pipe = client.pipeline(transaction=False)
for i in range(1000):
    pipe.set(f"py:{i}", i)
    pipe.get(f"py:{i}")
print("pipeline", pipe.execute()[1::2] == [str(i).encode() for i in range(1000)])
try:
    client.pipeline().set("py-multi", "x").get("py-multi").execute()
except redis.ResponseError as error:
    print("multi refused", "nothing was carried out" in str(error), client.get("py-multi"))
batched = redis.Redis(port=int(sys.argv[1]), protocol=int(sys.argv[2]), username="batched", password="-")
print("batch", batched.pipeline().set("py-multi", "x").get("py-multi").delete("py-multi").execute())
try:
    batched.pipeline().set("py-multi", "x").incr("py-multi").execute()
except redis.ResponseError as error:
    print("batch refused", "INCR" in str(error), batched.get("py-multi"))
print("scan", len(set(client.scan_iter(match="py:*", count=100))))
print("ttl", client.set("py-ttl", "x", ex=100), 0 < client.ttl("py-ttl") <= 100)
print("del", client.delete("py", "py-missing"), client.exists("py"))
try:
    client.incr("py")
except redis.ResponseError as error:
    print("incr refused", len(str(error)) > 10)
