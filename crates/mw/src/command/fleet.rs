//! `mw fleet`: how loads and machines stand, and what people do about them.

use clap::{Args, Subcommand, ValueEnum};

use super::Ending;
use super::asking::{Got, RunFolder, Who, ago, length, line};
use super::backtest::print;
use crate::live::control::{Asked, Reply, Wish};
use crate::live::status::{
    ByHandStatus, LoadStatus, MachineCounts, MachineStatus, Status,
};

/// Look at loads and machines of a living run, and act on them.
#[derive(Debug, Subcommand)]
pub(super) enum Fleet {
    /// Say what is drawn, what may be, how every load stands and why.
    Status {
        #[command(flatten)]
        run: RunFolder,
    },
    /// Say how the machines of a load stand.
    Machines {
        #[command(flatten)]
        run: RunFolder,
        /// Which load.
        load: String,
        /// Those alone that stand so.
        #[arg(long, value_enum)]
        standing: Option<Stands>,
    },
    /// Someone works on it: nothing starts it until the same role releases it.
    LockOut {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        who: Who,
        /// Why.
        #[arg(long)]
        reason: String,
        /// When the work is expected to be done: `2h`, or an instant.
        #[arg(long, value_name = "TIME")]
        expect: String,
    },
    /// The work is done; the role that locked it out says so.
    Release {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        who: Who,
    },
    /// Take it out of service for a time; it comes back by itself.
    Maintain {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        who: Who,
        /// Why.
        #[arg(long)]
        reason: String,
        /// For how long, such as `2h`, or until which instant.
        #[arg(long = "for", value_name = "TIME")]
        until: String,
    },
    /// Put it back into service before its time.
    EndMaintenance {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        who: Who,
    },
    /// Keep a load at a level by hand; a limit or a lock-out goes before it.
    Hold {
        #[command(flatten)]
        run: RunFolder,
        /// Which load.
        load: String,
        #[command(flatten)]
        who: Who,
        /// The level at the meter, in MW; negative is a battery that discharges.
        #[arg(long, value_name = "MW", allow_negative_numbers = true)]
        mw: String,
        /// For how long, such as `2h`, or until which instant.
        #[arg(long = "for", value_name = "TIME")]
        until: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Give a held load back before its time.
    EndHold {
        #[command(flatten)]
        run: RunFolder,
        /// Which load.
        load: String,
        #[command(flatten)]
        who: Who,
    },
    /// Read the site file anew.
    Reload {
        #[command(flatten)]
        run: RunFolder,
        #[command(flatten)]
        who: Who,
    },
    /// End the run on purpose.
    Stop {
        #[command(flatten)]
        run: RunFolder,
        #[command(flatten)]
        who: Who,
    },
    /// Print the last signed checkpoint of the journal, to keep it elsewhere.
    Checkpoint {
        #[command(flatten)]
        run: RunFolder,
    },
}

/// A load, or some of its machines.
#[derive(Debug, Args)]
pub(super) struct Which {
    #[command(flatten)]
    run: RunFolder,
    /// Which load.
    load: String,
    /// Which machines of it, such as `3,10-19`; all unless given.
    #[arg(long, value_name = "NUMBERS")]
    machines: Option<String>,
}

/// How machines stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stands {
    /// They do as they are told.
    InHand,
    /// They answer nobody.
    Silent,
    /// They answer, and do something else.
    Defiant,
    /// A person works on them.
    LockedOut,
    /// They are out of service.
    Maintenance,
    /// Their last order was not answered yet.
    Unanswered,
    /// Nobody has seen them since the start.
    Unseen,
}

impl Stands {
    fn is(self, machine: &MachineStatus) -> bool {
        match self {
            Self::InHand => machine.standing == "in_hand",
            Self::Silent => machine.standing == "silent",
            Self::Defiant => machine.standing == "defiant",
            Self::LockedOut => machine.locked_out,
            Self::Maintenance => machine.in_maintenance,
            Self::Unanswered => machine.unanswered,
            Self::Unseen => machine.unseen,
        }
    }
}

