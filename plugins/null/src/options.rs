// SPDX-License-Identifier: Apache-2.0
//! What a task says under `sink:`, which is nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Options of the null sink: there are none.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NullOptions {}
