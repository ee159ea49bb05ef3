// SPDX-License-Identifier: Apache-2.0
//! The data model, version 1: what a collection looks like while it crosses the plugin boundary.
//!
//! A batch is an Arrow record batch. What each column *is* (id, vector, dynamic members, …)
//! stands in field metadata under keys that start with `milvusdm.`; it is never guessed from a
//! type. This module makes such fields ([`field`]), checks schemas and batches ([`schema`],
//! [`batch`]), and describes datasets ([`descriptor`]) and what a sink can take
//! ([`capabilities`]). It knows no file format and does no I/O.

pub mod batch;
pub mod capabilities;
pub mod descriptor;
mod dynamic;
pub mod field;
pub mod keys;
mod metadata;
pub mod metric;
pub mod schema;
pub mod wire;

pub use capabilities::Capabilities;
pub use descriptor::{Descriptor, IdInfo, IdPolicy, IndexDefinition, RowCount, Unique};
pub use field::{BitOrder, Elem, Kind, Role, VectorType};
pub use metric::Metric;
pub use schema::SchemaBuilder;
