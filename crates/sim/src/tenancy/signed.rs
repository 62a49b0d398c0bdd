//! The terms of a small contract, drawn at random, and their files.

use settle::calendar::{Date, Period, Zone};
use settle::contract::Hash;

use crate::seed::{Generator, generator};

/// What two parties signed, as far as the record has to fit it.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) zone: Zone,
    pub(super) slices: Vec<Slice>,
    /// The last month the record reaches into.
    pub(super) last: Period,
    pub(super) grace_days: i64,
    /// Take-or-pay below 100 percent, or usage reported all the same.
    pub(super) has_usage: bool,
    /// Units that have to be available in each block.
    pub(super) blocks: bool,
    pub(super) floor: Option<i64>,
    pub(super) claim_days: Option<i64>,
    /// The notice maintenance needs, in hours.
    pub(super) notice_hours: i64,
    /// What is paid ahead, in percent; 0 for nothing.
    pub(super) prepaid: i64,
    pub(super) has_fee_for_ending: bool,
    /// Whether meters, prices and bills matter.
    pub(super) power: PowerTerms,
    pub(super) places: u32,
    pub(super) currency: &'static str,
    sections: String,
    first_tax: String,
    /// Later versions: the month they become effective, and by how much prices move.
    pub(super) amendments: Vec<Amendment>,
}

/// How power is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PowerTerms {
    Included,
    /// An index, and whether the utility's bill replaces it.
    PassThrough {
        bills: bool,
    },
    /// A fixed estimate until the bill.
    Estimated,
    Index,
}

/// A later version.
#[derive(Clone, Debug)]
pub(super) struct Amendment {
    pub(super) from: Period,
    /// What every price is multiplied by, in percent.
    percent: i64,
    tax: String,
}

/// A tranche.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) id: String,
    /// Its units, each with its size and domain.
    pub(super) units: Vec<Unit>,
    pub(super) is_gpus: bool,
    pub(super) is_hourly: bool,
    pub(super) delivery: Date,
    pub(super) months: i64,
    pub(super) early: bool,
    pub(super) index: bool,
    /// The price in hundredths.
    amount: i64,
    unit: &'static str,
    overage: Option<i64>,
    steps: Vec<(Date, i64)>,
    index_text: String,
    quantity: i64,
}

/// A unit of a tranche.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) size: i64,
    pub(super) domain: String,
}

const ZONES: [&str; 7] = [
    "UTC",
    "America/Chicago",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Auckland",
];

impl Signed {
    /// Draws the terms of a contract.
    pub(super) fn draw(seed: u64) -> Self {
        let draw = &mut generator(seed, "contract");
        let zone = Zone::named(draw.pick::<&str>(&ZONES)).expect("a zone");
        let (currency, places) =
            *draw.pick(&[("USD", 2), ("USD", 2), ("EUR", 2), ("JPY", 0)]);
        let first = Period::new(2026, 1).expect("a month");
        let first = first.plus(draw.integer(0..=14) as i32);
        // Most are short, so that many can be proved; a few are long.
        let months = match draw.chance(120_000) {
            true => draw.integer(12..=30),
            false => draw.integer(3..=8),
        };
        let is_hourly_only = draw.chance(350_000);
        let percent = if is_hourly_only { *draw.pick(&[100, 80, 70, 90]) } else { 100 };
        let has_usage = percent < 100 || is_hourly_only && draw.chance(400_000);
        let blocks = draw.chance(250_000);
        let count = *draw.pick(&[1, 1, 2, 2, 3]);
        let mut slices = Vec::new();
        for place in 0..count {
            slices.push(Slice::draw(draw, place, first, months, is_hourly_only));
        }
        let shortest = slices.iter().map(|slice| slice.months).min().expect("a tranche");
        let floor = draw.chance(250_000).then_some(900);
        let mut signed = Self {
            zone,
            slices,
            last: first.plus(months as i32),
            grace_days: *draw.pick(&[0, 3, 5, 5, 10]),
            has_usage,
            blocks,
            floor,
            claim_days: None,
            notice_hours: *draw.pick(&[24, 72, 168]),
            prepaid: 0,
            has_fee_for_ending: false,
            power: PowerTerms::Included,
            places,
            currency,
            sections: String::new(),
            first_tax: String::new(),
            amendments: Vec::new(),
        };
        let sections = signed.sections(draw, percent, shortest);
        signed.sections = sections;
        signed.first_tax = tax(draw);
        for _ in 0..*draw.pick(&[0, 0, 0, 0, 1, 1, 2]) {
            let after = signed.amendments.last().map_or(first, |last| last.from);
            let from = after.plus(draw.integer(1..=4) as i32);
            let percent = draw.integer(80..=120);
            let tax =
                if draw.chance(500_000) { tax(draw) } else { signed.first_tax.clone() };
            signed.amendments.push(Amendment { from, percent, tax });
        }
        signed
    }

