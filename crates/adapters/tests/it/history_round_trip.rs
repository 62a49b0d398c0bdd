//! A synthetic history reads back to what was written.

use std::path::{Path, PathBuf};

use adapters::history::{self, Derivation, SyntheticDay, SyntheticHistory};
use units::{
    BitcoinPrice, Difficulty, EnergyPrice, HashRate, Power, Satoshis, Seconds,
    Temperature, Timestamp,
};

fn folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("history_round_trip").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old test folder goes away");
    }
    folder
}

/// A day and a half of made figures over an autumn change, negative ones too.
fn synthetic() -> SyntheticHistory {
    let start = Timestamp::parse("2025-11-01T12:00Z").expect("an instant");
    let every = |minutes: i64, count: i64| {
        (0..count).map(move |n| (start + Seconds::minutes(minutes * n), n))
    };
    let price = |n: i64| EnergyPrice::from_micro_usd_per_mwh(n * 1_234_567 - 30_000_001);
    let day = Timestamp::parse("2025-11-01").expect("a date");
    SyntheticHistory {
        point: "HB_SYNTH".to_owned(),
        lmp: every(5, 432).map(|(at, n)| (at, price(n))).collect(),
        settlement: every(15, 144).map(|(at, n)| (at, price(n * 2))).collect(),
        day_ahead: every(60, 36).map(|(at, n)| (at, price(n * 3))).collect(),
        temperature: every(60, 36)
            .map(|(at, n)| (at, Temperature::from_millidegrees(n * 777 - 9_000)))
            .collect(),
        demand_forecast: every(60, 36)
            .map(|(at, n)| (at, Power::from_watts(40_000_000_001 + n * 7)))
            .collect(),
        bitcoin: (0..3)
            .map(|n| SyntheticDay {
                day: day + Seconds::hours(24 * n),
                price: BitcoinPrice::from_micro_usd(87_133_510_001 + n),
                difficulty: Difficulty::from_whole(148_258_000_000_001 + n),
                network: HashRate::from_ghs(1_061_272_345_678 + n),
                fees: Satoshis::from_satoshis(280_614_000 + n),
                blocks: 144,
                height: 1_050_000 + 143 + 144 * u64::try_from(n).expect("not negative"),
            })
            .collect(),
    }
}

#[test]
fn what_is_written_reads_back() {
    let folder = folder("whole");
    let written = synthetic();
    history::write(&folder, &written).expect("a new folder can be written");
    let catalog = history::open(&[folder]).expect("what was written can be read");
    assert_eq!(catalog.notes(), [], "nothing is odd in what we write");
    let read = catalog.assemble("HB_SYNTH", Some("SYNTH")).expect("the point");

    let lmp: Vec<_> = read.lmp.iter().map(|k| (k.during.start, k.value)).collect();
    assert_eq!(lmp, written.lmp);
    assert!(read.lmp.iter().all(|k| k.during.duration() == Seconds::minutes(5)));
    let settled: Vec<_> =
        read.settlement.iter().map(|s| (s.during.start, s.price)).collect();
    assert_eq!(settled, written.settlement);
    assert!(read.settlement.iter().all(|s| s.derived == Derivation::Published));
    let day_ahead: Vec<_> =
        read.day_ahead.iter().map(|k| (k.during.start, k.value)).collect();
    assert_eq!(day_ahead, written.day_ahead);
    let temperature: Vec<_> =
        read.temperature.iter().map(|k| (k.during.start, k.value)).collect();
    assert_eq!(temperature, written.temperature);
    let demand: Vec<_> =
        read.demand_forecast.iter().map(|k| (k.during.start, k.value)).collect();
    assert_eq!(demand, written.demand_forecast);
    for (day, made) in read.bitcoin.iter().zip(&written.bitcoin) {
        assert_eq!((day.price, day.difficulty), (made.price, made.difficulty));
        // The height says that the subsidy has halved a fifth time.
        let fees = made.fees.among(144).as_satoshis();
        let off = day.reward.as_satoshis() - fees - 156_250_000;
        assert!(off.abs() <= 1, "{}", day.reward);
    }
    assert_eq!(read.bitcoin.len(), 3);
}

#[test]
fn an_empty_folder_gives_way_and_nothing_is_left_beside() {
    let folder = folder("beside").join("synth");
    std::fs::create_dir_all(&folder).expect("an empty folder");
    history::write(&folder, &synthetic()).expect("an empty folder can be written");
    let beside =
        std::fs::read_dir(folder.parent().expect("a parent")).expect("the parent");
    let names: Vec<_> =
        beside.map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, ["synth"]);
}

#[test]
fn writing_twice_writes_the_same_bytes() {
    let (first, second) = (folder("first"), folder("second"));
    history::write(&first, &synthetic()).expect("a new folder");
    history::write(&second, &synthetic()).expect("a new folder");
    let mut files = 0;
    for entry in std::fs::read_dir(&first).expect("the first") {
        let path = entry.expect("an entry").path();
        let other = second.join(path.file_name().expect("a name"));
        let bytes = std::fs::read(&path).expect("a file");
        assert_eq!(bytes, std::fs::read(&other).expect("its twin"), "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 6);
}
