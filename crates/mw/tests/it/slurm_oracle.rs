//! The job files for Slurm, run by a Slurm of Debian's packages on this machine. It needs
//! root, for a network of its own.

use std::fs;
use std::process::Command;

use crate::backtest::root;
use crate::books::folder;
use crate::deploy::{as_one, example, path_with_mw};

/// What a cluster of one machine takes.
const PROGRAMS: [&str; 6] = ["unshare", "ip", "munged", "slurmctld", "slurmd", "sbatch"];

/// As the first lines of the job files say.
const SUBMIT: &str = r#"
array=$(sbatch --parsable --export=ALL,FUTURES=8,SEED=3,PARTS=parts "$JOBS/slurm-array.sh")
exec timeout 300 sbatch --wait --kill-on-invalid-dep=yes --dependency="afterok:$array" \
    --export=ALL,PARTS=parts "$JOBS/slurm-merge.sh"
"#;

#[test]
fn slurm_runs_an_array_that_comes_to_what_one_machine_does() {
    let found = |name: &&str| {
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
        folders
            .iter()
            .any(|folder| fs::exists(format!("{folder}/{name}")).unwrap_or(false))
    };
    if let Some(absent) = PROGRAMS.iter().find(|name| !found(name)) {
        eprintln!(
            "skipped: {absent} is not installed; Debian's package slurm-wlm brings it"
        );
        return;
    }
    let apart =
        ["--net", "--pid", "--fork", "--mount-proc", "ip", "link", "set", "lo", "up"];
    let apart = Command::new("unshare").args(apart).output().expect("unshare runs");
    if !apart.status.success() {
        let why = String::from_utf8_lossy(&apart.stderr);
        eprintln!(
            "skipped: a cluster needs a network of its own, which only root may have: {why}"
        );
        return;
    }
    let folder = folder("slurm");
    fs::create_dir(folder.join("parts")).expect("the folder can be written");
    let plan = example();
    let cluster = root().join("crates/mw/tests/it/slurm_oracle/cluster.sh");
    let done = Command::new("sh")
        .arg(cluster)
        .args(["sh", "-euc", SUBMIT])
        .current_dir(&folder)
        .env_clear()
        .env("PATH", path_with_mw() + ":/usr/sbin:/sbin")
        .env("PLAN", &plan)
        .env("JOBS", root().join("deploy/plan"))
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&done.stderr);
    let logs = || {
        let names = fs::read_dir(&folder).expect("a folder").flatten();
        let logs = names
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("slurm-"));
        logs.filter_map(|log| fs::read_to_string(log.path()).ok()).collect::<String>()
    };
    assert!(done.status.success(), "{said}\n{}", logs());
    as_one(&folder, &plan, 8);
}
