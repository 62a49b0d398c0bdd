//! A live world: a small site known machine by machine, the programmes that
//! instruct it, the people who work on it, and what goes wrong.

use engine::alarm::AlarmId;
use engine::site::{FailSafe, LoadIx, LockOut, Maintenance, Programme, ProgrammeIx};
use engine::{Ask, Event, Instruction, Person, Ranges, Request, Signal, Site};
use units::{EnergyPrice, Interval, Power, Seconds, Share, Timestamp};

use super::estate::{self, Standing};
use super::site::{self, Size};
use super::{Happening, Options, World, end_entries, happenings};
use crate::campus::Tempers;
use crate::fault;
use crate::seed::{Generator, generator, sub_seed};

/// How often each thing goes wrong around a live site, in a million chances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mishaps {
    /// How the rates were drawn, as a report shows it.
    pub mood: &'static str,
    /// How machines and meters fail to do as they are told.
    pub tempers: Tempers,
    /// A sweep over all machines never arrives.
    pub survey_lost_ppm: u32,
    /// What machines say arrives some seconds late.
    pub receipt_late_ppm: u32,
    /// It never arrives.
    pub receipt_lost_ppm: u32,
    /// It arrives again, later.
    pub receipt_repeated_ppm: u32,
    /// A batch of orders reaches nobody.
    pub orders_lost_ppm: u32,
    /// A reading of the interconnection never arrives.
    pub draw_lost_ppm: u32,
    /// A tick comes some seconds after its interval began.
    pub tick_late_ppm: u32,
    /// The process dies in a step.
    pub kill_ppm: u32,
    /// The journal cannot be written from a step on, for a while.
    pub outage_ppm: u32,
    /// Ten times as much arrives for a while, in an interval.
    pub flood_ppm: u32,
    /// The grid asks for something, in an interval.
    pub instruction_ppm: u32,
    /// The grid, or who claims to be it, says what cannot be, in an interval.
    pub junk_ppm: u32,
    /// A programme's link falls silent, in an interval.
    pub link_silent_ppm: u32,
    /// A person asks for something, in an interval.
    pub request_ppm: u32,
    /// The site file is read anew, in an interval.
    pub change_ppm: u32,
}

impl Mishaps {
    /// One of four moods.
    pub fn draw(draws: &mut Generator) -> Self {
        match draws.below(10) {
            0 => Self::calm(),
            1 | 2 => {
                let (kill_ppm, outage_ppm) = (8_000, 2_000);
                Self { mood: "killed", kill_ppm, outage_ppm, ..Self::calm() }
            }
            3 | 4 => Self::lite(),
            _ => Self::swarm(draws),
        }
    }

    /// Nothing goes wrong; the grid and people act all the same.
    pub fn calm() -> Self {
        Self {
            mood: "calm",
            tempers: Tempers::none(),
            survey_lost_ppm: 0,
            receipt_late_ppm: 0,
            receipt_lost_ppm: 0,
            receipt_repeated_ppm: 0,
            orders_lost_ppm: 0,
            draw_lost_ppm: 0,
            tick_late_ppm: 0,
            kill_ppm: 0,
            outage_ppm: 0,
            flood_ppm: 0,
            instruction_ppm: 200_000,
            junk_ppm: 0,
            link_silent_ppm: 0,
            request_ppm: 150_000,
            change_ppm: 20_000,
        }
    }

    /// A little of everything.
    pub fn lite() -> Self {
        const SELDOM: u32 = 20_000;
        Self {
            mood: "lite",
            tempers: Tempers::few(Power::ZERO),
            survey_lost_ppm: SELDOM,
            receipt_late_ppm: SELDOM,
            receipt_lost_ppm: SELDOM,
            receipt_repeated_ppm: SELDOM,
            orders_lost_ppm: SELDOM,
            draw_lost_ppm: SELDOM,
            tick_late_ppm: SELDOM,
            kill_ppm: 1_000,
            outage_ppm: 300,
            flood_ppm: SELDOM,
            junk_ppm: SELDOM,
            link_silent_ppm: SELDOM,
            ..Self::calm()
        }
    }

