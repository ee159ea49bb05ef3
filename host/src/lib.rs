// SPDX-License-Identifier: Apache-2.0
//! The host of milvusdm: reads a task, plans it, moves the data through plugins, accounts for
//! every row.
//!
//! The way of the data: [`task`] (what the user wrote) → [`plan`] (datasets, splits, targets,
//! conversions, refusals; nothing is written) → [`engine`] (readers, queue, writers) →
//! [`report`] (ledger, exit code). [`journal`] keeps how far it came, for the next process to go
//! on. [`control`] is what runs beside it: cancellation, progress,
//! secrets. [`App`] makes a program of it all, `milvusdm` or a vendor's own; the command line
//! behind it is the only part that prints.
// Foreign code comes in at one place, load/enter.rs.
#![deny(unsafe_code)]
#![deny(missing_docs)]

mod app;
mod beside;
mod builtin;
mod calls;
mod cli;
pub mod control;
pub mod convert;
pub mod dump;
pub mod engine;
pub mod failure;
pub mod hash;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod plan;
pub mod plugin_options;
pub mod program;
pub mod registry;
pub mod report;
pub mod scaffold;
mod seal;
pub mod task;
pub mod verify;

pub use app::App;
