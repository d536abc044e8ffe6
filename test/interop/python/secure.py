"""TLS, user and password through redis-py; prints one line per fact. Arguments: port, protocol, CA, user, password."""
import re
import sys
import urllib.parse

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

port, protocol, ca, username, password = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
tls = {"ssl": True, "ssl_ca_certs": ca, "host": "localhost", "port": port, "protocol": protocol}


def outcome(work):
    try:
        work()
        return "taken"
    except redis.RedisError as error:
        text = f"{error} {error.__cause__}"
        if isinstance(error, redis.AuthenticationError) and "Authentication required" in text:
            return "NOAUTH"
        if "invalid username-password pair" in text:
            return "WRONGPASS"
        found = re.search("NOAUTH|WRONGPASS", text)
        return found.group(0) if found else text


client = redis.Redis(username=username, password=password, **tls)
print("set", "OK" if client.set("secure:redis-py", "value") else "-")
print("get", client.get("secure:redis-py").decode())
print("whoami", (lambda name: name.decode() if isinstance(name, bytes) else name)(client.execute_command("ACL", "WHOAMI")))
print("stranger", outcome(lambda: redis.Redis(**tls).get("secure:redis-py")))
# By default redis-py 8 tries a wrong password ten times, and whoever fails so often is slowed down.
once = Retry(NoBackoff(), 0)
wrong = redis.Redis(username=username, password="wrong", retry=once, **tls)
print("wrong", outcome(lambda: wrong.get("secure:redis-py")))
url = f"rediss://{username}:{urllib.parse.quote(password)}@localhost:{port}?ssl_ca_certs={urllib.parse.quote(ca)}"
print("url", redis.Redis.from_url(url, protocol=protocol).get("secure:redis-py").decode())
