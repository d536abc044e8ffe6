//! The value of a binlog record, docs/binlog.md, written and read without an Avro library.

const FRAME: [u8; 10] = [0xc3, 0x01, 0x73, 0x55, 0x5d, 0x30, 0x59, 0xee, 0x55, 0x13];
const RESERVED: &[u8] = b"\0levee\0";

#[derive(Debug, PartialEq)]
pub struct Put {
    pub value: Vec<u8>,
    /// Milliseconds since 1970; `None` for never.
    pub expires_at_ms: Option<i64>,
    /// As its writer computed it; optional.
    pub crc: Option<i32>,
}

/// Under a reserved key stand records of Levee's own: readers skip them.
pub fn is_reserved(key: &[u8]) -> bool {
    key.starts_with(RESERVED)
}

impl Put {
    /// With a checksum.
    pub fn new(key: &[u8], value: &[u8], expires_at_ms: Option<i64>) -> Put {
        let crc = Some(checksum(key, value, expires_at_ms));
        Put { value: value.to_vec(), expires_at_ms, crc }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut record = FRAME.to_vec();
        write_optional(&mut record, self.expires_at_ms);
        write_optional(&mut record, self.crc.map(i64::from));
        write_number(&mut record, self.value.len() as i64);
        record.extend(&self.value);
        record
    }

    /// Reads both framings, ours and that of Confluent's serializers; `None` when it is no Put, or its crc is wrong.
    pub fn decode(key: &[u8], record: &[u8]) -> Option<Put> {
        let mut body = match record.strip_prefix(&FRAME) {
            Some(body) => body,
            None if record.first() == Some(&0) => record.get(5..)?,
            None => return None,
        };
        let expires_at_ms = read_optional(&mut body)?;
        let crc = match read_optional(&mut body)? {
            Some(wide) => Some(i32::try_from(wide).ok()?),
            None => None,
        };
        if usize::try_from(read_number(&mut body)?) != Ok(body.len()) {
            return None;
        }
        let put = Put { value: body.to_vec(), expires_at_ms, crc };
        let right = crc.is_none_or(|crc| crc == checksum(key, body, expires_at_ms));
        right.then_some(put)
    }
}

fn checksum(key: &[u8], value: &[u8], expires_at_ms: Option<i64>) -> i32 {
    let crc = crc32c::crc32c(key);
    let crc = crc32c::crc32c_append(crc, &expires_at_ms.unwrap_or(0).to_be_bytes());
    crc32c::crc32c_append(crc, value) as i32
}

fn write_optional(record: &mut Vec<u8>, number: Option<i64>) {
    match number {
        None => record.push(0),
        Some(number) => {
            record.push(2);
            write_number(record, number);
        }
    }
}

/// Zig-zag, seven bits a byte, lowest first.
fn write_number(record: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        record.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    record.push(rest as u8);
}

fn read_optional(body: &mut &[u8]) -> Option<Option<i64>> {
    match read_number(body)? {
        0 => Some(None),
        1 => Some(Some(read_number(body)?)),
        _ => None,
    }
}

fn read_number(body: &mut &[u8]) -> Option<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    None
}