    /// Each rate drawn by itself, many of them none at all.
    pub fn swarm(draws: &mut Generator) -> Self {
        let tempers = Tempers::swarm(draws, Power::ZERO);
        let mut rate = |most: i64| {
            if draws.chance(350_000) { 0 } else { draws.integer(0..=most) as u32 }
        };
        Self {
            mood: "swarm",
            tempers,
            survey_lost_ppm: rate(300_000),
            receipt_late_ppm: rate(400_000),
            receipt_lost_ppm: rate(200_000),
            receipt_repeated_ppm: rate(200_000),
            orders_lost_ppm: rate(200_000),
            draw_lost_ppm: rate(300_000),
            tick_late_ppm: rate(200_000),
            kill_ppm: rate(10_000),
            instruction_ppm: rate(600_000),
            junk_ppm: rate(300_000),
            link_silent_ppm: rate(150_000),
            request_ppm: rate(400_000),
            change_ppm: rate(60_000),
            outage_ppm: rate(2_000),
            flood_ppm: rate(60_000),
        }
    }
}

/// A site that is there, what happens to it, and what goes wrong.
#[derive(Clone, Debug)]
pub struct LiveWorld {
    /// The site, the times, and what arrives from outside.
    pub world: World,
    /// What can go wrong.
    pub mishaps: Mishaps,
    /// When ten times as much begins to arrive.
    pub(crate) floods: Vec<Timestamp>,
    /// The racks that tenants may have, where the site has some.
    pub(crate) estate: Option<Standing>,
}

impl LiveWorld {
    /// The live world of a seed.
    pub fn draw(seed: u64) -> Self {
        let mishaps = Mishaps::draw(&mut generator(seed, "mishaps"));
        Self::draw_with(seed, mishaps)
    }

    /// The live world of a seed, with what can go wrong in it stated.
    pub fn draw_with(seed: u64, mishaps: Mishaps) -> Self {
        let mut clock = generator(seed, "clock");
        let step = Seconds::minutes(*clock.pick(&[5, 5, 5, 15]));
        let first = Timestamp::parse("2024-07-30").expect("a date");
        let start = first + Seconds::hours(clock.integer(0..=72));
        let hours = clock.integer(1..=3);
        let intervals_faulty = (hours * 3_600 / step.as_seconds()) as u32;
        let mut site = site::draw(sub_seed(seed, "site"), start, Size::ByMachine);
        let mut draws = generator(seed, "programmes");
        site.programmes = draw_programmes(&mut draws, &site);
        site.policy.lease = Seconds::from_seconds(*draws.pick(&[60, 120, 300, 600]));
        end_entries(&mut site, start + Seconds::hours(hours));
        let estate = estate::draw(&mut generator(seed, "estate"), &mut site, start);
        // Signals go wrong as they do around a site of ideal devices.
        let options = Options {
            import_limit_ppm: 0,
            request_ppm: 0,
            change_ppm: mishaps.change_ppm,
            ..match mishaps.mood {
                "calm" | "killed" => Options::calm(),
                "lite" => Options::lite(),
                _ => Options::swarm(&mut generator(seed, "options")),
            }
        };
        let mut world = World {
            seed,
            options,
            site,
            start,
            step,
            intervals_faulty,
            intervals_calm: 0,
            machines_min: 3,
            happenings: Vec::new(),
        };
        // A machine that defied its orders is tried again after a quarter of an
        // hour, and then follows at the ramp's pace.
        world.intervals_calm = world.intervals_to_come_right()
            + (Seconds::minutes(45).as_seconds() / step.as_seconds()) as u32;
        world.happenings = happenings::draw(&world);
        // What the site draws beside its loads: up to a twentieth of its limit.
        let part = Share::from_ppm(generator(seed, "house").integer(0..=50_000));
        let house = part.of_power(world.site.interconnection.import_limit);
        let mut live = Self { world, mishaps, floods: Vec::new(), estate };
        live.mishaps.tempers.house = house;
        live.mishaps.tempers.house_drift = Power::from_watts(house.as_watts() / 5);
        live.mishaps.tempers.house_jump_by = house;
        let seed = sub_seed(seed, "live happenings");
        let mut more = Vec::new();
        live.instructions(&mut generator(seed, "instructions"), &mut more);
        live.junk(&mut generator(seed, "junk"), &mut more);
        live.floods(&mut generator(seed, "floods"), &mut more);
        live.links(&mut generator(seed, "links"), &mut more);
        live.people(&mut generator(seed, "people"), &mut more);
        live.world.happenings.append(&mut more);
        live.world.happenings.sort_by_key(|happening| happening.at);
        live
    }

