//! Job files for clusters: the commands in them are run, with the variables that their
//! schedulers set, and come to what one machine comes to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::backtest::{mw, root};
use crate::books::folder;

fn deployed(name: &str) -> String {
    let path = root().join("deploy/plan").join(name);
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A search path on which our program stands first.
pub(crate) fn path_with_mw() -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mw"));
    let beside = program.parent().expect("a program stands in a folder");
    format!("{}:/usr/bin:/bin", beside.display())
}

/// Runs a script in a folder with `mw` on its path.
fn shell(script: &str, folder: &Path, variables: &[(&str, &str)]) {
    let done = Command::new("/bin/sh")
        .args(["-euc", script])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path_with_mw())
        .envs(variables.iter().copied())
        .output()
        .expect("a shell");
    assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
}

/// Futures of the example are the same by one run and by a folder's `answer.json`.
pub(crate) fn as_one(folder: &Path, plan: &str, futures: u32) {
    let text = fs::read_to_string(folder.join("answer.json")).expect("it was merged");
    let merged: Value = serde_json::from_str(&text).expect("JSON");
    let paths = futures.to_string();
    let done = mw(&["plan", plan, "--paths", &paths, "--seed", "3", "--json"]);
    let single: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(single["paths"], futures);
    assert_eq!(merged, single);
}

pub(crate) fn example() -> String {
    root().join("examples/childress-750mw").to_str().expect("a path").to_owned()
}

#[test]
fn a_slurm_array_comes_to_what_one_machine_does() {
    let folder = folder("deploy-slurm");
    fs::create_dir(folder.join("parts")).expect("the folder can be written");
    let (array, merge) = (deployed("slurm-array.sh"), deployed("slurm-merge.sh"));
    // The file asks Slurm for tasks that are counted as parts are.
    assert!(array.contains("\n#SBATCH --array=1-"), "{array}");
    let plan = example();
    for task in ["1", "2", "3"] {
        let variables = [
            ("PLAN", plan.as_str()),
            ("FUTURES", "5"),
            ("SEED", "3"),
            ("PARTS", "parts"),
            ("SLURM_CPUS_PER_TASK", "1"),
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ];
        shell(&array, &folder, &variables);
    }
    shell(&merge, &folder, &[("PLAN", plan.as_str()), ("PARTS", "parts")]);
    as_one(&folder, &plan, 5);
}

/// The block of text that each job's `args` hold.
fn scripts(yaml: &str) -> Vec<String> {
    let mut scripts = Vec::new();
    let mut lines = yaml.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "- |" {
            continue;
        }
        let indent = line.len() - line.trim_start().len() + 2;
        let block: Vec<&str> = lines
            .clone()
            .take_while(|line| line.len() - line.trim_start().len() >= indent)
            .map(|line| &line[indent..])
            .collect();
        scripts.push(block.join("\n"));
    }
    scripts
}

#[test]
fn a_kubernetes_job_comes_to_what_one_machine_does() {
    let folder = folder("deploy-kubernetes");
    fs::create_dir(folder.join("parts")).expect("the folder can be written");
    let yaml = deployed("kubernetes.yaml");
    let jobs: Vec<&str> = yaml.split("\n---\n").collect();
    assert_eq!(jobs.len(), 2);
    // As many parts as pods, and every pod knows its number.
    let after = |key: &str| {
        let line = jobs[0].lines().find(|line| line.contains(key));
        let digits = line.unwrap_or_default().replace(|c: char| !c.is_ascii_digit(), "");
        digits.parse::<u32>().unwrap_or_else(|_| panic!("{key} has no number"))
    };
    assert_eq!(after("completions:"), after("name: COUNT"));
    assert!(jobs[0].contains("completionMode: Indexed"));
    let found = scripts(&yaml);
    let [part, merge] = &found[..] else { panic!("a script for each job: {found:?}") };
    // What the scripts ask for is what the file sets, or Kubernetes.
    for name in ["PLAN", "FUTURES", "SEED", "COUNT"] {
        assert!(jobs[0].contains(&format!("name: {name},")), "{name} is not set");
        assert!(part.contains(&format!("${name}")), "{name} is not used");
    }
    assert!(jobs[1].contains("name: PLAN,"));
    let plan = example();
    for index in ["0", "1", "2"] {
        let variables = [
            ("PLAN", plan.as_str()),
            ("FUTURES", "5"),
            ("SEED", "3"),
            ("COUNT", "3"),
            ("JOB_COMPLETION_INDEX", index),
        ];
        shell(part, &folder, &variables);
    }
    shell(merge, &folder, &[("PLAN", plan.as_str())]);
    as_one(&folder, &plan, 5);
}
