//! Measures what an append costs: `cargo run --release -p adapters --example append_cost [ADDRESS]`.
#![expect(clippy::print_stdout, reason = "a measurement answers on standard output")]

use std::time::{Duration, Instant};

use adapters::store::{Key, Kind, NewRecord, Store, StoreAddress};
use units::Timestamp;

/// How long each row is measured.
const MEASURED: Duration = Duration::from_secs(2);

/// A day of sweeps, one every 30 s.
const SWEEPS_A_DAY: u64 = 24 * 60 * 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let named = std::env::args().nth(1);
    let folder = std::env::temp_dir().join(format!("append_cost_{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("store.db");
    let address = match &named {
        Some(text) => StoreAddress::parse(text, &|name| std::env::var(name).ok())?,
        None => StoreAddress::file(&file),
    };
    let at = Timestamp::from_unix_seconds(1_790_000_000);
    let head = NewRecord { at, kind: Kind::Head, bytes: vec![0; 100] };
    let key = Key::generate()?.public();
    let mut store = Store::create(&address, &key, &[head]).await?;
    println!("{address}");
    println!("  bytes  batch    commits/s    records/s     ms/commit, slowest");
    for bytes in [200, 20_000] {
        for batch in [1, 10, 100] {
            let records =
                vec![NewRecord { at, kind: Kind::Step, bytes: noise(bytes) }; batch];
            let (begun, mut commits, mut slowest) =
                (Instant::now(), 0_u32, Duration::ZERO);
            while begun.elapsed() < MEASURED {
                let one = Instant::now();
                store.append(&records).await?;
                slowest = slowest.max(one.elapsed());
                commits += 1;
            }
            let rate = f64::from(commits) / begun.elapsed().as_secs_f64();
            let records_rate = rate * batch as f64;
            let slowest_ms = slowest.as_secs_f64() * 1_000.0;
            println!(
                "{bytes:>7} {batch:>6} {rate:>12.0} {records_rate:>12.0} {slowest_ms:>22.1}"
            );
        }
    }
    store.close().await?;
    std::fs::remove_file(&file).ok();

    if named.is_none() {
        let head = NewRecord { at, kind: Kind::Head, bytes: vec![0; 100] };
        let mut store = Store::create(&address, &key, &[head]).await?;
        let sweep = NewRecord { at, kind: Kind::Step, bytes: noise(20_000) };
        for _ in 0..SWEEPS_A_DAY / 8 {
            store.append(&vec![sweep.clone(); 8]).await?;
        }
        store.close().await?;
        let megabytes = std::fs::metadata(&file)?.len() as f64 / 1e6;
        println!(
            "a day of 10,000 machines, 20 kB each 30 s: {megabytes:.1} MB on the disk"
        );
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Bytes that do not compress, the same every time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..count).map(next).collect()
}
