// SPDX-License-Identifier: Apache-2.0
//! The server's write-ahead log: rows that were acknowledged and stand in no segment yet.
//!
//! Vectors are never held: what is kept of an insert is where it stands.

mod log;
pub mod record;
mod replay;
mod rows;

pub use log::Log;
pub use replay::{Deletes, PartLog, Replay};
pub use rows::{Chunk, WalRows};
