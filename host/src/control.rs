// SPDX-License-Identifier: Apache-2.0
//! What runs beside a task: the wish to stop, progress, calls into plugins, secrets to mask.
//!
//! One [`Control`] serves a whole command. Plugins see it through [`Services`], tagged with
//! their name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use milvusdm_plugin_api::{Error, ErrorKind, HostCalls, LogLevel, Result, Services};

/// Secrets of fewer characters are not masked: they would blank out half of every line.
const MIN_SECRET_CHARS: usize = 3;

/// What runs beside a task; shared by all its threads.
#[derive(Debug, Default)]
pub struct Control {
    /// The signal that asked to stop; 0 = none.
    signal: AtomicI32,
    progress: Progress,
    /// What a plugin is doing inside a long call.
    activity: Mutex<Option<Activity>>,
    calls: Mutex<Calls>,
    secrets: Mutex<Vec<String>>,
}

/// How far a run is.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    bytes: AtomicU64,
    total_rows: AtomicU64,
    total_bytes: AtomicU64,
}

/// Something that a plugin told about a long call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// The plugin's name.
    pub plugin: String,
    /// What it does.
    pub what: String,
    /// How much of it is done.
    pub done: u64,
    /// How much there is; 0 = unknown.
    pub total: u64,
}

/// A call into a plugin that has not come back.
#[derive(Debug, Clone)]
pub struct PendingCall {
    /// The plugin's name.
    pub plugin: String,
    /// The entry of its table.
    pub entry: &'static str,
    /// When it began.
    pub since: Instant,
}

#[derive(Debug, Default)]
struct Calls {
    next: u64,
    pending: BTreeMap<u64, PendingCall>,
    /// Plugins and entries that have come back before.
    returned: Vec<(String, &'static str)>,
}

/// Marks a call into a plugin as pending until it is dropped.
#[derive(Debug)]
pub struct CallGuard<'a> {
    control: &'a Control,
    number: u64,
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        locked(&self.control.calls).pending.remove(&self.number);
    }
}

impl Control {
    /// A control of a command that nobody has asked to stop.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Asks the run to stop, because of that signal; the first one counts.
    pub fn cancel(&self, signal: i32) {
        let _ = self
            .signal
            .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The signal that asked the run to stop.
    pub fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// # Errors
    /// `Cancelled` if the run is to stop.
    pub fn check(&self) -> Result<()> {
        match self.signal() {
            Some(_) => Err(Error::new(ErrorKind::Cancelled, "stopped on request")),
            None => Ok(()),
        }
    }

    /// How far the run is.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What a plugin is doing inside a long call, if it tells.
    pub fn activity(&self) -> Option<Activity> {
        locked(&self.activity).clone()
    }

    /// Notes that a plugin's entry is being called; the guard ends it.
    pub fn calling(&self, plugin: &str, entry: &'static str) -> CallGuard<'_> {
        let mut calls = locked(&self.calls);
        let number = calls.next;
        calls.next += 1;
        let call = PendingCall {
            plugin: plugin.to_owned(),
            entry,
            since: Instant::now(),
        };
        calls.pending.insert(number, call);
        CallGuard {
            control: self,
            number,
        }
    }

    /// Whether a plugin's entry comes back for the first time.
    pub fn is_first_return(&self, plugin: &str, entry: &'static str) -> bool {
        let mut calls = locked(&self.calls);
        let is_known = |known: &(String, &str)| known.0 == plugin && known.1 == entry;
        let is_first = !calls.returned.iter().any(is_known);
        if is_first {
            calls.returned.push((plugin.to_owned(), entry));
        }
        is_first
    }

    /// The calls into plugins that have been under way for at least that long, oldest first.
    pub fn calls_older_than(&self, age: Duration) -> Vec<PendingCall> {
        let calls = locked(&self.calls);
        calls
            .pending
            .values()
            .filter(|call| call.since.elapsed() >= age)
            .cloned()
            .collect()
    }

    /// Masks a text wherever [`mask`](Self::mask) is applied.
    pub fn add_secret(&self, secret: &str) {
        if secret.chars().count() < MIN_SECRET_CHARS {
            return;
        }
        // Quotation marks and line breaks are written otherwise in JSON and in quoted log fields,
        // and once more otherwise where the one stands in the other.
        let escaped = escaped(secret);
        let twice = self::escaped(&escaped);
        let mut secrets = locked(&self.secrets);
        for form in [secret, &escaped, &twice] {
            if !secrets.iter().any(|known| known == form) {
                secrets.push(form.to_owned());
            }
        }
        // A secret that contains another one goes first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The text without the secrets that are known.
    pub fn mask(&self, text: &str) -> String {
        let secrets = locked(&self.secrets);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), "***")
        })
    }

    /// The error without the secrets that are known.
    pub fn mask_error(&self, error: Error) -> Error {
        error.map_text(|text| self.mask(text))
    }

    /// What a plugin of that name is lent.
    pub fn services(self: &Arc<Self>, plugin: &str) -> Services {
        Services::new(Arc::new(ForPlugin {
            control: Arc::clone(self),
            plugin: plugin.to_owned(),
        }))
    }
}

