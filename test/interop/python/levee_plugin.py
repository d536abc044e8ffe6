"""What redis-py's own tests need of a server beside its commands: an empty one before each test, and no other skips.

FLUSHDB is refused unless a namespace allows it, so keys are deleted one by one."""
import redis


def flushdb(self, *args, **options):
    keys = list(self.scan_iter(count=1000))
    return bool(self.delete(*keys)) if keys else True


redis.Redis.flushdb = flushdb