    /// What the grid asks: limits, levels, reserves, trips; with an end or without
    /// one, announced or at once, over and against one another.
    fn instructions(&self, draws: &mut Generator, happenings: &mut Vec<Happening>) {
        let world = &self.world;
        let calm_from = world.calm_from();
        let mut truth = Vec::new();
        let mut names: Vec<(ProgrammeIx, String)> = Vec::new();
        for place in 0..world.intervals_faulty {
            if !draws.chance(self.mishaps.instruction_ppm) {
                continue;
            }
            let known_at = happenings::instant_in(draws, world.interval(place));
            let start =
                known_at + Seconds::from_seconds(*draws.pick(&[0, 0, 0, 90, 1_800]));
            let open = draws.chance(80_000);
            let until = start + Seconds::from_seconds(draws.integer(120..=7_200));
            let end = if open {
                start + Seconds::hours(24 * 3_650)
            } else {
                until.min(calm_from)
            };
            let again = draws.chance(300_000) && !names.is_empty();
            let (programme, name) = if again {
                draws.pick(&names).clone()
            } else {
                let programme = draws.below(world.site.programmes.len() as u64) as usize;
                let name = format!("call {}", names.len());
                names.push((programme, name.clone()));
                (programme, name)
            };
            let most = world.site.interconnection.import_limit;
            let part = |draws: &mut Generator| {
                let ppm = [0, 200_000, 400_000, 600_000, 800_000, 950_000];
                Share::from_ppm(*draws.pick(&ppm)).of_power(most)
            };
            let ask = match draws.below(20) {
                0..=7 => Ask::Limit(part(draws)),
                8 | 9 => Ask::DispatchTo(part(draws)),
                10 | 11 => Ask::BasePoint(part(draws)),
                12 => Ask::Arm(part(draws)),
                13 => Ask::Disarm,
                14 => Ask::Trip,
                15 => Ask::Restore,
                16 => Ask::Test(part(draws)),
                17 => Ask::Price(EnergyPrice::from_usd_per_mwh(draws.integer(-90..=900))),
                _ => Ask::Withdraw,
            };
            if start < end {
                truth.push(Signal::Instruction(Instruction {
                    name,
                    programme,
                    ask,
                    during: Interval { start, end },
                    best_effort: draws.chance(200_000),
                    known_at,
                }));
            }
        }
        let delivered = fault::deliver(draws, world, truth);
        happenings.extend(delivered.into_iter().filter(|h| h.at < calm_from));
        // When faults stop, the grid has nothing left to ask.
        let ends = |programme: ProgrammeIx, name: &str, ask: Ask| Happening {
            at: calm_from,
            event: Event::Signal(Signal::Instruction(Instruction {
                name: name.to_owned(),
                programme,
                ask,
                during: Interval::starting(calm_from, Seconds::minutes(1)),
                best_effort: false,
                known_at: calm_from,
            })),
        };
        for (programme, name) in &names {
            happenings.push(ends(*programme, name, Ask::Withdraw));
        }
        for programme in 0..world.site.programmes.len() {
            happenings.push(ends(programme, "all clear", Ask::Restore));
            happenings.push(ends(programme, "all quiet", Ask::Disarm));
        }
    }