impl Progress {
    /// Sets what there is to do; unknown parts count as 0.
    pub fn set_total(&self, rows: u64, bytes: u64) {
        self.total_rows.store(rows, Ordering::Relaxed);
        self.total_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Adds what was done.
    pub fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows done and to do.
    pub fn rows(&self) -> (u64, u64) {
        (
            self.rows.load(Ordering::Relaxed),
            self.total_rows.load(Ordering::Relaxed),
        )
    }

    /// Bytes done and to do.
    pub fn bytes(&self) -> (u64, u64) {
        (
            self.bytes.load(Ordering::Relaxed),
            self.total_bytes.load(Ordering::Relaxed),
        )
    }
}

/// A control as one plugin sees it.
struct ForPlugin {
    control: Arc<Control>,
    plugin: String,
}

impl HostCalls for ForPlugin {
    fn log(&self, level: LogLevel, message: &str) {
        let message = self.control.mask(message);
        let plugin = self.plugin.as_str();
        match level {
            LogLevel::Error => tracing::error!(target: "plugin", plugin, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "plugin", plugin, "{message}"),
            LogLevel::Info => tracing::info!(target: "plugin", plugin, "{message}"),
            LogLevel::Debug => tracing::debug!(target: "plugin", plugin, "{message}"),
        }
    }

    fn progress(&self, what: &str, done: u64, total: u64) {
        let mut shown = locked(&self.control.activity);
        let told = Activity {
            plugin: self.plugin.clone(),
            what: what.to_owned(),
            done,
            total,
        };
        if total == 0 || done < total {
            *shown = Some(told);
        } else if shown.as_ref().is_some_and(|shown| shown.what == told.what) {
            // What another call told meanwhile goes on.
            *shown = None;
        }
    }

    fn is_cancelled(&self) -> bool {
        self.control.signal().is_some()
    }

    fn mask_secret(&self, secret: &str) {
        self.control.add_secret(secret);
    }
}

/// The text as it stands between the quotation marks of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(text).to_owned()
}

/// Nothing here is left half-changed by a panic, so a poisoned lock is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_counts() {
        let control = Control::new();
        assert!(control.check().is_ok());
        control.cancel(15);
        control.cancel(2);
        assert_eq!(control.signal(), Some(15));
        assert_eq!(control.check().unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(control.services("x").is_cancelled());
    }

    #[test]
    fn longer_secrets_are_masked_first_and_tiny_ones_never() {
        let control = Control::new();
        for secret in ["abc", "abcdef", "x"] {
            control.add_secret(secret);
        }
        assert_eq!(control.mask("x abcdef abc"), "x *** ***");
        let error = Error::new(ErrorKind::Io, "a").with("uri", "http://abcdef@h");
        assert_eq!(
            control.mask_error(error).context_value("uri"),
            Some("http://***@h")
        );
    }

    #[test]
    fn pending_calls_are_known_until_they_return() {
        let control = Control::new();
        let guard = control.calling("faiss", "reader_next");
        let pending = control.calls_older_than(Duration::ZERO);
        assert_eq!(pending.len(), 1);
        assert_eq!(
            (pending[0].plugin.as_str(), pending[0].entry),
            ("faiss", "reader_next")
        );
        assert!(control.calls_older_than(Duration::from_secs(60)).is_empty());
        drop(guard);
        assert!(control.calls_older_than(Duration::ZERO).is_empty());
        assert!(control.is_first_return("faiss", "reader_next"));
        assert!(!control.is_first_return("faiss", "reader_next"));
        assert!(control.is_first_return("faiss", "reader_account"));
    }
}
