//! Samples with bytes changed, lines lost and lines doubled: a reader may
//! refuse them with an error, and never panics or gives values out of order.

use std::path::{Path, PathBuf};

use adapters::history::{self, History};

/// A small generator, so that a failure is its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // Constants of Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

fn mutated(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    for _ in 0..=dice.below(4) {
        let place = dice.below(lines.len());
        match dice.below(6) {
            0 if lines.len() > 1 => {
                lines.remove(place);
            }
            1 => lines.insert(place, lines[place].clone()),
            2 => {
                let other = dice.below(lines.len());
                lines.swap(place, other);
            }
            3 => {
                let line = &mut lines[place];
                line.truncate(dice.below(line.len()));
            }
            _ => {
                const MARKS: &[u8] = b"0199-+.,;:\"eTZ/ \nN";
                let line = &mut lines[place];
                if !line.is_empty() {
                    let at = dice.below(line.len());
                    line[at] = MARKS[dice.below(MARKS.len())];
                }
            }
        }
    }
    lines.concat()
}

fn check(history: &History) {
    for pair in history.lmp.windows(2) {
        assert!(pair[0].during.end <= pair[1].during.start);
    }
    for pair in history.settlement.windows(2) {
        assert!(pair[0].during.end <= pair[1].during.start);
    }
    for pair in history.bitcoin.windows(2) {
        assert!(pair[0].day.end <= pair[1].day.start);
    }
    assert!(history.settlement.iter().all(|s| s.during.end <= s.known_at));
    assert!(history.day_ahead.iter().all(|k| k.known_at <= k.during.start));
    assert!(history.bitcoin.iter().all(|day| day.day.end <= day.known_at));
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/history"));
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder of samples");
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let files = entries(root).into_iter().flat_map(|folder| entries(&folder));
    files
        .filter(|path| path.extension().is_some_and(|end| end == "csv"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a sample"))
        })
        .collect()
}

#[test]
fn changed_files_are_read_or_refused() {
    let samples = samples();
    assert!(samples.len() > 20, "{} samples", samples.len());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("history_mutated");
    let mut read = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).expect("an old test folder goes away");
        }
        std::fs::create_dir_all(&folder).expect("a test folder");
        for _ in 0..3 {
            let (name, bytes) = &samples[dice.below(samples.len())];
            std::fs::write(folder.join(name), mutated(bytes, &mut dice))
                .expect("a test file");
        }
        // A panic below names no seed, so it is said here, where it is shown on failure.
        eprintln!("seed {seed}");
        let Ok(catalog) = history::open(std::slice::from_ref(&folder)) else {
            continue;
        };
        assert!(!catalog.check().to_string().is_empty());
        for point in catalog.points() {
            if let Ok(history) = catalog.assemble(&point.point, Some(&point.market)) {
                check(&history);
                read += 1;
            }
        }
    }
    assert!(read > 200, "{read} histories were read");
}