    /// People lock out, release, hold, maintain, and pass on what the grid said by
    /// telephone: in the right role and in the wrong one, with a second person's
    /// word and without it.
    fn people(&self, draws: &mut Generator, happenings: &mut Vec<Happening>) {
        let world = &self.world;
        let calm_from = world.calm_from();
        let mut say = |at, by: &Person, request| {
            let event = Event::Operator { by: by.clone(), request };
            happenings.push(Happening { at, event });
        };
        let mut calls = 0;
        for place in 0..world.intervals_faulty {
            if !draws.chance(self.mishaps.request_ppm) {
                continue;
            }
            let at = happenings::instant_in(draws, world.interval(place));
            let load = draws.below(world.site.loads.len() as u64) as LoadIx;
            let end =
                (at + Seconds::from_seconds(draws.integer(120..=5_000))).min(calm_from);
            let during = Interval { start: at, end };
            // The first machines are there whatever the site file says.
            let some = (world.site.loads[load].machines().is_some()
                && draws.chance(500_000))
            .then(|| -> Ranges { (0..draws.integer(1..=3) as u32).collect() });
            let role = site::role(draws);
            let by = person(draws, role);
            match draws.below(12) {
                0..=3 => {
                    let lock_out = LockOut {
                        machines: some.clone(),
                        ..site::lock_out(draws, load, during)
                    };
                    say(at, &by, Request::LockOut(lock_out));
                    if draws.chance(700_000) {
                        let request = Request::Release { load, machines: some };
                        say(end, &by, request);
                    }
                }
                4 => {
                    let wrong = person(draws, "visitor");
                    say(at, &wrong, Request::Release { load, machines: some });
                }
                5 => {
                    let request = Request::Release { load, machines: some };
                    say(at, &by, request);
                }
                6 => {
                    let hold = site::hold(draws, &world.site, load, during);
                    say(at, &person(draws, "operator"), Request::Hold(hold));
                }
                7 => say(at, &person(draws, "operator"), Request::EndHold(load)),
                8 => {
                    let maintenance = Maintenance {
                        load,
                        machines: some,
                        during,
                        role: by.role.clone(),
                        reason: "filters are changed".to_owned(),
                    };
                    say(at, &by, Request::Maintain(maintenance));
                }
                _ => {
                    calls += 1;
                    self.telephone(draws, during, calls, &mut say);
                }
            }
        }
        for load in 0..world.site.loads.len() {
            // Some works go on when faults stop; they are released later.
            let late = draws.chance(100_000);
            for role in site::ROLES {
                let by = Person { name: "Cleo".to_owned(), role: role.to_owned() };
                let at = if late { calm_from + Seconds::minutes(20) } else { calm_from };
                say(at, &by, Request::Release { load, machines: None });
            }
        }
    }

    /// A limit by telephone, and its end: which another person has to agree to.
    fn telephone(
        &self,
        draws: &mut Generator,
        during: Interval,
        call: u32,
        say: &mut impl FnMut(Timestamp, &Person, Request),
    ) {
        let site = &self.world.site;
        let part = Share::from_ppm(*draws.pick(&[300_000, 600_000, 900_000]));
        let limit = Instruction {
            name: format!("telephone {call}"),
            programme: draws.below(site.programmes.len() as u64) as usize,
            ask: Ask::Limit(part.of_power(site.interconnection.import_limit)),
            during,
            best_effort: false,
            known_at: during.start,
        };
        let one = Person { name: "Ada".to_owned(), role: "dispatcher".to_owned() };
        let other = Person { name: "Bo".to_owned(), role: "dispatcher".to_owned() };
        say(during.start, &one, Request::Instruct(limit.clone()));
        let length = during.duration().as_seconds();
        let relaxed_at = during.start + Seconds::from_seconds(draws.integer(1..=length));
        let ask = *draws.pick(&[
            Ask::Withdraw,
            Ask::Limit(site.interconnection.import_limit),
            Ask::Limit(Power::ZERO),
        ]);
        say(relaxed_at, &one, Request::Instruct(Instruction { ask, ..limit.clone() }));
        let confirm =
            Request::Confirm { programme: limit.programme, name: limit.name.clone() };
        let later = relaxed_at + Seconds::from_seconds(draws.integer(1..=1_200));
        match draws.below(3) {
            0 => say(later, &one, confirm),
            1 => say(later, &other, confirm),
            _ => {}
        }
    }