    /// The end of the last month the record reaches into.
    pub(super) fn end(&self) -> i64 {
        self.zone.month(self.last).end.as_unix_seconds()
    }

    /// Everything but the head, the tax and the tranches.
    fn sections(&mut self, draw: &mut Generator, percent: i64, shortest: i64) -> String {
        let mut text = String::new();
        if draw.chance(800_000) {
            let money = draw.pick(&["line-half-up", "line-half-up", "line-half-even"]);
            text.push_str(&format!(
                "[rounding]\nmoney = \"{money}\"\nquantity = \"exact\"\n"
            ));
            text.push_str("allocation = \"largest-remainder\"\n");
        }
        let limit = *draw.pick(&[1, 2, 3, 24, 24, 24]);
        text.push_str(&format!(
            "[billing]\nperiod = \"calendar-month\"\nmode = \"arrears\"\ngrace_days = {}\n\
             due_days = 30\ncorrection = \"next-invoice\"\nrestate_limit_months = {limit}\n",
            self.grace_days
        ));
        if percent < 100 || draw.chance(500_000) {
            let make_up = draw.pick(&["none", "term-end", "months:2", "months:6"]);
            text.push_str(&format!(
                "[take_or_pay]\npercent = \"{percent}\"\nmake_up = \"{make_up}\"\n"
            ));
        }
        if self.blocks || draw.chance(850_000) {
            text.push_str(&self.sla(draw));
        }
        if let Some(floor) = self.floor {
            text.push_str(&format!("[power_floor]\nwatts_per_gpu = \"{floor}\"\n"));
            if draw.chance(700_000) {
                let hours = draw.pick(&["1", "10", "\"0.5\"", "40"]);
                text.push_str(&format!("[flex]\nhours_per_month = {hours}\n"));
            }
        }
        if draw.chance(600_000) {
            let from = draw.integer(1..=shortest.min(4));
            let over = draw.integer(1..=(shortest - from + 1));
            self.prepaid = *draw.pick(&[5, 20, 20, 35]);
            let refundable = draw.pick(&["on-supplier-termination", "always", "never"]);
            text.push_str(&format!(
                "[prepayment]\npercent = \"{}\"\ndue = \"days-before-delivery:30\"\n\
                 credit_from = {from}\ncredit_over = {over}\nrefundable = \"{refundable}\"\n",
                self.prepaid
            ));
        }
        if draw.chance(600_000) {
            let grace = draw.integer(0..=10);
            text.push_str(&format!("[delay]\ngrace_days = {grace}\n"));
            if draw.chance(850_000) {
                let (per_day, cap) =
                    draw.pick(&[("0.005", 60), ("0.02", 50), ("0.01", 20)]);
                text.push_str(&format!(
                    "credit = {{ per_day = \"{per_day}\", of = \"monthly-fee\", \
                     cap_days = {cap} }}\n"
                ));
            }
            text.push_str("long_stop_days = 40\n");
        }
        if draw.chance(500_000) {
            self.has_fee_for_ending = draw.chance(700_000);
            let fee = match self.has_fee_for_ending {
                true => "remaining-reserved-fees less mitigation",
                false => "none",
            };
            let mitigation = draw.pick(&["0", "0.5", "0.25"]);
            text.push_str(&format!(
                "[termination]\nfee = \"{fee}\"\nmitigation = \"{mitigation}\"\n"
            ));
            if draw.chance(500_000) {
                text.push_str("availability = { below = \"0.9\", months = 2 }\n");
            }
        }
        self.power = *draw.pick(&[
            PowerTerms::Included,
            PowerTerms::Included,
            PowerTerms::PassThrough { bills: true },
            PowerTerms::PassThrough { bills: false },
            PowerTerms::Estimated,
            PowerTerms::Index,
        ]);
        text.push_str(match self.power {
            PowerTerms::Included => "[power]\nmode = \"included\"\n",
            PowerTerms::PassThrough { bills: true } => {
                "[power]\nmode = \"pass-through\"\nbasis = \"revenue-meter-MWh\"\n\
                 true_up = \"on-utility-invoice\"\nindex = \"lmp\"\n"
            }
            PowerTerms::PassThrough { bills: false } => {
                "[power]\nmode = \"pass-through\"\ntrue_up = \"none\"\nindex = \"lmp\"\n"
            }
            PowerTerms::Estimated => {
                "[power]\nmode = \"pass-through\"\nestimate_per_mwh = \"41.3\"\n"
            }
            PowerTerms::Index => {
                "[power]\nmode = \"index\"\nindex = \"lmp\"\nadder = \"2.75\"\n"
            }
        });
        text
    }

