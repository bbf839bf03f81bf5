//! Where the one folder is that holds everything.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Where this machine's muniment keeps everything
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DataSettings {
    /// The folder that holds everything [default: ~/.local/share/muniment]
    #[arg(long = "data", env = "MUNIMENT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// There is no place to keep anything.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell your home folder; name a data folder with `--data DIR`")]
pub struct NoHome(#[source] etcetera::HomeDirError);

impl DataSettings {
    /// Whether a folder was named.
    pub(crate) fn is_named(&self) -> bool {
        self.data.is_some()
    }

    /// The folder that was named, or the one in the user's own data.
    pub fn folder(&self) -> Result<PathBuf, NoHome> {
        match &self.data {
            Some(folder) => Ok(folder.clone()),
            None => Ok(etcetera::choose_base_strategy()
                .map_err(NoHome)?
                .data_dir()
                .join("muniment")),
        }
    }
}
