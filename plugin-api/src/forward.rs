// SPDX-License-Identifier: Apache-2.0
//! What a loaded plugin logs through `tracing`, and where it panics, goes to the host.
//!
//! A `.so` has its own copy of `tracing`, without a subscriber: events would be lost. Once it is
//! entered and lent services, this subscriber hands them on. A linked-in plugin shares the
//! host's `tracing` and needs none of it.

use std::fmt::{self, Write as _};
use std::sync::{PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::abi::doors;
use crate::{LogLevel, Services};

/// Where events go: to whoever opened the plugin last. All of a host's services log alike.
static HOST: RwLock<Option<Services>> = RwLock::new(None);

/// Hands events to the host from now on, if this is a loaded plugin.
pub(crate) fn start(services: &Services) {
    let Some(own_crate) = doors::entered() else {
        return;
    };
    let before = HOST
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .replace(services.clone());
    if before.is_none() {
        // The library's own hook would print over the host's lines, secrets included. What the
        // panic says comes back as an error; its place is of use to the plugin's author.
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let message = info.payload_as_str().unwrap_or("no message");
            tell(LogLevel::Debug, &format!("panicked at {place}: {message}"));
        }));
        let subscriber = tracing_subscriber::registry().with(Forward { own_crate });
        // Fails where the plugin has set up a subscriber of its own, which then is its wish.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

/// Gives events to the host: of the plugin's own crate up to `debug`, of others warnings and
/// errors only, as the host does with its own.
struct Forward {
    own_crate: &'static str,
}

impl Forward {
    fn is_wanted(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_own = [self.own_crate, env!("CARGO_CRATE_NAME")]
            .iter()
            .any(|own| {
                target
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            });
        let most = if is_own || metadata.is_span() {
            Level::DEBUG
        } else {
            Level::WARN
        };
        *metadata.level() <= most
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Forward {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.is_wanted(metadata)
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let spans: Vec<_> = context
            .event_scope(event)
            .into_iter()
            .flatten()
            .map(|span| span.name())
            .collect();
        let text = line.text(&spans);
        tell(level(*event.metadata().level()), &text);
    }
}

/// Logs a line with the host.
fn tell(level: LogLevel, text: &str) {
    let host = HOST.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(host) = host {
        host.log(level, text);
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// An event as one line: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self, spans: &[&str]) -> String {
        let mut text = self.message + &self.fields;
        if !spans.is_empty() {
            let _ = write!(text, " (in {})", spans.join(" in "));
        }
        text.trim_start().to_owned()
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => _ = write!(self.fields, " {name}={value:?}"),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => _ = write!(self.message, "{value:?}"),
            name => _ = write!(self.fields, " {name}={value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::HostCalls;

    #[derive(Default)]
    struct Seen(Mutex<Vec<(LogLevel, String)>>);

    impl HostCalls for Seen {
        fn log(&self, level: LogLevel, message: &str) {
            self.0.lock().unwrap().push((level, message.to_owned()));
        }
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn is_cancelled(&self) -> bool {
            false
        }
        fn mask_secret(&self, _: &str) {}
    }

    #[test]
    fn events_reach_the_host_with_fields_and_spans() {
        let seen = Arc::new(Seen::default());
        *HOST.write().unwrap() = Some(Services::new(seen.clone()));
        let forward = Forward {
            own_crate: "my_plugin",
        };
        let subscriber = tracing_subscriber::registry().with(forward);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("outer");
            let _inside = span.enter();
            tracing::info!(target: "my_plugin::file", rows = 3, file = "a b", "Opened.");
            tracing::info!(target: "my_plugin_of_another", "not ours");
            tracing::warn!(target: "h2", "Window is small.");
            tracing::trace!(target: "my_plugin", "too fine");
        });
        let seen = seen.0.lock().unwrap();
        assert_eq!(
            *seen,
            [
                (
                    LogLevel::Info,
                    "Opened. rows=3 file=\"a b\" (in outer)".to_owned()
                ),
                (LogLevel::Warn, "Window is small. (in outer)".to_owned()),
            ]
        );
    }
}
