//! Reads and writes through redis-rs; prints one line per fact, which the test compares. Argument: port.
use redis::{Commands, Connection, RedisResult};
use std::collections::HashSet;

fn connect(user: &str) -> RedisResult<Connection> {
    let port = std::env::args().nth(1).expect("a port");
    redis::Client::open(format!("redis://{user}127.0.0.1:{port}/"))?.get_connection()
}

fn refused<T>(outcome: RedisResult<T>) -> String {
    match outcome {
        Ok(_) => "taken".into(),
        Err(error) => format!("refused: {}", error.code().unwrap_or("?")),
    }
}

fn main() -> RedisResult<()> {
    let mut client = connect("")?;
    println!("ping {}", redis::cmd("PING").query::<String>(&mut client)?);
    let (key, value) = (b"\x00rs\xff".to_vec(), b"\r\n\x00\xff".to_vec());
    let _: () = client.set(&key, &value)?;
    println!("binary {}", client.get::<_, Vec<u8>>(&key)? == value);
    println!("missing {}", client.get::<_, Option<String>>("none")?.is_none());
    let large = [0u8, 13, 10, 255].repeat(256 * 1024);
    let _: () = client.set("large", &large)?;
    println!("large {}", client.get::<_, Vec<u8>>("large")? == large);
    let _: () = client.set_ex("short", "x", 100)?;
    println!("expiry {}", (1..=100).contains(&client.ttl::<_, i64>("short")?));

    let mut pipe = redis::pipe();
    for i in 0..1000 {
        pipe.set(format!("p:{i}"), i).ignore().get(format!("p:{i}"));
    }
    let got: Vec<usize> = pipe.query(&mut client)?;
    println!("pipeline {}", got.iter().enumerate().filter(|(i, got)| i == *got).count());

    let multi = redis::pipe().atomic().set("m:1", 1).set("m:2", 2).query::<Vec<String>>(&mut client);
    let multi = match multi {
        Err(error) if error.to_string().contains("LVUNSUPPORTED") && error.to_string().contains("nothing was carried out") => "refused: LVUNSUPPORTED".into(),
        other => refused(other),
    };
    println!("multi {multi} left {}", connect("")?.exists::<_, i64>(&["m:1", "m:2"])?);
    let batch: (String, i64, i64) =
        redis::pipe().atomic().set("b:1", 1).get("b:1").del("b:1").query(&mut connect("batched:-@")?)?;
    println!("batch {} {} {}", batch.0, batch.1, batch.2);

    let mut client = connect("")?;
    let mut batched = connect("batched:-@")?;
    let mut fill = redis::pipe();
    for i in 0..1000 {
        fill.set(format!("f:{i}"), i).ignore();
    }
    let _: () = fill.query(&mut batched)?;
    let flushed: String = redis::cmd("FLUSHDB").query(&mut batched)?;
    let left: i64 = redis::cmd("DBSIZE").query(&mut batched)?;
    let refusal = refused(client.flushdb::<()>());
    println!("flush {flushed} left {left}, {refusal} left {}", client.exists::<_, i64>("p:1")?);

    let seen: HashSet<String> = client.scan_match("p:*")?.collect::<RedisResult<_>>()?;
    println!("scan {}", seen.len());

    let mut pool = (0..10).map(|_| connect("")).collect::<RedisResult<Vec<_>>>()?;
    let mut missed = 0;
    for i in 0..1000usize {
        let key = format!("pool:{}", i % 7);
        let _: () = pool[i % 10].set(&key, i)?;
        missed += (pool[(i + 1) % 10].get::<_, Option<usize>>(&key)? != Some(i)) as usize;
    }
    println!("pool missed {missed}");

    let set: String = client.mset(&[("c:1", "a"), ("c:2", "b")])?;
    let got: Vec<Option<String>> = client.mget(&["c:1", "c:2", "c:3"])?;
    let got: Vec<String> = got.into_iter().map(|value| value.unwrap_or("-".into())).collect();
    println!("cache {set} {}", got.join(" "));
    let limited = refused(client.incr::<_, _, i64>("limit", 1));
    println!("limiter {limited} left {}", client.exists::<_, i64>("limit")?);
    println!("touch {}", refused(client.expire::<_, i64>("short", 50)));
    let strayed = connect("nosuch:-@").and_then(|mut stray| stray.set::<_, _, ()>("stray", 1));
    println!("nowhere {} left {}", strayed.is_err(), client.exists::<_, i64>("stray")?);
    println!("del {} {}", client.del::<_, i64>(&["short", "none"])?, client.exists::<_, i64>("short")?);
    Ok(())
}