    /// What nobody can ask.
    fn junk(&self, draws: &mut Generator, happenings: &mut Vec<Happening>) {
        let world = &self.world;
        for place in 0..world.intervals_faulty {
            if draws.chance(self.mishaps.junk_ppm) {
                let at = happenings::instant_in(draws, world.interval(place));
                let signal = junk(draws, &world.site, at);
                happenings.push(Happening { at, event: Event::Signal(signal) });
            }
        }
    }

    /// For a minute, ten times as much as ever: the same few instructions over and
    /// over, prices of before, and people who ask for what is not theirs.
    fn floods(&mut self, draws: &mut Generator, happenings: &mut Vec<Happening>) {
        let world = &self.world;
        for place in 0..world.intervals_faulty {
            if !draws.chance(self.mishaps.flood_ppm) {
                continue;
            }
            let from = happenings::instant_in(draws, world.interval(place));
            self.floods.push(from);
            let prices = world.happenings.iter().filter(|happening| {
                matches!(happening.event, Event::Signal(Signal::Price(_)))
                    && happening.at <= from
            });
            let prices: Vec<&Happening> = prices.collect();
            for _ in 0..200 {
                let at = from + Seconds::from_seconds(draws.integer(0..=59));
                let at = at.min(world.calm_from() - Seconds::from_seconds(1));
                let event = match draws.below(4) {
                    0 if !prices.is_empty() => draws.pick(&prices).event.clone(),
                    0 | 1 => Event::Signal(junk(draws, &world.site, at)),
                    2 => Event::Signal(self.said_again(draws, at)),
                    _ => Event::Operator {
                        by: person(draws, "visitor"),
                        request: not_theirs(draws, &world.site),
                    },
                };
                happenings.push(Happening { at, event });
            }
        }
    }

    /// One of a few limits, said anew.
    fn said_again(&self, draws: &mut Generator, at: Timestamp) -> Signal {
        let site = &self.world.site;
        let number = draws.below(4);
        let part = Share::from_ppm(*draws.pick(&[500_000, 700_000, 900_000]));
        let end = at + Seconds::from_seconds(draws.integer(60..=1_800));
        Signal::Instruction(Instruction {
            name: format!("flood {number}"),
            programme: number as usize % site.programmes.len(),
            ask: Ask::Limit(part.of_power(site.interconnection.import_limit)),
            during: Interval { start: at, end: end.min(self.world.calm_from()) },
            best_effort: false,
            known_at: at,
        })
    }

