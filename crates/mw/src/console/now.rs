//! The page "Now": is the site all right, what does it do, and what comes next?

use askama::Template;
use units::{EnergyPrice, Power};

use super::Frame;
use super::bar::{Against, Bar, Part, bar};
use super::next::{Coming, coming};
use super::text::{self, megawatts, mw, use_named};
use crate::api::Api;
use crate::api::call::Call;
use crate::api::document::{DecidedLoadDocument, DecisionDocument};
use crate::api::problem::Problem;
use crate::api::read::status;
use crate::chart::{Linear, Mark, Place, Prices, line, tenth};
use crate::ledger::Use;
use crate::live::status::{AlarmStatus, ByHandStatus, LoadStatus, Status, WaitingStatus};

#[derive(Template)]
#[template(path = "console/now.html")]
pub(super) struct Now {
    frame: Frame,
    verdict: Verdict,
    alarms: Vec<AlarmLine>,
    bar: Bar,
    uses: Vec<UseLine>,
    power: Vec<Figure>,
    price: Vec<Figure>,
    cost: Option<String>,
    rungs: Vec<Rung>,
    contracts: Vec<ContractLine>,
    coming: Vec<ComingLine>,
    waiting: Vec<WaitingStatus>,
    by_hand: Vec<HandLine>,
}

/// The site in one sentence.
struct Verdict {
    /// `calm`, `note`, `warning` or `critical`.
    tone: &'static str,
    text: String,
}

struct AlarmLine {
    id: u32,
    tone: String,
    since: String,
    headline: String,
    body: String,
    acknowledged_by: Option<String>,
}

/// A use of power.
struct UseLine {
    swatch: &'static str,
    name: &'static str,
    ordered: String,
    range: String,
    loads: String,
}

/// A figure with what it rests on.
struct Figure {
    label: &'static str,
    value: String,
    unit: &'static str,
    beside: String,
    /// Whether it is too old to be shown as the present.
    stale: bool,
    /// `calm`, `warning` or `critical`.
    tone: &'static str,
}

/// A load by what it breaks even at.
struct Rung {
    /// The line of cost stands before this one.
    cost_before: bool,
    load: String,
    used_for: &'static str,
    worth: String,
    asked: String,
    reason: String,
    marks: Vec<Mark>,
}

struct ContractLine {
    load: String,
    delivered: u32,
    committed: u32,
    /// How far the meter is full, on its paper of 200.
    fill: String,
    beside: String,
    short: bool,
}

struct ComingLine {
    at: String,
    /// Seconds since 1970, for the count-down.
    unix: i64,
    away: String,
    what: String,
    why: String,
    may: bool,
}

struct HandLine {
    kind: &'static str,
    load: String,
    machines: String,
    until: String,
    role: String,
    reason: String,
}

/// Makes the page.
pub(super) fn page(api: &Api, call: &Call) -> Result<Now, Problem> {
    let status = status(api)?;
    let decision = api.feed.decision();
    let ahead = api.speaker.board.ahead();
    Ok(view(Frame::of(api, call, "Now"), &status, decision.as_deref(), &ahead))
}

/// The page of a status.
pub(super) fn view(
    frame: Frame,
    status: &Status,
    decision: Option<&DecisionDocument>,
    ahead: &[crate::live::status::Ahead],
) -> Now {
    let cost = decision.and_then(|decision| decision.cost_usd_per_mwh.clone());
    Now {
        verdict: verdict(status, frame.trouble.as_deref()),
        alarms: status.alarms.iter().map(|alarm| alarm_line(alarm, status)).collect(),
        bar: power_bar(status),
        uses: uses(status),
        power: power(status),
        price: price(status, decision),
        rungs: rungs(decision, cost.as_deref()),
        cost,
        contracts: contracts(status),
        coming: coming(status, decision, ahead)
            .into_iter()
            .map(|one| coming_line(one, status))
            .collect(),
        waiting: status.waiting.clone(),
        by_hand: status.by_hand.iter().map(|one| hand_line(one, status)).collect(),
        frame,
    }
}

