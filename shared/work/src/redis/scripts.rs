//! The scripts: what happens on the server as a whole.
//!
//! Those of the queue begin with the same functions (`lua/queue.lua`), which say what `decide` says; that their
//! answers are its answers is a test under generated histories. A server that has lost its scripts is given
//! them again with the call.
//!
//! Each begins with its flags. A server that is full, or cannot save, refuses a script that may write before it
//! begins, unless its flags allow it. Records are refused so, because they are what fills it; messages are not,
//! because Cleanup must be claimed, and make room, on a server that is full.

use std::sync::LazyLock;

use redis::Script;

/// Changes nothing.
macro_rules! reads {
    () => {
        "#!lua flags=no-writes\n"
    };
}

/// Writes on a full server too.
macro_rules! small {
    () => {
        "#!lua flags=allow-oom\n"
    };
}

/// Is refused by a full server.
macro_rules! large {
    () => {
        "#!lua\n"
    };
}

macro_rules! of_the_queues {
    ($($name:ident = $flags:ident $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!($flags!(), include_str!("lua/queue.lua"), include_str!($file)))
        });)+
    };
}

macro_rules! of_an_item {
    ($($name:ident = $flags:ident $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($flags!(), include_str!($file))));)+
    };
}

of_the_queues! {
    PUBLISH = small "lua/publish.lua";
    CLAIM = small "lua/claim.lua";
    HELD = small "lua/held.lua";
    FINISH = small "lua/finish.lua";
    FORGET = small "lua/forget.lua";
    UNLIST = small "lua/unlist.lua";
    LOOK = reads "lua/look.lua";
    VIEW = reads "lua/view.lua";
}

of_an_item! {
    RECORDS = large "lua/records.lua";
    // The same without records: the number of a claim alone.
    CLAIM_NUMBER = small "lua/records.lua";
    FORGET_RECORDS = small "lua/forget_records.lua";
}
