//! `dcgmi diag -j`: what became of each test, over all GPUs.
//!
//! DCGM 3 has everything under `DCGM GPU Diagnostic`, DCGM 4 under `DCGM Diagnostic`,
//! with other names of tests; both may print lines before the document, and whoever
//! kept it lines behind. Names are brought to those of DCGM 4. A status that is not
//! known is a failure, and so is an error beside a pass.

use std::collections::BTreeSet;

use engine::capacity::acceptance::{Diagnostic, Outcome, Tested};
use serde_json::Value;

use super::Unreadable;
use super::prefix::stripped;

const ROOTS: [&str; 2] = ["DCGM Diagnostic", "DCGM GPU Diagnostic"];

pub(super) fn read(file: &str, text: &str) -> Result<Diagnostic, Unreadable> {
    let wrong = |expected: &str, found: String| Unreadable::new(file, expected, found);
    let text = stripped(file, text, true)?;
    let value = document(file, &text)?;
    let root = ROOTS.iter().find_map(|key| value.get(key));
    let root = root.ok_or_else(|| wrong("a key `DCGM Diagnostic`", "none".to_owned()))?;
    for of in [root, &value] {
        for key in ["runtime_error", "error_code", "Error"] {
            if let Some(error) = of.get(key)
                && !matches!(error, Value::Null)
                && error != ""
                && error != 0
            {
                return Err(wrong("a diagnostic that ran", error.to_string()));
            }
        }
    }
    let categories = root
        .get("test_categories")
        .and_then(Value::as_array)
        .ok_or_else(|| wrong("a list `test_categories`", "none".to_owned()))?;
    let mut found = Diagnostic { serials: serials(&value), ..Diagnostic::default() };
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
            let nothing = || Tested { outcome: Outcome::Passed, gpus: BTreeSet::new() };
            let mut of_test = nothing();
            for result in results.iter().filter(|result| !result.is_null()) {
                of_test.gpus.extend(gpus(result));
                match outcome(result) {
                    // That a test is none for a processor says nothing of the GPUs.
                    Outcome::Skipped if !is_gpu(result) => {}
                    found @ (Outcome::Passed | Outcome::Skipped | Outcome::Failed(_)) => {
                        worse(&mut of_test.outcome, found)
                    }
                }
            }
            if let Some(summary) = test.get("test_summary").filter(|one| !one.is_null()) {
                worse(&mut of_test.outcome, outcome(summary));
            }
            match found.tests.get_mut(&canonical(name)) {
                // The parts of level 1 of DCGM 3 are one test: each has to be of every
                // GPU.
                Some(kept) => {
                    worse(&mut kept.outcome, of_test.outcome);
                    kept.gpus = kept.gpus.intersection(&of_test.gpus).copied().collect();
                }
                None => {
                    found.tests.insert(canonical(name), of_test);
                }
            }
        }
    }
    for of in [root, &value] {
        let overall = of.get("Overall Result").and_then(Value::as_str);
        if let Some(said) = overall.filter(|said| !said.eq_ignore_ascii_case("pass")) {
            return Err(wrong("an overall result of Pass", said.to_owned()));
        }
    }
    match found.tests.is_empty() {
        true => Err(wrong("at least one test", "none".to_owned())),
        false => Ok(found),
    }
}

/// The document among what else was printed.
fn document(file: &str, text: &str) -> Result<Value, Unreadable> {
    let what = "the JSON of dcgmi diag -j";
    let wrong = |found: String| Unreadable::new(file, what, found);
    let mut begins = Vec::new();
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('{') {
            begins.push(place + line.len() - line.trim_start().len());
        }
        place += line.len();
    }
    let mut first = None;
    let mut found: Option<Value> = None;
    let mut ended = 0;
    for begin in begins {
        if begin < ended {
            continue;
        }
        let mut values =
            serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if ROOTS.iter().any(|root| value.get(root).is_some()) => {
                if found.is_some() {
                    return Err(Unreadable::new(
                        file,
                        "one diagnostic",
                        "a second one behind it",
                    ));
                }
                found = Some(value);
                ended = begin + values.byte_offset();
            }
            Some(Err(error)) if first.is_none() => {
                first = Some(error.to_string());
                // What is in a document that was cut off is no document.
                if error.is_eof() {
                    break;
                }
            }
            Some(Ok(_)) if first.is_none() => {
                first = Some("a document without a key `DCGM Diagnostic`".to_owned());
            }
            Some(_) | None => {}
        }
    }
    found.ok_or_else(|| {
        wrong(first.unwrap_or_else(|| format!("{} bytes without any", text.len())))
    })
}

/// The serial numbers of GPUs that the document names, in `entity_groups`.
fn serials(value: &Value) -> BTreeSet<String> {
    let groups = value.get("entity_groups").and_then(Value::as_array);
    let of_gpus = groups.into_iter().flatten().filter(|group| is_gpu(group));
    let entities = of_gpus.filter_map(|group| group.get("entities")?.as_array());
    let serials = entities.flatten().filter_map(|one| one.get("serial_num")?.as_str());
    // A GPU that does not say has a text of zeros or nothing.
    let told = serials.filter(|serial| serial.chars().any(|c| !matches!(c, '0' | ' ')));
    told.map(str::to_owned).collect()
}

fn is_gpu(of: &Value) -> bool {
    let group = of.get("entity_group").and_then(Value::as_str);
    group.is_none_or(|group| group.eq_ignore_ascii_case("gpu"))
}

/// The GPUs that a result is of: DCGM 4 names one entity, DCGM 3 a list in a text.
fn gpus(result: &Value) -> Vec<u32> {
    if let Some(id) = result.get("entity_id") {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        return id.filter(|_| is_gpu(result)).into_iter().collect();
    }
    let ids = result.get("gpu_ids").or_else(|| result.get("gpu_id"));
    let text = match ids {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => return Vec::new(),
    };
    text.split(',').filter_map(|id| id.trim().parse().ok()).collect()
}

/// The worse of two counts: failed before skipped before passed.
fn worse(kept: &mut Outcome, found: Outcome) {
    match (&kept, &found) {
        (Outcome::Failed(_), _)
        | (_, Outcome::Passed)
        | (Outcome::Skipped, Outcome::Skipped) => {}
        (Outcome::Passed, Outcome::Skipped)
        | (Outcome::Passed | Outcome::Skipped, Outcome::Failed(_)) => *kept = found,
    }
}

fn outcome(result: &Value) -> Outcome {
    let status = result.get("status").and_then(Value::as_str).unwrap_or("no status");
    let failed = || {
        let gpu = result.get("entity_id").or_else(|| result.get("gpu_ids"));
        let gpu = gpu.map_or(String::new(), |gpu| {
            format!(" on GPU {}", gpu.to_string().trim_matches('"'))
        });
        let said = result.get("warnings").or_else(|| result.get("info"));
        let said = said.map_or(String::new(), |said| format!(": {said}"));
        Outcome::Failed(format!("{status}{gpu}{said}"))
    };
    // DCGM has passed tests that it had recorded an error of (NVIDIA/DCGM 284).
    let errors = result.get("warnings").and_then(Value::as_array);
    let an_error = errors.into_iter().flatten().any(|one| {
        one.get("error_id").and_then(Value::as_i64).is_some_and(|error| error != 0)
    });
    match status.to_ascii_lowercase().as_str() {
        "pass" if !an_error => Outcome::Passed,
        "skip" | "skipped" | "not run" => Outcome::Skipped,
        _ => failed(),
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