fn verdict(status: &Status, trouble: Option<&str>) -> Verdict {
    if let Some(trouble) = trouble {
        return Verdict {
            tone: "critical",
            text: format!("The run is not well: {trouble}."),
        };
    }
    let open = |urgency: &str| {
        let those = status.alarms.iter();
        those.filter(|alarm| alarm.urgency == urgency).count()
    };
    let first = status.alarms.iter().find(|alarm| alarm.acknowledged_by.is_none());
    let first = first.or(status.alarms.first());
    if let Some(first) = first.filter(|alarm| alarm.urgency != "note") {
        let tone = if open("critical") > 0 { "critical" } else { "warning" };
        return Verdict { tone, text: first.headline.clone() };
    }
    let power = &status.power;
    if power.headroom < Power::ZERO {
        return Verdict {
            tone: "warning",
            text: format!(
                "At worst {} MW may be drawn, above the limit of {} MW.",
                mw(power.worst),
                mw(power.import_limit)
            ),
        };
    }
    let draws = match power.draw {
        Some(draw) => format!("The site draws {} MW", mw(draw)),
        None => "The meter is silent".to_owned(),
    };
    Verdict {
        tone: "calm",
        text: format!(
            "{draws}; even at worst {} MW are left below the limit.",
            mw(power.headroom)
        ),
    }
}

fn alarm_line(alarm: &AlarmStatus, status: &Status) -> AlarmLine {
    AlarmLine {
        id: alarm.id,
        tone: alarm.urgency.clone(),
        since: format!(
            "{}, {} ago",
            text::clock_or_day(alarm.since, status.at),
            text::length(status.at - alarm.since)
        ),
        headline: alarm.headline.clone(),
        body: alarm.body.clone(),
        acknowledged_by: alarm.acknowledged_by.clone(),
    }
}

fn use_of(load: &LoadStatus) -> Use {
    match (load.kind.as_str(), load.firm) {
        ("battery", _) => Use::Battery,
        ("racks", true) => Use::Contracted,
        ("racks", false) => Use::Uncommitted,
        _ => Use::Mining,
    }
}

fn swatch(used: Use) -> &'static str {
    match used {
        Use::Contracted => "part contracted",
        Use::Uncommitted => "part uncommitted",
        Use::Mining => "part mining",
        Use::Battery => "part battery",
    }
}

fn power_bar(status: &Status) -> Bar {
    let mut parts: Vec<Part> = Vec::new();
    for used in Use::ALL {
        for load in status.loads.iter().filter(|load| use_of(load) == used) {
            parts.push(Part {
                class: swatch(used),
                size: megawatts(load.ordered),
                hint: format!("{}, {}: {} MW", load.name, used.name(), mw(load.ordered)),
            });
        }
    }
    let power = &status.power;
    parts.push(Part {
        class: "part unexplained",
        size: megawatts(power.unexplained),
        hint: format!("unexplained: {} MW", mw(power.unexplained)),
    });
    let own = status.limits.iter().find(|limit| limit.by == "the interconnection");
    let limit = megawatts(power.import_limit);
    let against = Against {
        limit,
        own_limit: own.map_or(limit, |own| megawatts(own.level)),
        worst: megawatts(power.worst),
        meter: power.draw.map(megawatts),
    };
    let label = format!(
        "Megawatts ordered by use, {} MW in all, against the limit of {} MW",
        mw(power.ordered),
        mw(power.import_limit)
    );
    bar(parts, &against, label)
}

fn uses(status: &Status) -> Vec<UseLine> {
    let mut lines = Vec::new();
    for used in Use::ALL {
        let loads: Vec<&LoadStatus> =
            status.loads.iter().filter(|load| use_of(load) == used).collect();
        if loads.is_empty() {
            continue;
        }
        let sum = |of: fn(&LoadStatus) -> Power| -> Power {
            loads.iter().map(|load| of(load)).sum()
        };
        let (least, most) = (sum(|load| load.least), sum(|load| load.most));
        let names: Vec<&str> = loads.iter().map(|load| load.name.as_str()).collect();
        lines.push(UseLine {
            swatch: swatch(used),
            name: used.name(),
            ordered: mw(sum(|load| load.ordered)),
            range: if mw(least) == mw(most) {
                String::new()
            } else {
                format!("between {} and {} MW", mw(least), mw(most))
            },
            loads: names.join(", "),
        });
    }
    let unexplained = status.power.unexplained;
    lines.push(UseLine {
        swatch: "part unexplained",
        name: "unexplained",
        ordered: mw(unexplained),
        range: String::new(),
        loads: "what the meter shows beyond all loads".to_owned(),
    });
    lines
}

