"""python prices.py <brokers> <topic> <count>: plain values into a topic of your own. Nothing here knows of Levee."""
import json
import sys

from confluent_kafka import KafkaException, Producer


def prices(count):
    for item in range(count):
        yield item, item * 7 % 1000
    # Every fifth gets cheaper, and every tenth is sold out: a null value deletes.
    for item in range(0, count, 5):
        yield item, 1
    for item in range(3, count, 10):
        yield item, None


def produce(brokers, topic, count):
    # The partitioner stays librdkafka's default, which is CRC-32.
    producer = Producer({
        "bootstrap.servers": brokers,
        "compression.type": "lz4",
        "acks": "all",
        "enable.idempotence": True,
    })
    failures = []
    for item, cents in prices(int(count)):
        value = None if cents is None else json.dumps({"item": item, "cents": cents}, separators=(",", ":"))
        while True:
            try:
                producer.produce(
                    topic,
                    value,
                    f"item:{item}",
                    headers={"source": "confluent-kafka"},
                    on_delivery=lambda error, _: error and failures.append(error),
                )
                break
            except BufferError:
                # Its queue is full: what is delivered leaves it.
                producer.poll(0.1)
        producer.poll(0)
    # Waits until all in-sync replicas have the records, or each has failed.
    producer.flush()
    if failures:
        raise KafkaException(failures[0])
    print(f"prices of {count} items are in {topic}")


if __name__ == "__main__":
    produce(*sys.argv[1:])
