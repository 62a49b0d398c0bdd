//! A record as it is written: facts noted in any order, put in that of their
//! becoming known.

use std::collections::BTreeMap;

use units::Timestamp;

/// A day in seconds.
pub(super) const DAY: i64 = 86_400;
/// An hour in seconds.
pub(super) const HOUR: i64 = 3_600;

/// One fact to be written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) source: String,
    pub(super) source_seq: u64,
    pub(super) kind: &'static str,
    pub(super) from: i64,
    pub(super) to: Option<i64>,
    pub(super) known: i64,
    pub(super) body: String,
    pub(super) clock_offset: Option<i64>,
}

/// The facts noted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) entries: Vec<Entry>,
    counts: BTreeMap<String, u64>,
}

impl Log {
    /// Notes a fact; returns its place among the entries.
    pub(super) fn note(
        &mut self,
        source: &str,
        kind: &'static str,
        (from, to): (i64, Option<i64>),
        known: i64,
        body: String,
    ) -> usize {
        let count = self.counts.entry(source.to_owned()).or_default();
        *count += 1;
        self.entries.push(Entry {
            source: source.to_owned(),
            source_seq: *count,
            kind,
            from,
            to,
            known,
            body,
            clock_offset: None,
        });
        self.entries.len() - 1
    }

    /// The last instant at which anything became known.
    pub(super) fn last_known(&self) -> i64 {
        self.entries.iter().map(|entry| entry.known).max().unwrap_or(0)
    }

    /// The record as JSON lines.
    pub(super) fn text(mut self) -> String {
        self.entries.sort_by_key(|entry| entry.known);
        let mut text = String::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let to = entry
                .to
                .map_or(String::new(), |to| format!(",\"valid_to\":\"{}\"", instant(to)));
            let offset = entry.clock_offset.map_or(String::new(), |offset| {
                format!(",\"clock_offset_seconds\":{offset}")
            });
            text.push_str(&format!(
                "{{\"seq\":{},\"site\":\"east\",\"source\":\"{}\",\"source_seq\":{},\
                 \"kind\":\"{}\",\"valid_from\":\"{}\"{to},\"known_at\":\"{}\",\
                 \"body\":{}{offset}}}\n",
                place + 1,
                entry.source,
                entry.source_seq,
                entry.kind,
                instant(entry.from),
                instant(entry.known),
                entry.body,
            ));
        }
        text
    }
}

/// An instant with its seconds.
fn instant(at: i64) -> String {
    let text = Timestamp::from_unix_seconds(at).to_string();
    match text.len() {
        // The shortest form leaves whole minutes without seconds.
        17 => text.replace('Z', ":00Z"),
        _ => text,
    }
}

/// Names as a JSON list.
pub(super) fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(","))
}
