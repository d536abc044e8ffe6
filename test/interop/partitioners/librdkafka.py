"""Prints `crc32|murmur2 <key> <hash> <partition per count>...` as the partitioners that librdkafka exports say.

They are those of the settings `consistent_random` (for keys that are not empty) and `murmur2_random`. The hash of
murmur2 is not to be had from it: the word `-` stands there.
"""
import ctypes
import glob
import os
import sys
import zlib

import confluent_kafka

packages = os.path.dirname(os.path.dirname(confluent_kafka.__file__))
library = ctypes.CDLL(glob.glob(os.path.join(packages, "confluent_kafka.libs", "librdkafka*.so*"))[0])


def partitioner(name):
    function = getattr(library, name)
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int32
    function.argtypes = [pointer, ctypes.c_char_p, size, number, pointer, pointer]
    function.restype = number
    return lambda key, count: function(None, key, len(key), count, None, None)


consistent = partitioner("rd_kafka_msg_partitioner_consistent")
murmur2 = partitioner("rd_kafka_msg_partitioner_murmur2")
counts = [int(count) for count in sys.argv[2].split(",")]
with open(sys.argv[1], encoding="ascii") as lines:
    for line in lines.read().split("\n"):
        key = bytes.fromhex(line)
        print("murmur2", line, "-", *(murmur2(key, count) for count in counts))
        if key:
            print("crc32", line, zlib.crc32(key), *(consistent(key, count) for count in counts))
