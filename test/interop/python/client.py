"""Reads and writes through redis-py; prints one line per fact, which the test compares. Arguments: port, protocol."""
import os
import sys

import redis

port, protocol = int(sys.argv[1]), int(sys.argv[2])


def connect(**options):
    return redis.Redis(port=port, protocol=protocol, **options)


def refused(work):
    try:
        work()
        return "taken"
    except redis.RedisError as error:
        return "refused: " + str(error).split(" ")[0]


def say(*words):
    print(*(str(word).lower() if isinstance(word, bool) else word for word in words))


def texts(replies):
    return [reply.decode() if isinstance(reply, bytes) else "-" if reply is None else reply for reply in replies]


client = connect()
say("ping", "PONG" if client.ping() else "none")
client.set(b"\x00py\xff", b"\r\n\x00\xff")
say("binary", client.get(b"\x00py\xff") == b"\r\n\x00\xff")
say("missing", client.get("none") is None)
large = os.urandom(1024 * 1024)
client.set("large", large)
say("large", client.get("large") == large)
client.set("short", "x", ex=100)
say("expiry", 0 < client.ttl("short") <= 100)

pipe = client.pipeline(transaction=False)
for i in range(1000):
    pipe.set(f"p:{i}", i)
    pipe.get(f"p:{i}")
say("pipeline", sum(got == str(i).encode() for i, got in enumerate(pipe.execute()[1::2])))

multi = client.pipeline()
multi.set("m:1", 1).set("m:2", 2)
say("multi", refused(multi.execute), "left", client.exists("m:1", "m:2"))
batched = connect(username="batched", password="-")
batch = batched.pipeline()
done = batch.set("b:1", 1).get("b:1").delete("b:1").execute()
say("batch", *("OK" if reply is True else reply for reply in texts(done)))

filled = batched.pipeline(transaction=False)
for i in range(1000):
    filled.set(f"f:{i}", i)
filled.execute()
flushed = batched.flushdb()
say("flush", "OK" if flushed is True else flushed, "left", f"{batched.dbsize()},", refused(client.flushdb), "left", client.exists("p:1"))

say("scan", len(set(client.scan_iter(match="p:*", count=100))))

pool = [connect() for _ in range(10)]
missed = 0
for i in range(1000):
    pool[i % 10].set(f"pool:{i % 7}", i)
    missed += pool[(i + 1) % 10].get(f"pool:{i % 7}") != str(i).encode()
say("pool missed", missed)

done = client.mset({"c:1": "a", "c:2": "b"})
say("cache", "OK" if done else done, *texts(client.mget("c:1", "c:2", "c:3")))
say("limiter", refused(lambda: client.incr("limit")), "left", client.exists("limit"))
say("touch", refused(lambda: client.expire("short", 50)))
strayed = refused(lambda: connect(username="nosuch", password="-").set("stray", 1))
say("nowhere", strayed.startswith("refused"), "left", client.exists("stray"))
say("del", client.delete("short", "none"), client.exists("short"))
