"""python with_confluent_kafka.py check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>"""
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, OFFSET_BEGINNING

from put import Table, check, orders


def produce(brokers, topic, name):
    producer = Producer({
        "bootstrap.servers": brokers,
        # librdkafka's default is another one: its records would be in the wrong partitions, and not be applied.
        "partitioner": "murmur2_random",
        "acks": "all",
        "enable.idempotence": True,
    })
    failures = []
    for key, value in orders(name):
        producer.produce(topic, value, key, on_delivery=lambda error, _: error and failures.append(error))
    # Waits until all in-sync replicas have the records, or each has failed.
    producer.flush()
    if failures:
        raise KafkaException(failures[0])
    print(f"orders of {name} are in {topic}")


def consume(brokers, topic):
    consumer = Consumer({
        "bootstrap.servers": brokers,
        "group.id": "not-used",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    })
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    table, left = Table(), set(partitions)
    # A follower goes on for ever; this one ends when it has seen the end of each partition.
    while left:
        message = consumer.poll(10)
        if message is None:
            continue
        if message.error() is None:
            table.apply(message.key(), message.value())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            left.discard(message.partition())
        else:
            raise KafkaException(message.error())
    consumer.close()
    table.print()


if __name__ == "__main__":
    # librdkafka's partitioners cannot be called from here.
    {"check": check, "produce": produce, "consume": consume}[sys.argv[1]](*sys.argv[2:])