fn power(status: &Status) -> Vec<Figure> {
    let power = &status.power;
    let tight = power.headroom < Power::ZERO;
    // Half a percent of the limit is what meters may differ by.
    let is_much = power.unexplained.as_watts() * 50 > power.import_limit.as_watts();
    let silent = power.meter_silent_since;
    vec![
        Figure {
            label: "Drawn",
            value: power.draw.map_or("not known".to_owned(), mw),
            unit: if power.draw.is_some() { "MW" } else { "" },
            beside: match silent {
                Some(since) => {
                    format!("meter silent since {}", text::clock_or_day(since, status.at))
                }
                None => "by the interconnection's meter".to_owned(),
            },
            stale: silent.is_some() || power.draw.is_none(),
            tone: if silent.is_some() { "warning" } else { "calm" },
        },
        Figure {
            label: "Import limit",
            value: mw(power.import_limit),
            unit: "MW",
            beside: format!("set by {}", power.import_limit_by),
            stale: false,
            tone: "calm",
        },
        Figure {
            label: "Headroom at worst",
            value: mw(power.headroom),
            unit: "MW",
            beside: format!("if all that may be drawn is: {} MW", mw(power.worst)),
            stale: false,
            tone: if tight { "warning" } else { "calm" },
        },
        Figure {
            label: "Unexplained",
            value: mw(power.unexplained),
            unit: "MW",
            beside: "drawn beyond what loads explain".to_owned(),
            stale: false,
            tone: if is_much { "warning" } else { "calm" },
        },
    ]
}

fn price(status: &Status, decision: Option<&DecisionDocument>) -> Vec<Figure> {
    let Some(decision) = decision else {
        return vec![Figure {
            label: "Price",
            value: "not known".to_owned(),
            unit: "",
            beside: "nothing was decided yet".to_owned(),
            stale: true,
            tone: "calm",
        }];
    };
    let mut figures = Vec::new();
    figures.push(match &decision.price {
        Some(price) => {
            let stale = price.freshness != "fresh";
            Figure {
                label: "Price",
                value: price.usd_per_mwh.clone(),
                unit: "USD/MWh",
                beside: format!(
                    "{}, known {}{}",
                    price.source,
                    text::clock_or_day(price.known_at, status.at),
                    if stale { format!(", {}", price.freshness) } else { String::new() }
                ),
                stale,
                tone: if stale { "warning" } else { "calm" },
            }
        }
        None => Figure {
            label: "Price",
            value: "not known".to_owned(),
            unit: "",
            beside: "only what is under contract runs".to_owned(),
            stale: true,
            tone: "warning",
        },
    });
    figures.push(Figure {
        label: "Power costs",
        value: decision
            .cost_usd_per_mwh
            .clone()
            .unwrap_or_else(|| "not known".to_owned()),
        unit: if decision.cost_usd_per_mwh.is_some() { "USD/MWh" } else { "" },
        beside: "a MWh more, with adders".to_owned(),
        stale: decision.cost_usd_per_mwh.is_none(),
        tone: "calm",
    });
    figures.push(Figure {
        label: "Hashprice",
        value: decision
            .hashprice_usd_per_ph_day
            .clone()
            .unwrap_or_else(|| "not known".to_owned()),
        unit: if decision.hashprice_usd_per_ph_day.is_some() { "USD/PH/day" } else { "" },
        beside: "what mining earns".to_owned(),
        stale: decision.hashprice_usd_per_ph_day.is_none(),
        tone: "calm",
    });
    figures
}

/// Width and height of a rung's scale on paper.
const RUNG: (f64, f64) = (220.0, 18.0);