    /// Links say that they are there, and fall silent for a while; what is asked
    /// over a silent link does not arrive.
    fn links(&self, draws: &mut Generator, happenings: &mut Vec<Happening>) {
        let world = &self.world;
        for (programme, joined) in world.site.programmes.iter().enumerate() {
            let Some(silent_after) = joined.silent_after else { continue };
            let mut silences: Vec<Interval> = Vec::new();
            for place in 0..world.intervals_faulty {
                if draws.chance(self.mishaps.link_silent_ppm) {
                    let at = happenings::instant_in(draws, world.interval(place));
                    let end = (at + Seconds::from_seconds(draws.integer(60..=2_400)))
                        .min(world.calm_from());
                    silences.push(Interval { start: at, end });
                }
            }
            let silent = |at| silences.iter().any(|silence| silence.contains(at));
            happenings.retain(|happening| match &happening.event {
                Event::Signal(Signal::Instruction(instruction)) => {
                    instruction.programme != programme || !silent(happening.at)
                }
                Event::Signal(_)
                | Event::Tick(_)
                | Event::Wake
                | Event::Receipt(_)
                | Event::Operator { .. }
                | Event::Change(_)
                | Event::Trouble { .. }
                | Event::Resume
                | Event::Estate(_) => true,
            });
            let third = Seconds::from_seconds(silent_after.as_seconds() / 3);
            let mut at = world.start + third;
            while at < world.end() {
                if !silent(at) {
                    let event = Event::Signal(Signal::Heard(programme));
                    happenings.push(Happening { at, event });
                }
                at = at + third;
            }
        }
    }
}

/// An instruction that cannot be: nothing may come of it.
pub(crate) fn junk(draws: &mut Generator, site: &Site, at: Timestamp) -> Signal {
    let hour = Seconds::hours(1);
    let most = site.interconnection.import_limit;
    let mut junk = Instruction {
        name: format!("junk {}", draws.below(3)),
        programme: draws.below(site.programmes.len() as u64) as usize,
        ask: Ask::Limit(Power::ZERO),
        during: Interval::starting(at, hour),
        best_effort: false,
        known_at: at,
    };
    match draws.below(7) {
        // Of a programme that the site has not joined.
        0 => junk.programme = site.programmes.len() + draws.below(3) as usize,
        1 => junk.name = String::new(),
        2 => junk.name = "x".repeat(200),
        3 => junk.ask = Ask::Limit(-most - Power::from_kw(1)),
        4 => junk.ask = Ask::DispatchTo(most.times(20) + Power::from_mw(1_000)),
        // Over before it was asked.
        5 => junk.during = Interval { start: at - hour, end: at - Seconds::minutes(30) },
        // Over before it begins.
        _ => junk.during = Interval { start: at + hour, end: at },
    }
    Signal::Instruction(junk)
}

/// What a visitor has no right to ask.
fn not_theirs(draws: &mut Generator, site: &Site) -> Request {
    let load = draws.below(site.loads.len() as u64) as LoadIx;
    match draws.below(4) {
        0 => Request::Release { load, machines: None },
        1 => Request::EndMaintenance { load, machines: None },
        2 => Request::Acknowledge { alarm: AlarmId(u32::MAX) },
        _ => Request::Confirm { programme: 0, name: "nothing".to_owned() },
    }
}

/// One to three programmes, some of which speak all the time.
fn draw_programmes(draws: &mut Generator, site: &Site) -> Vec<Programme> {
    let most = site.interconnection.import_limit;
    (0..draws.integer(1..=3))
        .map(|programme| {
            let some = draws.chance(300_000);
            let loads: Vec<LoadIx> = (0..site.loads.len())
                .filter(|load| {
                    some && !site.loads[*load].is_firm() && draws.chance(600_000)
                })
                .collect();
            let silent_after =
                draws.chance(500_000).then(|| Seconds::minutes(*draws.pick(&[1, 3, 10])));
            let part = Share::from_ppm(*draws.pick(&[300_000, 600_000, 900_000]));
            let fail_safe = if draws.chance(500_000) {
                FailSafe::Hold
            } else {
                FailSafe::Limit(part.of_power(most))
            };
            Programme {
                name: format!("programme-{programme}"),
                loads,
                response: Seconds::minutes(*draws.pick(&[1, 5, 10])),
                longest: Seconds::hours(draws.integer(1..=24)),
                silent_after,
                fail_safe,
            }
        })
        .collect()
}

fn person(draws: &mut Generator, role: &str) -> Person {
    let name = *draws.pick(&["Ada", "Bo", "Cleo"]);
    Person { name: name.to_owned(), role: role.to_owned() }
}
