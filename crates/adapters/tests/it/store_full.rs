//! The store on a disk that is full, and then no longer.
//!
//! Needs a small file system of its own, which only root may mount; skipped,
//! and says so, where it cannot.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use adapters::store::{
    Access, Expected, Key, Kind, NewRecord, Store, StoreAddress, StoreError, verify,
};
use units::Timestamp;

use crate::store::{block_on, folder};

/// A file system of 4 MB, taken away again when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at);
        mount.stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("cannot unmount {}", self.0.display());
        }
    }
}

fn steps(from: u64) -> Vec<NewRecord> {
    let step = |n: u64| NewRecord {
        at: Timestamp::from_unix_seconds(n as i64),
        kind: Kind::Step,
        bytes: vec![n as u8; 15_000],
    };
    (from..from + 3).map(step).collect()
}

#[test]
fn appending_goes_on_without_a_gap_when_there_is_space_again() {
    let folder = folder("full_disk");
    let Some(disk) = SmallDisk::mounted(&folder) else {
        eprintln!("skipped: a full disk: no permission to mount a small file system");
        return;
    };
    let address = StoreAddress::file(&folder.join("store.db"));
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 2 << 20]).expect("room for it");
    block_on(async {
        let key = Key::from_seed([3; 32]);
        let mut store =
            Store::create(&address, &key.public(), &steps(1)).await.expect("room");
        let mut seq = 3;
        let error = loop {
            match store.append(&steps(seq + 1)).await {
                Ok(appended) => seq = appended.seq,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Full { .. }), "{error}: {error:?}");
        for _ in 0..10 {
            let error = store.append(&steps(seq + 1)).await.expect_err("no room yet");
            assert!(error.may_pass(), "{error}: {error:?}");
        }
        let mut reader = Store::open(&address, Access::Read).await.expect("a reader");
        assert_eq!(reader.tail().await.expect("a tail").seq, seq);
        reader.close().await.expect("a close");

        std::fs::remove_file(&ballast).expect("space again");
        for _ in 0..10 {
            seq += 3;
            assert_eq!(store.append(&steps(seq - 2)).await.expect("room").seq, seq);
        }
        let verdict = verify(&mut store, &Expected::default(), &mut |_, _| {}).await;
        let verdict = verdict.expect("a verdict");
        assert_eq!((verdict.findings.as_slice(), verdict.records), (&[][..], seq));
        store.close().await.expect("a close");
    });
    drop(disk);
    std::fs::remove_dir(folder).expect("the test's own folder");
}
