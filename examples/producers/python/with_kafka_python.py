"""python with_kafka_python.py check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>"""
import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.partitioner import murmur2

from put import Table, check, orders


def produce(brokers, topic, name):
    # Its default partitioner is Java's, and it is idempotent with acks=all.
    producer = KafkaProducer(bootstrap_servers=brokers, acks="all", allow_auto_create_topics=False)
    sent = [producer.send(topic, value=value, key=key) for key, value in orders(name)]
    producer.flush()
    for future in sent:
        # Raises what became of the record, unless all in-sync replicas have it.
        future.get(timeout=30)
    producer.close()
    print(f"orders of {name} are in {topic}")


def consume(brokers, topic):
    consumer = KafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        isolation_level="read_committed",
        allow_auto_create_topics=False,
    )
    partitions = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    table = Table()
    # A follower goes on for ever; this one ends where the binlog ended when it began.
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(timeout_ms=1000).values():
            for record in records:
                table.apply(record.key, record.value)
    consumer.close()
    table.print()


def partition_of(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


if __name__ == "__main__":
    commands = {"check": lambda file: check(file, partition_of), "produce": produce, "consume": consume}
    commands[sys.argv[1]](*sys.argv[2:])
