//! A miner of a make that we have no driver for, by the library `asic-rs`.
//!
//! Only where the program is built with the feature `asic-rs`, which brings some two
//! hundred crates. What the library says is held against what is known of it:
//!
//! - it gives a state to a machine that told it none, so a state counts where the miner
//!   told one;
//! - a write that failed may have been heard, so only its yes and its "I cannot" are
//!   taken for what they are;
//! - it finds its own ports at the address that it is given, and some makes' web pages
//!   may send it on to another: a site of machines that nobody trusts uses the drivers of
//!   our own.
//!
//! Invariant: the library is given a [`Reached`] address, and nothing that we know of
//! others.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use asic_rs::MinerFactory;
use asic_rs::core::data::collector::DataField;
use asic_rs::core::data::hashrate::HashRateUnit;
use asic_rs::core::data::message::MessageSeverity;
use asic_rs::core::data::miner::{MinerData, TuningTarget};
use asic_rs::core::data::operating_state::OperatingState;
use asic_rs::core::traits::auth::MinerAuth;
use asic_rs::core::traits::miner::Miner;
use tokio::sync::{Mutex, MutexGuard};
use units::{HashRate, Power, Temperature};

use super::{
    Answer, DeviceText, Doing, Driver, Field, Identity, Look, Reached, Refusal, Running,
    Unanswered, Wanted,
};
use crate::deliver::Secret;

/// What is asked for: what a dispatch needs to know.
const FIELDS: [DataField; 8] = [
    DataField::Hashrate,
    DataField::Wattage,
    DataField::TuningTarget,
    DataField::IsMining,
    DataField::OperatingState,
    DataField::Hashboards,
    DataField::Pools,
    DataField::Messages,
];

/// What is asked for to know what it is.
const IDENTITY: [DataField; 3] =
    [DataField::SerialNumber, DataField::Mac, DataField::FirmwareVersion];

/// No miner draws more.
const DRAW_MAX: f64 = 100_000.0;

/// No miner hashes faster, in gigahashes a second.
const HASHRATE_MAX: f64 = 1e7;

/// One miner.
pub struct AsicRs {
    at: Reached,
    login: Option<Login>,
    /// What the library takes it for. Asked again when it no longer answers.
    known: Mutex<Option<Box<dyn Miner>>>,
}

/// Who looks.
#[derive(Debug)]
pub struct Login {
    /// The account; some makes have one alone and read no name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

impl AsicRs {
    /// The miner at this address, at whatever ports its make has.
    pub fn new(at: Reached, login: Option<Login>) -> Self {
        Self { at, login, known: Mutex::new(None) }
    }

    /// The miner, once it is known what it is.
    async fn known(
        &self,
        by: Instant,
    ) -> Result<MutexGuard<'_, Option<Box<dyn Miner>>>, Unanswered> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            let left = by.saturating_duration_since(now());
            let factory = MinerFactory::new()
                .with_nofile_adjustment(false)
                .with_identification_timeout(left.max(Duration::from_millis(1)));
            let found = factory.get_miner(self.at.address().ip()).await;
            let mut miner = found
                .map_err(|error| nonsense(&error.to_string()))?
                // It says as much of a machine that is not there.
                .ok_or(Unanswered::Unreachable)?;
            if let Some(Login { user, password }) = &self.login {
                miner.set_auth(MinerAuth::new(user.clone(), password.expose()));
            }
            *known = Some(miner);
        }
        Ok(known)
    }

    async fn collect(
        &self,
        fields: &[DataField],
        by: Instant,
    ) -> Result<(Told, MinerData), Unanswered> {
        let mut known = self.known(by).await?;
        let Some(miner) = known.as_deref() else { return Err(Unanswered::Unreachable) };
        let told = miner.get_collector().collect(fields).await;
        if told.is_empty() {
            // It may be another machine by now.
            *known = None;
            return Err(Unanswered::Late);
        }
        let data = miner.parse_data(told.clone());
        Ok((told, data))
    }

    async fn identity(&self, by: Instant) -> Result<Identity, Unanswered> {
        let (_, data) = self.collect(&IDENTITY, by).await?;
        let serial = data.serial_number.or_else(|| data.mac.map(|mac| mac.to_string()));
        Ok(Identity {
            maker: Some(DeviceText::of(&data.device_info.make)),
            model: Some(DeviceText::of(&data.device_info.model)),
            serial: serial.as_deref().map(DeviceText::of),
            firmware: data.firmware_version.as_deref().map(DeviceText::of),
            limits: None,
        })
    }

    async fn stand(&self, by: Instant) -> Result<Look, Unanswered> {
        let (told, data) = self.collect(&FIELDS, by).await?;
        Ok(look(&told, &data))
    }

    async fn be(&self, wanted: Wanted, by: Instant) -> Answer {
        let known = match self.known(by).await {
            Ok(known) => known,
            Err(why) => return Answer::Unknown(why),
        };
        let Some(miner) = known.as_deref() else {
            return Answer::Unknown(Unanswered::Unreachable);
        };
        match wanted {
            Wanted::Rest if miner.supports_pause() => said(miner.pause(None).await),
            Wanted::AtMost(power) if miner.supports_set_power_limit() => {
                let theirs = TuningTarget::from_watts(power.as_watts() as f64);
                let TuningTarget::Power(limit) = theirs else {
                    unreachable!("watts are a power");
                };
                let limit = said(miner.set_power_limit(limit).await);
                if limit != Answer::Accepted || !miner.supports_resume() {
                    return limit;
                }
                // Who is told twice that it shall work works on.
                said(miner.resume(None).await)
            }
            Wanted::Rest | Wanted::AtMost(_) | Wanted::Flow(_) => {
                let model = &miner.get_device_info().model;
                Answer::Refused(Refusal::Unsupported(DeviceText::of(&format!(
                    "asic-rs has no words for this to {model}"
                ))))
            }
        }
    }
}

