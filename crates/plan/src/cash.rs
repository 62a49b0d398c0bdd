//! A month of cash, line by line; in is positive.

use units::Money;

/// What cash is for. The order is the order they are shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// What the pool pays.
    Mining,
    /// GPU-hours sold on the open market.
    Spot,
    /// Statements paid by tenants: fees, less credits, less what was paid ahead, and
    /// refunds.
    Contract,
    /// What tenants pay ahead.
    Prepayment,
    /// What tenants still owe when the plan ends, less what they paid ahead and were not
    /// served for: settled then.
    Closed,
    /// Power of rigs, with adders.
    PowerMining,
    /// Power of racks, with adders.
    PowerRacks,
    /// Fixed-price blocks against the settlement price.
    Blocks,
    /// Charges for demand at the system's peaks.
    Peaks,
    /// Running the site beside power.
    Running,
    /// Buildings.
    Works,
    /// Machines ordered.
    Equipment,
    /// Rigs sold, and what machines are worth at the end.
    Resale,
    /// What lenders give.
    Drawn,
    /// Interest and fees.
    Interest,
    /// What lenders get back.
    Repaid,
    /// What lenders are still owed when the plan ends, paid out of what is left then.
    Owed,
    /// Tax.
    Tax,
}

impl Line {
    /// Every line, in order.
    pub const ALL: [Self; 18] = [
        Self::Mining,
        Self::Spot,
        Self::Contract,
        Self::Prepayment,
        Self::Closed,
        Self::PowerMining,
        Self::PowerRacks,
        Self::Blocks,
        Self::Peaks,
        Self::Running,
        Self::Works,
        Self::Equipment,
        Self::Resale,
        Self::Drawn,
        Self::Interest,
        Self::Repaid,
        Self::Owed,
        Self::Tax,
    ];

    /// What it is called in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mining => "mining",
            Self::Spot => "spot",
            Self::Contract => "contract",
            Self::Prepayment => "prepayment",
            Self::Closed => "closed",
            Self::PowerMining => "power_mining",
            Self::PowerRacks => "power_racks",
            Self::Blocks => "blocks",
            Self::Peaks => "peaks",
            Self::Running => "running",
            Self::Works => "works",
            Self::Equipment => "equipment",
            Self::Resale => "resale",
            Self::Drawn => "drawn",
            Self::Interest => "interest",
            Self::Repaid => "repaid",
            Self::Owed => "owed",
            Self::Tax => "tax",
        }
    }

    /// Whether it is of running the site: not of building it, of paying for that, or of
    /// ending the plan.
    pub const fn is_operating(self) -> bool {
        match self {
            Self::Mining
            | Self::Spot
            | Self::Contract
            | Self::Prepayment
            | Self::PowerMining
            | Self::PowerRacks
            | Self::Blocks
            | Self::Peaks
            | Self::Running => true,
            Self::Closed
            | Self::Works
            | Self::Equipment
            | Self::Resale
            | Self::Drawn
            | Self::Interest
            | Self::Repaid
            | Self::Owed
            | Self::Tax => false,
        }
    }
}

/// Cash of one month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Month([Money; Line::ALL.len()]);

impl Month {
    /// What came in for a line; negative is out.
    pub fn of(&self, line: Line) -> Money {
        self.0[line as usize]
    }

    /// Adds to a line.
    pub fn add(&mut self, line: Line, money: Money) {
        self.0[line as usize] += money;
    }

    /// Everything together: what owners get, or have to put in.
    pub fn net(&self) -> Money {
        self.0.iter().copied().sum()
    }

    /// The lines of running the site.
    pub fn operating(&self) -> Money {
        let lines = Line::ALL.iter().filter(|line| line.is_operating());
        lines.map(|line| self.of(*line)).sum()
    }
}
