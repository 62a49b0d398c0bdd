//! What is wrong with a tray, or with the service that speaks for it.

/// Something to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service takes requests and never answers.
    Hangs,
    /// Nobody listens.
    Unreachable,
    /// The service says yes to every change and does nothing.
    SaysYes,
    /// The service sends whoever asks elsewhere.
    Redirects,
    /// Names are markup.
    Markup,
    /// Answers have no end.
    Endless,
    /// A GPU is gone, by its number.
    GpuMissing(usize),
    /// A leak detector is wet, by its number.
    Leak(usize),
    /// What the next start is overridden to, it is not started from.
    OverrideIgnored,
    /// The next start is overridden where settings wait for it, and nowhere else.
    OverrideInSettings,
    /// Drives have nothing that erases them.
    NoErase,
    /// Erasing a drive ends in an error.
    EraseFails,
}

/// What is wrong now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) hangs: bool,
    pub(super) unreachable: bool,
    pub(super) says_yes: bool,
    pub(super) redirects: bool,
    pub(super) markup: bool,
    pub(super) endless: bool,
    pub(super) leak: Option<usize>,
    pub(super) override_in_settings: bool,
    pub(super) no_erase: bool,
}

impl Trouble {
    /// One more thing goes wrong, but for what is wrong with a part.
    pub(super) fn take(&mut self, fault: Fault) {
        match fault {
            Fault::Hangs => self.hangs = true,
            Fault::Unreachable => self.unreachable = true,
            Fault::SaysYes => self.says_yes = true,
            Fault::Redirects => self.redirects = true,
            Fault::Markup => self.markup = true,
            Fault::Endless => self.endless = true,
            Fault::Leak(detector) => self.leak = Some(detector),
            Fault::OverrideInSettings => self.override_in_settings = true,
            Fault::NoErase => self.no_erase = true,
            Fault::GpuMissing(_) | Fault::OverrideIgnored | Fault::EraseFails => {}
        }
    }
}
