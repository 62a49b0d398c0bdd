//! What a living run does, told in lines for a person who watches the terminal.
//!
//! A line is written when something changed: a decision, what the grid asks, an alarm,
//! a limit that is met. Between changes nothing is said.

use units::{Power, Timestamp};

use crate::live::status::{AlarmStatus, InstructionStatus, LoadStatus, Status};

/// Tells a run, from one status to the next.
#[derive(Debug, Default)]
pub struct Narrator {
    told: Option<Told>,
    /// Since when draw has been above the limit.
    above_since: Option<Timestamp>,
}

/// What was told last.
#[derive(Debug)]
struct Told {
    decided: Option<String>,
    instructions: Vec<String>,
    alarms: Vec<u32>,
}

impl Narrator {
    /// The lines that `now` adds.
    pub fn tell(&mut self, now: &Status) -> Vec<String> {
        let mut lines = Vec::new();
        let before = self.told.take();
        let asked = |name: &str| {
            before
                .as_ref()
                .is_some_and(|told| told.instructions.iter().any(|n| n == name))
        };
        for instruction in now.instructions.iter().filter(|one| !asked(&one.name)) {
            lines.push(line(now.at, "grid", &instruction_words(instruction)));
        }
        for name in before.iter().flat_map(|told| &told.instructions) {
            if !now.instructions.iter().any(|one| one.name == *name) {
                lines.push(line(now.at, "grid", &format!("{name} is over")));
            }
        }
        let stood =
            |id: u32| before.as_ref().is_some_and(|told| told.alarms.contains(&id));
        for alarm in now.alarms.iter().filter(|alarm| !stood(alarm.id)) {
            lines.push(line(now.at, "alarm", &alarm_words(alarm)));
        }
        for id in before.iter().flat_map(|told| &told.alarms) {
            if !now.alarms.iter().any(|alarm| alarm.id == *id) {
                lines.push(line(now.at, "alarm", &format!("number {id} has cleared")));
            }
        }
        // A decision that comes to the same as the one before is no news.
        let decided = decision_words(now);
        if let Some(words) = &decided
            && before.as_ref().and_then(|told| told.decided.as_ref()) != Some(words)
        {
            lines.push(line(now.at, "decide", words));
        }
        lines.extend(self.limit_met(now));
        self.told = Some(Told {
            decided,
            instructions: now.instructions.iter().map(|one| one.name.clone()).collect(),
            alarms: now.alarms.iter().map(|alarm| alarm.id).collect(),
        });
        lines
    }

    /// Draw that came below a limit it was above, and how long that took.
    fn limit_met(&mut self, now: &Status) -> Option<String> {
        let draw = now.power.draw?;
        let limit = now.power.import_limit;
        if draw > limit {
            self.above_since.get_or_insert(now.at);
            return None;
        }
        let since = self.above_since.take()?;
        let words = format!(
            "draw is {} MW, below the limit of {} MW; it was above for {} s",
            mw(draw),
            mw(limit),
            (now.at - since).as_seconds()
        );
        Some(line(now.at, "meter", &words))
    }
}

fn line(at: Timestamp, what: &str, words: &str) -> String {
    let second = at.as_unix_seconds().rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{hour:02}:{minute:02}:{second:02}  {what:<6}  {words}")
}

fn mw(power: Power) -> String {
    power.to_mw_text(2)
}

fn instruction_words(instruction: &InstructionStatus) -> String {
    let level =
        instruction.level.map_or(String::new(), |level| format!(" {} MW", mw(level)));
    let until = instruction.end.to_string();
    format!(
        "{} asks for {}{level} until {until} ({})",
        instruction.programme,
        instruction.ask.replace('_', " "),
        instruction.name
    )
}

fn alarm_words(alarm: &AlarmStatus) -> String {
    format!("{}: {}", alarm.urgency, alarm.headline)
}

/// The decision in one line: the price, and what each use of power is asked to draw.
fn decision_words(now: &Status) -> Option<String> {
    let decision = now.decision.as_ref()?;
    let price = match &decision.price_usd_per_mwh {
        Some(price) => format!("at {price} USD/MWh"),
        None => "without a price".to_owned(),
    };
    let mut parts: Vec<String> = Vec::new();
    for name in ["contract", "spot GPU", "mining", "battery"] {
        let loads = || now.loads.iter().filter(|load| used_for(load) == name);
        if loads().next().is_some() {
            let asked: Power = loads().filter_map(|load| load.asked).sum();
            parts.push(format!("{name} {}", mw(asked)));
        }
    }
    let why = if decision.emergency { "at once, " } else { "" };
    Some(format!(
        "{why}{price}: {} MW, {} of {} MW in all",
        parts.join(", "),
        mw(decision.asked),
        mw(now.power.import_limit)
    ))
}

/// What a load's power goes to, in a word.
fn used_for(load: &LoadStatus) -> &'static str {
    match load.kind.as_str() {
        _ if load.firm => "contract",
        "racks" => "spot GPU",
        "battery" => "battery",
        _ => "mining",
    }
}