fn rungs(decision: Option<&DecisionDocument>, cost: Option<&str>) -> Vec<Rung> {
    let Some(decision) = decision else { return Vec::new() };
    let parse = |text: &str| EnergyPrice::parse_usd_per_mwh(text).ok();
    let worth =
        |load: &DecidedLoadDocument| load.worth_usd_per_mwh.as_deref().and_then(parse);
    let mut loads: Vec<&DecidedLoadDocument> = decision.loads.iter().collect();
    loads.sort_by_key(|load| std::cmp::Reverse(worth(load)));
    let cost = cost.and_then(parse);
    let all = loads.iter().filter_map(|load| worth(load)).chain(cost);
    let values: Vec<f64> =
        all.map(|price| price.as_micro_usd_per_mwh() as f64 / 1e6).collect();
    let high = values.iter().copied().fold(20.0, f64::max) * 1.3;
    let low = values.iter().copied().fold(0.0, f64::min);
    let scale = Prices::new(low, high, (4.0, RUNG.0 - 4.0));
    let usd = |price: EnergyPrice| price.as_micro_usd_per_mwh() as f64 / 1e6;
    let mut is_below = false;
    loads
        .into_iter()
        .map(|load| {
            let worth = worth(load);
            let below = worth.zip(cost).is_some_and(|(worth, cost)| worth < cost);
            let cost_before = below && !is_below;
            is_below |= below;
            let middle = RUNG.1 / 2.0;
            let mut marks = vec![line("rail", (0.0, middle), (RUNG.0, middle))];
            if let Some(cost) = cost {
                let x = scale.at(usd(cost));
                marks.push(line("cost", (x, 0.0), (x, RUNG.1)));
            }
            if let Some(worth) = worth {
                let class = if below { "worth below" } else { "worth" };
                let at = Place(scale.at(usd(worth)), middle);
                marks.push(Mark::Dot { class, at, hint: String::new() });
            }
            let used = use_named(load.used_for.as_deref());
            Rung {
                cost_before,
                load: load.load.clone(),
                used_for: used.map_or("", Use::name),
                worth: load.worth_usd_per_mwh.clone().unwrap_or_else(|| "-".to_owned()),
                asked: mw(load.to),
                reason: load.explanation.clone().unwrap_or_else(|| load.reason.clone()),
                marks,
            }
        })
        .collect()
}

fn contracts(status: &Status) -> Vec<ContractLine> {
    let firm = status.loads.iter().filter(|load| load.firm);
    firm.filter_map(|load| {
        let capacity = load.capacity?;
        let (delivered, committed) = (capacity.delivered_gpus, capacity.committed_gpus);
        let full = f64::from(committed.max(1));
        let fill = Linear::new(0.0, full, (0.0, 200.0)).at(f64::from(delivered));
        let short = delivered < committed;
        let unsure =
            load.machines.map_or(0, |machines| machines.silent + machines.defiant);
        Some(ContractLine {
            load: load.name.clone(),
            delivered,
            committed,
            fill: tenth(&fill),
            beside: match (short, unsure) {
                (false, _) => "all of it is served".to_owned(),
                (true, 0) => "some of it is not at work".to_owned(),
                (true, 1) => "1 rack does not do as told and is not counted".to_owned(),
                (true, unsure) => {
                    format!("{unsure} racks do not do as told and are not counted")
                }
            },
            short,
        })
    })
    .collect()
}

fn coming_line(coming: Coming, status: &Status) -> ComingLine {
    ComingLine {
        at: text::clock_or_day(coming.at, status.at),
        unix: coming.at.as_unix_seconds(),
        away: format!("in {}", text::length(coming.at - status.at)),
        what: coming.what,
        why: coming.why,
        may: coming.may,
    }
}

