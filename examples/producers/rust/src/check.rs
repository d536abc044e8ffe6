//! Compares put.rs, and librdkafka's partitioner, with test/golden/binlog.json.
use crate::put::Put;
use serde_json::Value;
use std::error::Error;
use std::ptr::{null, null_mut};

pub fn vectors(file: &str) -> Result<(), Box<dyn Error>> {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let list = |name: &str| golden[name].as_array().cloned().unwrap_or_default();
    for each in list("records") {
        let (key, record) = (unhex(&each["keyHex"]), unhex(&each["recordHex"]));
        let wanted = Put {
            value: unhex(&each["valueHex"]),
            expires_at_ms: each["expiresAtMs"].as_i64(),
            crc: each["crc"].as_i64().map(|crc| crc as i32),
        };
        if each["framing"] == "single-object" {
            assert_eq!(wanted.encode(), record, "{each}");
        }
        if wanted.crc.is_some() {
            assert_eq!(Put::new(&key, &wanted.value, wanted.expires_at_ms), wanted, "{each}");
        }
        assert_eq!(Put::decode(&key, &record), Some(wanted), "{each}");
    }
    for each in list("bad").iter().filter(|each| !each["keyHex"].is_null()) {
        assert_eq!(Put::decode(&unhex(&each["keyHex"]), &unhex(&each["recordHex"])), None, "{each}");
    }
    let keys: Vec<Value> = list("keys").into_iter().filter(|each| each["algorithm"] == "murmur2").collect();
    for each in &keys {
        let partitions = each["partitions"].as_i64().unwrap_or(0) as i32;
        assert_eq!(Some(i64::from(partition_of(&unhex(&each["keyHex"]), partitions))), each["partition"].as_i64());
    }
    println!("{} records and {} keys are as they should be", list("records").len(), keys.len());
    Ok(())
}

/// What librdkafka does with `partitioner=murmur2_random` and a key.
fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let (bytes, length) = (key.as_ptr().cast(), key.len());
    // Safe: it reads the key and looks at nothing else.
    unsafe {
        rdkafka::bindings::rd_kafka_msg_partitioner_murmur2(null(), bytes, length, partitions, null_mut(), null_mut())
    }
}

fn unhex(text: &Value) -> Vec<u8> {
    let digits = text.as_str().unwrap_or("");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or(0)).collect()
}
