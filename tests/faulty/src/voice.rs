// SPDX-License-Identifier: Apache-2.0
//! What the plugin says, in every way that there is.

use std::time::Duration;

use milvusdm_plugin_api::{LogLevel, Services};

/// Must never be seen.
const SECRET: &str = "hunter2-of-faulty";

/// One line for each way.
pub fn speak(services: &Services) {
    for (level, name) in [
        (LogLevel::Error, "error"),
        (LogLevel::Warn, "warn"),
        (LogLevel::Info, "info"),
        (LogLevel::Debug, "debug"),
    ] {
        services.log(level, &format!("Services speak at {name}."));
    }
    tracing::error!("Tracing speaks at error.");
    tracing::warn!("Tracing speaks at warn.");
    tracing::info!(rows = 3, file = "a b", "Tracing speaks at info.");
    tracing::debug!("Tracing speaks at debug.");
    tracing::trace!("Tracing speaks at trace.");
    tracing::warn!(target: "another_crate", "Another crate warns.");
    tracing::info!(target: "another_crate", "Another crate chats.");
    let span = tracing::info_span!("opening");
    span.in_scope(|| tracing::info!("Inside a span."));
    services.mask_secret(SECRET);
    services.log(LogLevel::Info, &format!("Services tell {SECRET}."));
    tracing::info!(key = SECRET, "Tracing tells {SECRET}.");
    // Control characters of a terminal must not get there.
    services.log(LogLevel::Info, "Red: \u{1b}[31m.");
}

/// Speaks for ever.
pub fn babble(services: &Services) {
    loop {
        services.log(LogLevel::Info, "Still here.");
        tracing::warn!("Still here too.");
        services.progress("nothing", 1, 2);
        services.mask_secret("nothing at all");
        std::thread::sleep(Duration::from_micros(200));
    }
}
