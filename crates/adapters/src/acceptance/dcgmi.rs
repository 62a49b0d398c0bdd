//! `dcgmi diag -j`: what became of each test, over all GPUs.
//!
//! DCGM 3 has everything under `DCGM GPU Diagnostic`, DCGM 4 under `DCGM Diagnostic`,
//! with other names of tests; both may print lines before the document. Names are
//! brought to those of DCGM 4. A status that is not known is a failure.

use std::collections::BTreeMap;

use engine::capacity::acceptance::Outcome;
use serde_json::Value;

use super::Unreadable;

pub(super) fn read(
    file: &str,
    text: &str,
) -> Result<BTreeMap<String, Outcome>, Unreadable> {
    let wrong = |expected: &str, found: String| Unreadable::new(file, expected, found);
    let start = text.find('{').ok_or_else(|| {
        wrong("the JSON of dcgmi diag -j", format!("{} bytes without any", text.len()))
    })?;
    let value: Value = serde_json::from_str(&text[start..])
        .map_err(|error| wrong("the JSON of dcgmi diag -j", error.to_string()))?;
    let root = ["DCGM Diagnostic", "DCGM GPU Diagnostic"]
        .iter()
        .find_map(|key| value.get(key))
        .ok_or_else(|| wrong("a key `DCGM Diagnostic`", "none".to_owned()))?;
    for of in [root, &value] {
        if let Some(error) = of.get("runtime_error") {
            return Err(wrong("a diagnostic that ran", error.to_string()));
        }
    }
    let categories = root
        .get("test_categories")
        .and_then(Value::as_array)
        .ok_or_else(|| wrong("a list `test_categories`", "none".to_owned()))?;
    let mut tests: BTreeMap<String, Outcome> = BTreeMap::new();
    for category in categories {
        let list = category.get("tests").and_then(Value::as_array).ok_or_else(|| {
            wrong("a list `tests` in every category", "none".to_owned())
        })?;
        // DCGM 3 leaves nulls between the tests of a category.
        for test in list.iter().filter(|test| !test.is_null()) {
            let name = test
                .get("name")
                .and_then(Value::as_str)
                .ok_or_else(|| wrong("a name of every test", test.to_string()))?;
            let results = test
                .get("results")
                .and_then(Value::as_array)
                .filter(|results| !results.is_empty())
                .ok_or_else(|| wrong("results of every test", name.to_owned()))?;
            for result in results.iter().filter(|result| !result.is_null()) {
                let found = outcome(result);
                let kept = tests.entry(canonical(name)).or_insert(Outcome::Passed);
                // The worst of all GPUs counts.
                match (&kept, &found) {
                    (Outcome::Failed(_), _) | (_, Outcome::Passed) => {}
                    (Outcome::Passed | Outcome::Skipped, _) => *kept = found,
                }
            }
        }
    }
    match tests.is_empty() {
        true => Err(wrong("at least one test", "none".to_owned())),
        false => Ok(tests),
    }
}

fn outcome(result: &Value) -> Outcome {
    let status = result.get("status").and_then(Value::as_str).unwrap_or("no status");
    match status.to_ascii_lowercase().as_str() {
        "pass" => Outcome::Passed,
        "skip" | "skipped" | "not run" => Outcome::Skipped,
        _ => {
            let gpu = result.get("entity_id").or_else(|| result.get("gpu_ids"));
            let gpu = gpu.map_or(String::new(), |gpu| {
                format!(" on GPU {}", gpu.to_string().trim_matches('"'))
            });
            let said = result.get("warnings").or_else(|| result.get("info"));
            let said = said.map_or(String::new(), |said| format!(": {said}"));
            Outcome::Failed(format!("{status}{gpu}{said}"))
        }
    }
}

/// The name of a test as DCGM 4 has it.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace([' ', '-'], "_");
    match name.as_str() {
        "gpu_memory" => "memory".to_owned(),
        "sm_stress" => "diagnostic".to_owned(),
        // The parts of level 1 of DCGM 3.
        "denylist"
        | "nvml_library"
        | "cuda_main_library"
        | "cuda_toolkit_library"
        | "permissions_and_os_related_blocks"
        | "permissions_and_os_blocks"
        | "persistence_mode"
        | "environment_variables"
        | "page_retirement"
        | "page_retirement/row_remap"
        | "sram_threshold_count"
        | "graphics_processes"
        | "inforom" => "software".to_owned(),
        _ => name,
    }
}