/// What a miner told, before the library fills in the rest.
type Told = HashMap<DataField, serde_json::Value>;

/// How it stands, by what it told.
fn look(told: &Told, data: &MinerData) -> Look {
    let hashrate = data.hashrate.clone().map(|rate| {
        let rate = rate.as_unit(HashRateUnit::GigaHash).value;
        within(rate, HASHRATE_MAX).map(HashRate::from_ghs)
    });
    let watts = |power: f64| within(power, DRAW_MAX).map(Power::from_watts);
    let limit = match &data.tuning_target {
        Some(TuningTarget::Power(power)) => watts(power.as_watts()),
        Some(
            TuningTarget::Manual { .. }
            | TuningTarget::HashRate(_)
            | TuningTarget::MiningMode(_)
            | TuningTarget::Preset(_),
        )
        | None => None,
    };
    let hottest = data
        .hashboards
        .iter()
        .filter_map(|board| board.board_temperature)
        .map(|hot| hot.as_celsius())
        .filter(|celsius| (-100.0..=1_000.0).contains(celsius))
        .max_by(f64::total_cmp)
        .map(|celsius| Temperature::from_millidegrees((celsius * 1_000.0) as i64));
    let pools = data.pools.iter().flat_map(|group| &group.pools);
    let faults = data.messages.iter().filter(|it| it.severity == MessageSeverity::Error);
    Look {
        running: running(told, data).map(Field::reported),
        limit: limit.map(Field::reported),
        flow: None,
        draw: data.wattage.and_then(|power| watts(power.as_watts())).map(Field::reported),
        hashrate: hashrate.flatten().map(Field::reported),
        hottest: hottest.map(Field::reported),
        stored: None,
        pools: pools
            .filter_map(|pool| pool.url.as_ref())
            .map(|url| DeviceText::of(&url.to_string()))
            .collect(),
        faults: faults.map(|it| DeviceText::of(&it.message)).collect(),
    }
}

/// What it does, where it told. Its own words come before the library's yes or no.
fn running(told: &Told, data: &MinerData) -> Option<Running> {
    use OperatingState as State;
    match &data.operating_state {
        Some(State::Mining {} | State::Stable {} | State::DegradedMining {}) => {
            return Some(Running::Working);
        }
        Some(
            State::Initializing {}
            | State::Starting {}
            | State::Restarting {}
            | State::Tuning {}
            | State::AdjustingFrequency {}
            | State::AdjustingVoltage {}
            | State::AdjustingClockVoltage {}
            | State::CoolingDown {}
            | State::Restricted {},
        ) => return Some(Running::Starting),
        Some(
            State::Idling {} | State::Paused {} | State::Suspended {} | State::Stopped {},
        ) => return Some(Running::Resting),
        // On its way down, broken, or in words that nobody knows: not at rest yet.
        Some(State::Stopping {} | State::Error {} | State::Unknown { .. }) => {
            return None;
        }
        None => {}
    }
    told.get(&DataField::IsMining)?;
    Some(if data.is_mining { Running::Working } else { Running::Resting })
}

/// A figure as a whole number, unless it is none that such a machine can have.
fn within(figure: f64, most: f64) -> Option<i64> {
    (0.0..=most).contains(&figure).then_some(figure.round() as i64)
}

/// What came of a write.
fn said(came: Result<bool, impl fmt::Display>) -> Answer {
    match came {
        Ok(true) => Answer::Accepted,
        Ok(false) => Answer::Refused(Refusal::Other(DeviceText::of("it says no"))),
        Err(error) => Answer::Unknown(nonsense(&error.to_string())),
    }
}

fn nonsense(why: &str) -> Unanswered {
    Unanswered::Nonsense(DeviceText::of(why))
}

/// The clock of deadlines.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl fmt::Debug for AsicRs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsicRs").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Driver for AsicRs {
    fn at(&self) -> Reached {
        self.at
    }

    fn identify(&self, by: Instant) -> Doing<'_, Result<Identity, Unanswered>> {
        Box::pin(async move {
            let came = tokio::time::timeout_at(by.into(), self.identity(by)).await;
            came.unwrap_or(Err(Unanswered::Late))
        })
    }

    fn look(&self, by: Instant) -> Doing<'_, Result<Look, Unanswered>> {
        Box::pin(async move {
            let came = tokio::time::timeout_at(by.into(), self.stand(by)).await;
            came.unwrap_or(Err(Unanswered::Late))
        })
    }

    fn tell(&self, wanted: Wanted, by: Instant) -> Doing<'_, Answer> {
        Box::pin(async move {
            let came = tokio::time::timeout_at(by.into(), self.be(wanted, by)).await;
            came.unwrap_or(Answer::Unknown(Unanswered::Late))
        })
    }
}
