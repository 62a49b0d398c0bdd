//! `cargo xtask sim`: worlds drawn from seeds, and what must always be true in them.

/// What `cargo xtask sim` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// The seed to draw a world from.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

pub(crate) fn run(_arguments: &SimArgs) -> anyhow::Result<()> {
    anyhow::bail!("expected the simulation, found that this command is not written yet")
}