impl Fleet {
    pub(super) fn run(self) -> anyhow::Result<Ending> {
        match self {
            Self::Status { run } => match run.status()? {
                Got::Ended(ending) => Ok(ending),
                Got::Reply(status) if run.json => shown(&line(&status)),
                Got::Reply(status) => shown(&status_text(&status)),
            },
            Self::Machines { run, load, standing } => machines(&run, load, standing),
            Self::LockOut {
                which: Which { run, load, machines },
                who,
                reason,
                expect,
            } => run.wish(&who, Wish::LockOut { load, machines, reason, expect }),
            Self::Release { which: Which { run, load, machines }, who } => {
                run.wish(&who, Wish::Release { load, machines })
            }
            Self::Maintain {
                which: Which { run, load, machines },
                who,
                reason,
                until,
            } => run.wish(&who, Wish::Maintain { load, machines, reason, until }),
            Self::EndMaintenance { which: Which { run, load, machines }, who } => {
                run.wish(&who, Wish::EndMaintenance { load, machines })
            }
            Self::Hold { run, load, who, mw, until, reason } => {
                run.wish(&who, Wish::Hold { load, power_mw: mw, reason, until })
            }
            Self::EndHold { run, load, who } => run.wish(&who, Wish::EndHold { load }),
            Self::Reload { run, who } => run.order(&Asked::Reload { by: (&who).into() }),
            Self::Stop { run, who } => run.order(&Asked::Stop { by: (&who).into() }),
            Self::Checkpoint { run } => run.order(&Asked::Checkpoint {}),
        }
    }
}

impl RunFolder {
    fn order(&self, asked: &Asked) -> anyhow::Result<Ending> {
        match self.ask(asked)? {
            Got::Ended(ending) => Ok(ending),
            Got::Reply(reply) => self.show(&reply),
        }
    }
}

fn shown(text: &str) -> anyhow::Result<Ending> {
    print(text)?;
    Ok(Ending::Well)
}

fn machines(
    run: &RunFolder,
    load: String,
    standing: Option<Stands>,
) -> anyhow::Result<Ending> {
    let reply = match run.ask(&Asked::Machines { load })? {
        Got::Ended(ending) => return Ok(ending),
        Got::Reply(reply) => reply,
    };
    let Reply::Machines { load, machines } = reply else { return run.show(&reply) };
    let all = machines.len();
    let machines: Vec<MachineStatus> = machines
        .into_iter()
        .filter(|machine| standing.is_none_or(|standing| standing.is(machine)))
        .collect();
    if run.json {
        return shown(&line(&Reply::Machines { load, machines }));
    }
    let mut text = match all {
        0 => format!("{load} is one device, not known by machines.\n"),
        _ => format!("{} of {all} machines of {load}:\n", machines.len()),
    };
    if !machines.is_empty() {
        text.push_str("machine  standing  point  at most   last seen at  remarks\n");
    }
    for machine in &machines {
        text.push_str(&format!(
            "{:>7}  {:8}  {:>5}  {:>7}  {:>11} W  {}\n",
            machine.machine,
            machine.standing.replace('_', " "),
            machine.ordered_point,
            machine.most_point,
            machine.seen_draw_w,
            remarks(machine),
        ));
    }
    shown(&text)
}

fn remarks(machine: &MachineStatus) -> String {
    let remarks = [
        (machine.locked_out, "locked out"),
        (machine.in_maintenance, "in maintenance"),
        (machine.unseen, "not seen since the start"),
        (machine.unanswered, "order not answered"),
    ];
    let said: Vec<&str> =
        remarks.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)).collect();
    said.join(", ")
}