    fn sla(&mut self, draw: &mut Generator) -> String {
        let mut text = String::from("[sla]\n");
        if self.blocks {
            text.push_str("basis = \"blocks\"\n");
        }
        text.push_str("target = \"0.995\"\n");
        text.push_str(draw.pick::<&str>(&[
            "tiers = [{ below = \"0.995\", credit = \"0.05\" }, { below = \"0.99\", credit = \"0.1\" }, { below = \"0.95\", credit = \"0.25\" }]\n",
            "tiers = [{ below = \"0.9\", credit = \"1\" }, { below = \"0.99\", credit = \"0.333\" }]\n",
            "tiers = [{ below = \"0.97\", credit = \"0.07\" }]\n",
            "tiers = []\n",
        ]));
        if draw.chance(700_000) {
            let cap = draw.pick(&["0.25", "0.2", "0.06", "0.5"]);
            text.push_str(&format!("month_cap = \"{cap}\"\n"));
        }
        if draw.chance(600_000) {
            let cap = draw.pick(&["0.1", "0.05", "0.033"]);
            text.push_str(&format!("year_cap = \"{cap}\"\n"));
        }
        if draw.chance(250_000) {
            let days = *draw.pick(&[10, 30]);
            self.claim_days = Some(days);
            text.push_str(&format!("claim = \"customer-claim:{days}d\"\n"));
        }
        let degraded = draw.pick(&["count-as-down", "count-as-available", "0.5", "0.3"]);
        text.push_str(&format!("degraded = \"{degraded}\"\n"));
        let least = draw.pick(&[0, 60, 300, 300, 900]);
        text.push_str(&format!("min_incident_seconds = {least}\n"));
        if draw.chance(500_000) {
            text.push_str("gap_policy = \"exclude\"\n");
        }
        if self.blocks {
            let needed = draw.integer(1..=4);
            text.push_str(&format!("[sla.block]\nunits = 4\nneeded = {needed}\n"));
        }
        if draw.chance(850_000) {
            text.push_str("[sla.excused]\n");
            if draw.chance(850_000) {
                let budget =
                    draw.pick(&["", ", hours_per_month = 8", ", hours_per_month = 1"]);
                text.push_str(&format!(
                    "planned_maintenance = {{ notice_hours = {}{budget} }}\n",
                    self.notice_hours
                ));
            }
            if draw.chance(850_000) {
                let budget =
                    draw.pick(&["", ", hours_per_year = 40", ", hours_per_year = 3"]);
                text.push_str(&format!(
                    "grid_emergency = {{ evidence = \"operator-instruction\"{budget} }}\n"
                ));
            }
            if draw.chance(850_000) {
                text.push_str("force_majeure = { notice_hours = 48 }\n");
            }
            if draw.chance(850_000) {
                text.push_str("customer_caused = {}\n");
            }
        }
        text
    }

    /// The files of the versions, the first first.
    pub(super) fn versions(&self) -> Vec<String> {
        let effective = self.slices.iter().map(|slice| slice.delivery).min();
        let effective = effective.expect("a tranche").period().first_day();
        let mut texts = vec![self.file("", effective, 100, &self.first_tax)];
        for amendment in &self.amendments {
            let before = texts.last().expect("the first version");
            let hash = Hash::of(before.as_bytes()).to_string();
            let effective = amendment.from.first_day();
            texts.push(self.file(&hash, effective, amendment.percent, &amendment.tax));
        }
        texts
    }

    fn file(&self, supersedes: &str, effective: Date, percent: i64, tax: &str) -> String {
        let mut text = format!(
            "schema = \"capacity-contract/1\"\nid = \"CAP-1\"\nsupersedes = \"{supersedes}\"\n\
             supplier = \"site-co\"\ncustomer = \"tenant-a\"\ncurrency = \"{}\"\n\
             timezone = \"{}\"\neffective = {effective}\nlaw = \"see signed PDF\"\n{}{tax}",
            self.currency,
            self.zone.name(),
            self.sections
        );
        for slice in &self.slices {
            text.push_str(&slice.text(percent));
        }
        text
    }
}

fn tax(draw: &mut Generator) -> String {
    match draw.integer(0..=3) {
        0 => "[tax]\ncapacity = \"8.25\"\nsla = \"8.25\"\npower = \"6.25\"\n".to_owned(),
        1 => "[tax]\ncapacity = \"19\"\ndelay = \"19\"\noverage = \"7\"\n".to_owned(),
        _ => String::new(),
    }
}

