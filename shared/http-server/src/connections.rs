//! The connections there are, and which one goes when one more wants to come.
//!
//! Idle ones go first, the longest idle before the others: their clients connect again. One that is
//! being answered goes only when no byte has moved for as long as a head may take. So connections that
//! do nothing keep nobody out, and a request that gets on is never cut off.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::debug;

use crate::Limits;
use crate::watch::{Phase, Watch};

#[derive(Default)]
pub(crate) struct Connections {
    pub tasks: JoinSet<()>,
    known: HashMap<Id, Known>,
}

struct Known {
    address: IpAddr,
    watch: Arc<Watch>,
}

/// Whether there is room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Now,
    /// All are being answered. Soon one will not be.
    Later,
    /// This address has as many as it may have, and all of them are being answered.
    NotForThisAddress,
}

impl Connections {
    pub(crate) fn spawn(
        &mut self,
        address: IpAddr,
        watch: Arc<Watch>,
        connection: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(connection).id();
        self.known.insert(id, Known { address, watch });
    }

    pub(crate) fn forget(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.known.remove(&id);
    }

    /// Makes room for a connection from `address`, if another can go for it.
    pub(crate) fn make_room(&mut self, address: IpAddr, limits: &Limits) -> Room {
        let of_address = |known: &&Known| known.address == address;
        if self.known.values().filter(of_address).count() >= limits.per_address_max {
            return self.close_one(limits, of_address, Room::NotForThisAddress);
        }
        if self.known.len() >= limits.connections_max {
            return self.close_one(limits, |_| true, Room::Later);
        }
        Room::Now
    }

    fn close_one(&mut self, limits: &Limits, among: impl Fn(&&Known) -> bool, or: Room) -> Room {
        let now = Instant::now();
        let longest = self
            .known
            .iter()
            .filter(|(_, known)| among(known))
            .map(|(id, known)| (*id, known.watch.moment()))
            .filter(|(_, moment)| {
                moment.phase != Phase::Busy || now - moment.since >= limits.head_wait_max
            })
            .min_by_key(|(_, moment)| (moment.phase == Phase::Busy, moment.since));
        let Some(gone) = longest.and_then(|(id, _)| self.known.remove(&id)) else {
            return or;
        };
        debug!(address = %gone.address, "closing the connection that was idle for longest");
        gone.watch.close();
        Room::Now
    }
}
