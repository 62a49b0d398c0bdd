//! What a history says when it cannot be used.

use std::path::{Path, PathBuf};

use adapters::history::{self, HistoryError};

/// A folder under the target directory with the given files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("history_errors").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("an old test folder goes away");
    }
    std::fs::create_dir_all(&folder).expect("a test folder");
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a test file");
    }
    folder
}

/// What opening the folder and assembling the point says, without the folder's path.
fn check(folder: &Path, point: &str, market: Option<&str>, expected: &str) {
    let tried = history::open(&[folder.to_owned()])
        .and_then(|catalog| catalog.assemble(point, market).map(|_| ()));
    let error = tried.expect_err("it cannot be used").to_string();
    let shown = error.replace(&folder.display().to_string(), "DIR");
    assert_eq!(shown, expected);
}

const HOUSTON: (&str, &str) = (
    "ercot_hb_houston_rt_15min_2025.csv",
    "interval_start_utc,rt_spp_usd_mwh\n2025-01-01T00:00Z,1\n2025-01-01T00:15Z,2\n",
);

#[test]
fn says_that_a_folder_is_missing_or_is_a_file() {
    let there = folder("paths", &[HOUSTON]);
    check(
        &there.join("nowhere"),
        "HB_HOUSTON",
        None,
        "expected a folder of history files, found nothing at `DIR`; name a folder that exists",
    );
    check(
        &there.join(HOUSTON.0),
        "HB_HOUSTON",
        None,
        "expected a folder of history files, found the file `DIR`; name the folder it lies in",
    );
}

#[test]
fn says_that_there_are_no_prices() {
    let bitcoin = "date,price_usd,difficulty\n2025-01-01,90000,100000000000000\n";
    check(
        &folder("no_prices", &[("bitcoin.csv", bitcoin)]),
        "HB_WEST",
        None,
        "expected at least one series of power prices, found none in `DIR`; \
         `mw history check` says what each file was taken for",
    );
}

#[test]
fn names_the_nearest_point_first() {
    let wide = "interval_start_utc,LZ_WEST,HB_WEST,HB_NORTH\n2025-01-01T00:00Z,1,2,3\n";
    check(
        &folder("points", &[("wide.csv", wide), HOUSTON]),
        "hb_wst",
        None,
        "expected prices for the settlement point `hb_wst`, found HB_WEST, LZ_WEST, HB_NORTH, \
         HB_HOUSTON; name one of these",
    );
}

#[test]
fn says_that_the_market_is_another_or_not_known() {
    let aemo = "SETTLEMENTDATE,REGIONID,RRP\n2025-01-01 00:05:00,NSW1,50\n";
    let there = folder("markets", &[("aemo.csv", aemo)]);
    check(
        &there,
        "NSW1",
        Some("ERCOT"),
        "expected `NSW1` in the market ERCOT, found it in NEM; name that market",
    );
    check(
        &there,
        "NSW1",
        Some("WEM"),
        "expected a market of ERCOT, SYNTH, NEM, AESO, CAISO, PJM, MISO, NYISO, ISONE, SPP, \
         OTHER, found `WEM`",
    );
}

#[test]
fn refuses_a_column_in_which_nothing_can_be_read() {
    let local = "Time,Interval Start,Interval End,Location,Market,SPP\n\
                 2025-01-01 00:00,2025-01-01 00:00,2025-01-01 00:15,HB_WEST,REAL_TIME_15_MIN,5\n";
    check(
        &folder("no_offset", &[("spp.csv", local)]),
        "HB_WEST",
        None,
        "`spp.csv`: expected a time with its UTC offset in column `Interval Start`, found \
         `2025-01-01 00:00` in row 2 and nothing readable in any row; correct the column or \
         take the file out of the folder",
    );
    let commas =
        "interval_start_utc;HB_WEST\n2025-01-01T00:00Z;1,5\n2025-01-01T00:05Z;2,5\n";
    check(
        &folder("decimal_commas", &[("wide.csv", commas)]),
        "HB_WEST",
        None,
        "`wide.csv`: expected a number in column `HB_WEST`, found `1,5` in row 2 and nothing \
         readable in any row; correct the column or take the file out of the folder",
    );
}

#[test]
fn a_market_that_no_file_states_can_be_named() {
    let wide = "interval_start_utc,NODE_7\n2025-01-01T00:00Z,1\n2025-01-01T00:05Z,2\n";
    let there = folder("named_market", &[("wide.csv", wide)]);
    let catalog = history::open(&[there]).expect("a wide file");
    let history =
        catalog.assemble("NODE_7", Some("caiso")).expect("the market is not stated");
    assert_eq!(history.market.name, "CAISO");
    assert!(
        history.notes.iter().any(|note| note.treatment == "taken as CAISO, as asked")
    );
}

#[test]
fn several_folders_are_read_as_one() {
    let aemo = "SETTLEMENTDATE,REGIONID,RRP\n2025-01-01 00:05:00,NSW1,50\n";
    let folders = [folder("first", &[HOUSTON]), folder("second", &[("aemo.csv", aemo)])];
    let catalog = history::open(&folders).expect("two folders");
    let names: Vec<&str> =
        catalog.files().iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["first/ercot_hb_houston_rt_15min_2025.csv", "second/aemo.csv"]);
    let points: Vec<String> =
        catalog.points().into_iter().map(|point| point.point).collect();
    assert_eq!(points, ["HB_HOUSTON", "NSW1"]);
}

#[test]
fn a_synthetic_history_is_not_written_over_files() {
    let there = folder("occupied", &[HOUSTON]);
    let synthetic = history::SyntheticHistory::default();
    let refused = history::write(&there, &synthetic).expect_err("there are files");
    assert!(matches!(refused, HistoryError::FolderNotEmpty(_)), "{refused}");
    let refused = history::write(&there.join(HOUSTON.0), &synthetic).expect_err("a file");
    assert!(matches!(refused, HistoryError::NotAFolder(_)), "{refused}");
    assert_eq!(std::fs::read_dir(&there).expect("the folder").count(), 1);
}