/// How the fleet stands, consequence first.
fn status_text(status: &Status) -> String {
    let mut text = String::new();
    let power = &status.power;
    let now = status.at;
    if let Some(since) = status.journal.failing_since {
        text.push_str(&format!(
            "NOTHING IS ORDERED: the journal cannot be written since {since} ({})\n",
            ago(now, since)
        ));
    }
    for alarm in status.alarms.iter().filter(|alarm| alarm.urgency != "note") {
        let looks = match &alarm.acknowledged_by {
            Some(by) => format!("{by} looks after it"),
            None => "nobody has acknowledged it".to_owned(),
        };
        text.push_str(&format!(
            "{} {}: {} ({}; {looks})\n",
            alarm.urgency.to_uppercase(),
            alarm.id,
            alarm.headline,
            ago(now, alarm.since),
        ));
    }
    let head = match power.headroom.as_watts() {
        0.. => format!("{} below its limit at worst", power.headroom),
        _ => format!("MAY BE {} ABOVE ITS LIMIT", -power.headroom),
    };
    let draw = power.draw.map_or("unknown".to_owned(), |draw| draw.to_string());
    text.push_str(&format!("{} at {now}: {head}\n", status.site));
    text.push_str(&format!(
        "draws {draw}, ordered {}, at worst {}, may draw {} ({})\n",
        power.ordered, power.worst, power.import_limit, power.import_limit_by
    ));
    if let Some(since) = power.meter_silent_since {
        text.push_str(&format!(
            "the interconnection's meter is silent, {}\n",
            ago(now, since)
        ));
    }
    if !power.unexplained.is_zero() {
        text.push_str(&format!("{} of it is drawn by no load\n", power.unexplained));
    }
    match &status.decision {
        Some(decision) => text.push_str(&format!(
            "dispatch {} for {} to {}{}, decided on {}\n",
            decision.generation,
            decision.start,
            decision.end,
            if decision.emergency { ", an emergency" } else { "" },
            match (&decision.price_usd_per_mwh, &decision.price_source) {
                (Some(price), Some(source)) => format!("{price} USD/MWh ({source})"),
                _ => "no price".to_owned(),
            },
        )),
        None => text.push_str("nothing was decided yet since the start\n"),
    }
    text.push('\n');
    let width = status.loads.iter().map(|load| load.name.len()).max().unwrap_or(0);
    for load in &status.loads {
        text.push_str(&load_text(load, width, status));
    }
    if !status.by_hand.is_empty() {
        text.push_str("\nby hand:\n");
    }
    for entry in &status.by_hand {
        text.push_str(&by_hand_text(entry, status));
    }
    text
}

fn load_text(load: &LoadStatus, width: usize, status: &Status) -> String {
    let mut text = format!(
        "{:width$}  ordered {}, between {} and {}\n",
        load.name, load.ordered, load.least, load.most
    );
    let mut add = |line: &str| text.push_str(&format!("{:width$}    {line}\n", ""));
    if let Some(reason) = &load.reason {
        add(reason);
    }
    if let Some(machines) = &load.machines {
        add(&machines_text(machines));
    }
    if let Some(since) = load.silent_since {
        add(&format!("machines silent since {since} ({})", ago(status.at, since)));
    }
    text
}

fn machines_text(machines: &MachineCounts) -> String {
    let rest = [
        (machines.locked_out_running, "LOCKED OUT AND RUNNING"),
        (machines.silent, "silent"),
        (machines.defiant, "defiant"),
        (machines.locked_out, "locked out"),
        (machines.unseen, "not seen since the start"),
        (machines.unanswered, "with an order not answered yet"),
    ];
    let mut text = format!("{} of {} machines in hand", machines.in_hand, machines.count);
    for (count, word) in rest {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    text
}

fn by_hand_text(entry: &ByHandStatus, status: &Status) -> String {
    let now = status.at;
    let machines = match &entry.machines {
        Some(machines) => format!(" machines {machines}"),
        None => String::new(),
    };
    let kind = match (entry.kind.as_str(), entry.level) {
        ("lock_out", _) => "LOCKED OUT".to_owned(),
        ("hold", Some(level)) => format!("held at {level}"),
        (kind, _) => kind.replace('_', " "),
    };
    let end = match (entry.until_released, entry.until > now) {
        (true, true) => format!(
            "until {} releases it, expected in {}",
            entry.role,
            length(entry.until - now)
        ),
        (true, false) => format!(
            "until {} releases it, OVERDUE by {}",
            entry.role,
            length(now - entry.until)
        ),
        (false, _) => format!("for another {}", length(entry.until - now)),
    };
    format!(
        "  {}{machines}: {kind} by {} for {}, {end}: {}\n",
        entry.load,
        entry.role,
        length(now - entry.since),
        entry.reason
    )
}