fn hand_line(one: &ByHandStatus, status: &Status) -> HandLine {
    let until = text::clock_or_day(one.until, status.at);
    HandLine {
        kind: match one.kind.as_str() {
            "lock_out" => "locked out",
            "hold" => "held",
            _ => "in maintenance",
        },
        load: one.load.clone(),
        machines: one
            .machines
            .as_ref()
            .map_or_else(|| "all of it".to_owned(), |which| format!("machines {which}")),
        until: if one.until_released {
            format!("until {} releases it, expected {until}", one.role)
        } else {
            format!("until {until}")
        },
        role: one.role.clone(),
        reason: match one.level {
            Some(level) => format!("at {} MW: {}", mw(level), one.reason),
            None => one.reason.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use units::Timestamp;

    use super::super::Who;
    use super::*;
    use crate::live::status::{
        CapacityStatus, Counts, JournalStatus, LimitStatus, MachineCounts, PowerStatus,
    };

    /// A name as a hostile device or file might have it.
    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

    fn load(name: &str, kind: &str, firm: bool, mw: i64) -> LoadStatus {
        let power = Power::from_mw(mw);
        LoadStatus {
            name: name.to_owned(),
            kind: kind.to_owned(),
            model: None,
            firm,
            asked: Some(power),
            reason: Some(format!("a reason of {name}")),
            ordered: power,
            least: power,
            most: power,
            machines: Some(MachineCounts {
                count: 10,
                in_hand: 10,
                ..Default::default()
            }),
            capacity: firm.then_some(CapacityStatus {
                gpus: 720,
                committed_gpus: 720,
                delivered_gpus: 648,
            }),
            silent_since: None,
        }
    }

    fn status(name: &str) -> Status {
        let at = Timestamp::parse("2025-06-01T14:02:30Z").expect("an instant");
        Status {
            format: 1,
            program: "mw".to_owned(),
            pid: 1,
            site: name.to_owned(),
            at,
            journal: JournalStatus::default(),
            decision: None,
            power: PowerStatus {
                draw: Some(Power::from_mw(7)),
                meter_silent_since: None,
                unexplained: Power::from_kw(120),
                ordered: Power::from_mw(7),
                least: Power::from_mw(7),
                worst: Power::from_kw(7_120),
                import_limit: Power::from_mw(9),
                import_limit_by: format!("grid `{name}`"),
                headroom: Power::from_kw(1_880),
            },
            limits: vec![LimitStatus {
                level: Power::from_mw(10),
                by: "the interconnection".to_owned(),
                until: None,
                best_effort: false,
            }],
            loads: vec![load(name, "rigs", false, 5), load("tenant-a", "racks", true, 2)],
            programmes: Vec::new(),
            instructions: Vec::new(),
            waiting: vec![WaitingStatus {
                programme: "grid".to_owned(),
                name: name.to_owned(),
                until: at,
            }],
            by_hand: Vec::new(),
            alarms: vec![AlarmStatus {
                id: 4,
                urgency: "warning".to_owned(),
                since: at,
                level: 0,
                headline: format!("{name} answers nobody"),
                body: name.to_owned(),
                acknowledged_by: None,
            }],
            sources: Vec::new(),
            feeds: Vec::new(),
            counts: Counts::default(),
        }
    }

    fn page_of(status: &Status, trouble: Option<&str>) -> String {
        let frame = Frame {
            title: "Now",
            site: status.site.clone(),
            at: text::instant(status.at),
            who: Some(Who {
                name: "Ana".to_owned(),
                role: "operator".to_owned(),
                guard: Some("the-guard".to_owned()),
                acknowledges: true,
                sees_site: true,
            }),
            trouble: trouble.map(str::to_owned),
            said: None,
        };
        view(frame, status, None, &[]).render().expect("a page")
    }

    #[test]
    fn what_devices_and_files_call_themselves_is_text() {
        let page = page_of(&status(HOSTILE), None);
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
        assert!(!page.contains("\"'><"), "{page}");
    }

    #[test]
    fn a_page_says_the_worst_first_and_what_can_be_done() {
        let page = page_of(&status("s21"), None);
        for fragment in [
            "<h1 class=\"verdict warning\">",
            "s21 answers nobody",
            "<form method=\"post\" action=\"/alarms/4/acknowledge\">",
            "value=\"the-guard\"",
            "648 of 720 GPUs",
            "class=\"contract short\"",
            "<dd class=\"number\">1.88 <span>MW</span></dd>",
            "set by grid `s21`",
            "waits for a second person",
        ] {
            assert!(page.contains(fragment), "expected {fragment} in\n{page}");
        }
        let lost = page_of(&status("s21"), Some("the loop has not come round for 20 s"));
        assert!(lost.contains("verdict critical"), "{lost}");
        let calm = Status { alarms: Vec::new(), ..status("s21") };
        let calm = page_of(&calm, None);
        assert!(
            calm.contains("verdict calm") && calm.contains("No alarm stands"),
            "{calm}"
        );
    }

    #[test]
    fn a_silent_meter_is_shown_as_old() {
        let mut silent = status("s21");
        silent.power.meter_silent_since = Some(silent.at);
        let page = page_of(&silent, None);
        assert!(page.contains("figure-box warning stale"), "{page}");
        assert!(page.contains("meter silent since 14:02"), "{page}");
    }
}