impl Slice {
    fn draw(
        draw: &mut Generator,
        place: usize,
        first: Period,
        span: i64,
        is_hourly: bool,
    ) -> Self {
        let id = format!("H{}", place + 1);
        let offset = if place == 0 { 0 } else { draw.integer(0..=2.min(span - 2)) };
        let month = first.plus(offset as i32).first_day();
        let delivery = month.plus_days(*draw.pick(&[0, 0, 0, 9, 27]));
        // Some end within what the record reaches, most do not.
        let months = match draw.chance(400_000) {
            true => draw.integer(2..=(span - offset).max(2)),
            false => draw.integer(span..=span + 12),
        };
        let unit = match is_hourly || draw.chance(400_000) {
            true => "gpu-hour",
            false => draw.pick(&["mw-month", "flat"]),
        };
        let is_gpus = unit == "gpu-hour" || draw.chance(500_000);
        let count = draw.integer(1..=6);
        let units: Vec<Unit> = (0..count)
            .map(|number| Unit {
                name: format!("{id}-u{number}"),
                size: if is_gpus {
                    4 * draw.integer(1..=2)
                } else {
                    draw.integer(50..=400)
                },
                domain: format!("{id}-d{}", number / 4),
            })
            .collect();
        let exact: i64 = units.iter().map(|unit| unit.size).sum();
        // Sometimes more was reserved than ever comes.
        let quantity = if draw.chance(200_000) { exact + 8 } else { exact };
        let amount = match unit {
            "gpu-hour" => draw.integer(50..=400),
            _ => draw.integer(1_000_000..=90_000_000),
        };
        let overage =
            (unit == "gpu-hour" && draw.chance(400_000)).then(|| draw.integer(50..=900));
        let mut steps = Vec::new();
        let mut from = delivery;
        for _ in 0..*draw.pick(&[0, 0, 0, 1, 2]) {
            from = from.plus_days(draw.integer(15..=70));
            if from < delivery.plus_months(months) {
                steps.push((from, amount * draw.integer(70..=130) / 100));
            }
        }
        let index = draw.chance(250_000);
        let index_text = match index {
            false => String::new(),
            true => {
                let share = draw.pick(&["", ", share = \"0.4\"", ", share = \"1\""]);
                let clamp = draw.pick(&[
                    "",
                    ", floor = \"0.9\"",
                    ", floor = \"0.95\", cap = \"1.1\"",
                ]);
                format!(", index = {{ name = \"cpi\", base = \"120\"{share}{clamp} }}")
            }
        };
        Self {
            id,
            units,
            is_gpus,
            is_hourly: unit == "gpu-hour",
            delivery,
            months,
            early: draw.chance(250_000),
            index,
            amount,
            unit,
            overage,
            steps,
            index_text,
            quantity,
        }
    }

    /// The quantity of the tranche.
    pub(super) const fn quantity(&self) -> i64 {
        self.quantity
    }

    fn text(&self, percent: i64) -> String {
        let amount = |hundredths: i64| decimal(hundredths * percent / 100);
        let mut text = format!("[[tranche]]\nid = \"{}\"\n", self.id);
        if self.is_gpus {
            text.push_str(&format!("gpus = {}\n", self.quantity));
        }
        let megawatts = match (self.unit, self.is_gpus) {
            ("gpu-hour", _) => String::new(),
            (_, false) => {
                let (whole, rest) = (self.quantity / 1_000, self.quantity % 1_000);
                format!(", mw = \"{whole}.{rest:03}\"")
            }
            ("mw-month", true) => ", mw = \"1.5\"".to_owned(),
            (_, true) => String::new(),
        };
        let overage = match self.overage {
            Some(overage) => format!(", overage = \"{}\"", amount(overage)),
            None => String::new(),
        };
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|(from, step)| {
                format!("{{ from = {from}, amount = \"{}\" }}", amount(*step))
            })
            .collect();
        text.push_str(&format!(
            "price = {{ unit = \"{}\", amount = \"{}\"{megawatts}{overage}, \
             steps = [{}]{} }}\n",
            self.unit,
            amount(self.amount),
            steps.join(", "),
            self.index_text
        ));
        text.push_str(&format!(
            "delivery = {}\nmonths = {}\n",
            self.delivery, self.months
        ));
        if self.early {
            text.push_str("early = \"accept\"\n");
        }
        text
    }
}

/// Hundredths as decimal text.
pub(super) fn decimal(hundredths: i64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
