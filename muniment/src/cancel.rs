//! `muniment cancel`: an item ends as Cancelled.

use crate::Outcome;
use crate::error::CommandError;
use crate::orders::{self, Order, OrderSettings};
use crate::terminal::Terminal;

/// Ends a work item as Cancelled, once what was staged of it is removed; for operators
///
/// Nothing of the item stays but its row in the registry and the upload in the receiving bucket. The same
/// bag can be deposited again.
///
/// An item at Store, Storage Validation or Record cannot be cancelled: copies of its files may be in
/// preservation storage, from where no ingest takes anything away. Requeue it instead. One that is at
/// Cleanup has its ending already.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CancelSettings {
    /// Why, for the depositor, who reads it as the item's note
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    #[command(flatten)]
    order: OrderSettings,
}

const EXAMPLES: &str = "\
Examples:
  muniment cancel 12 --reason 'the depositor asked for it'
  muniment cancel test.edu/photos --wait     wait until it is cleaned up after

Exit code 0 when the order was taken (with --wait: when the item ended as Cancelled), 1 when the registry
refused it or could not be asked, 2 for arguments that cannot be understood.";

pub(crate) async fn run(
    settings: &CancelSettings,
    terminal: &Terminal,
) -> Result<Outcome, CommandError> {
    let order = Order::Cancel(settings.reason.as_deref());
    orders::run(order, &settings.order, terminal).await
}
