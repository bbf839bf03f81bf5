//! Workers whose step is not built yet. Their names are taken, so that a deployment that starts all seventeen
//! learns from each what it can do.

use std::io::{self, Write};
use std::process::ExitCode;

/// `EX_CONFIG` of sysexits.h: starting it again helps nothing.
const NOT_BUILT: u8 = 78;

/// A worker that says that it cannot work, and ends.
#[derive(Clone, Copy, Debug)]
pub struct Unbuilt {
    pub name: &'static str,
    /// What it will do, in one line.
    pub about: &'static str,
}

pub const BAG_RESTORER: Unbuilt = Unbuilt {
    name: "bag_restorer",
    about: "Restores whole objects as bags",
};
pub const FILE_RESTORER: Unbuilt = Unbuilt {
    name: "file_restorer",
    about: "Restores single files",
};
pub const GLACIER_RESTORER: Unbuilt = Unbuilt {
    name: "glacier_restorer",
    about: "Asks cold storage to thaw what is to be restored",
};
pub const APT_DELETE: Unbuilt = Unbuilt {
    name: "apt_delete",
    about: "Deletes files and objects whose deletion was approved",
};
pub const APT_FIXITY: Unbuilt = Unbuilt {
    name: "apt_fixity",
    about: "Reads copies again and compares their digests",
};
pub const APT_QUEUE_FIXITY: Unbuilt = Unbuilt {
    name: "apt_queue_fixity",
    about: "Queues files whose fixity check is due",
};

/// Each of them.
pub const fn all() -> &'static [Unbuilt] {
    &[
        BAG_RESTORER,
        FILE_RESTORER,
        GLACIER_RESTORER,
        APT_DELETE,
        APT_FIXITY,
        APT_QUEUE_FIXITY,
    ]
}

impl Unbuilt {
    /// Says so to standard error, whatever the arguments are. Exit code 78.
    pub fn main(&self) -> ExitCode {
        let said = writeln!(
            io::stderr(),
            "{name}: not built yet in version {version}. It is to do this: {about}. Until then nothing does: \
             work items for it wait. Do not start it.",
            name = self.name,
            version = env!("CARGO_PKG_VERSION"),
            about = self.about,
        );
        // The code says it too.
        drop(said);
        ExitCode::from(NOT_BUILT)
    }
}
