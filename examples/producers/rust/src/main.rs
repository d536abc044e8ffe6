//! check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>
mod check;
mod put;

use put::Put;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Outcome = Result<(), Box<dyn Error>>;

/// Counts the records that did not get through.
#[derive(Default)]
struct Failures(AtomicUsize);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, delivered: &DeliveryResult, _: ()) {
        if let Err((error, _)) = delivered {
            eprintln!("{error}");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_millis() as i64)
}

/// A hundred orders, every tenth of which expires in an hour; the seventh is deleted again.
fn produce(brokers: &str, topic: &str, name: &str) -> Outcome {
    let producer: ThreadedProducer<Failures> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // librdkafka's default is another one: its records would be in the wrong partitions, and not be applied.
        .set("partitioner", "murmur2_random")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .create_with_context(Failures::default())?;
    let hour_ahead = now_ms() + 3_600_000;
    for i in 0..100 {
        let key = format!("{name}:order:{i}");
        let expires_at_ms = (i % 10 == 0).then_some(hour_ahead);
        let value = Put::new(key.as_bytes(), format!("{i} apples").as_bytes(), expires_at_ms).encode();
        producer.send(BaseRecord::to(topic).key(&key).payload(&value)).map_err(|(error, _)| error)?;
    }
    let gone = format!("{name}:order:7");
    producer.send(BaseRecord::<_, [u8]>::to(topic).key(&gone)).map_err(|(error, _)| error)?;
    // Waits until all in-sync replicas have the records, or each has failed.
    producer.flush(Duration::from_secs(30))?;
    match producer.context().0.load(Ordering::Relaxed) {
        0 => println!("orders of {name} are in {topic}"),
        failed => return Err(format!("{failed} records did not get through").into()),
    }
    Ok(())
}

/// Prints the newest value of each key.
fn consume(brokers: &str, topic: &str) -> Outcome {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "not-used")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
    let mut left: BTreeSet<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    let mut from = TopicPartitionList::new();
    for partition in &left {
        from.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&from)?;
    let mut table = BTreeMap::new();
    // A follower goes on for ever; this one ends when it has seen the end of each partition.
    while !left.is_empty() {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(record)) => {
                if let Some(key) = record.key() {
                    apply(&mut table, key, record.payload());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    for (key, put) in table {
        let expires = put.expires_at_ms.map_or("never".into(), |at| at.to_string());
        println!("{}\t{}\t{expires}", String::from_utf8_lossy(&key), String::from_utf8_lossy(&put.value));
    }
    Ok(())
}

fn apply(table: &mut BTreeMap<Vec<u8>, Put>, key: &[u8], value: Option<&[u8]>) {
    if put::is_reserved(key) {
        return;
    }
    table.remove(key);
    let Some(value) = value else { return };
    match Put::decode(key, value) {
        Some(put) if put.expires_at_ms.is_none_or(|at| at > now_ms()) => drop(table.insert(key.to_vec(), put)),
        Some(_) => {}
        None => eprintln!("{}: no Put", String::from_utf8_lossy(key)),
    }
}

fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check", file] => check::vectors(file),
        ["produce", brokers, topic, name] => produce(brokers, topic, name),
        ["consume", brokers, topic] => consume(brokers, topic),
        _ => Err("check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>".into()),
    }
}
