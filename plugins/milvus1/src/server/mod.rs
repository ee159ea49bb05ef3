// SPDX-License-Identifier: Apache-2.0
//! A connection to a running Milvus 0.10 or 1.x, as blocking calls.
//!
//! The server answers every call with the gRPC status OK and says in the reply's own `Status`
//! what went wrong; both kinds of failure become an [`Error`] here. Calls that only look are
//! tried again while the server can't be reached; what writes is tried again by its caller, who
//! knows whether that could double rows.

mod address;
mod collections;
pub mod insert;
mod reads;
mod reply;
mod settled;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable as _, ExponentialBuilder};
use milvusdm_plugin_api::{Error, ErrorKind, LogLevel, Result, Services};
use milvusdm_proto::milvus1::milvus_service_client::MilvusServiceClient;
use milvusdm_proto::milvus1::{Command, StringReply};
use tokio::runtime::Runtime;
use tonic::Response;
use tonic::transport::{Channel, Endpoint};

pub use address::Address;
pub use collections::{CollectionInfo, DEFAULT_PARTITION, IndexInfo, PartitionInfo, SegmentInfo};
pub use reads::MAX_IDS;
pub use reply::{HasStatus, ILLEGAL_VECTOR_ID, Refusal};

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the server may take for each call by which a run that is to stop takes away what it
/// made.
const CLOSING: Duration = Duration::from_secs(3);
/// How often a waiting call looks whether the run is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes of an answer that does not hold rows: a description of thousands of segments.
const MAX_ANSWER: usize = 64 << 20;
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The generated client; cheap to clone.
pub type Client = MilvusServiceClient<Channel>;

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long the server may take to answer.
    pub timeout: Duration,
    /// How often a call that could not reach the server is tried again.
    pub retries: usize,
}

impl Patience {
    /// Seconds for an answer, where the task does not say.
    pub const TIMEOUT: u64 = 60;
    /// Further attempts, where the task does not say: about a minute.
    pub const RETRIES: u32 = 8;
}

/// A server that answers.
pub struct Server {
    runtime: Runtime,
    channel: Channel,
    address: Address,
    version: String,
    patience: Patience,
    services: Services,
    /// Whether calls are made though the run is to stop: what it left is being taken away.
    is_closing: AtomicBool,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Connects, and asks the server what it is.
    ///
    /// # Errors
    /// `Config` for an address that is none, `Remote` where nothing answers, `Unsupported` for a
    /// server that is no Milvus 0.10 or 1.x.
    pub fn connect(uri: &str, patience: Patience, services: Services) -> Result<Self> {
        let address = Address::parse(uri)?;
        let endpoint = Endpoint::from_shared(address.http())
            .map_err(|e| address.wrong(&e.to_string()))?
            .connect_timeout(CONNECT)
            // The server takes HTTP/2's own pings for abuse while an index is built.
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .tcp_nodelay(true);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("milvus1-client")
            .enable_all()
            .build()
            .map_err(|e| Error::io("start the client's thread", &e))?;
        let channel = {
            let _inside = runtime.enter();
            endpoint.connect_lazy()
        };
        let mut server = Self {
            runtime,
            channel,
            address,
            version: String::new(),
            patience,
            services,
            is_closing: AtomicBool::new(false),
        };
        server.version = server.ask_version()?;
        Ok(server)
    }

    /// The server's own version, `1.1.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where it is, as `grpc://host:port`.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether reading and deleting by id know partitions: since 1.1. Earlier servers ignore the
    /// tag and take the whole collection.
    pub fn has_partition_reads(&self) -> bool {
        let mut parts = self.version.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 1),
            _ => false,
        }
    }

    fn ask_version(&self) -> Result<String> {
        let command = Command {
            cmd: "version".to_owned(),
        };
        let reply = self.ask("ask for the version", |mut client| {
            let command = command.clone();
            async move { client.cmd(command).await }
        });
        let reply: StringReply = reply.map_err(|e| match e.context_value("grpc") {
            Some("unimplemented") => Error::new(
                ErrorKind::Unsupported,
                "the server does not know the protocol of Milvus 1.x; is it Milvus 2 or later?",
            )
            .with("server", &self.address)
            .help("Milvus 2 needs another plugin, `milvus2`"),
            _ => e,
        })?;
        let version = reply.string_reply.trim().trim_start_matches('v').to_owned();
        let is_known = version
            .split_once('.')
            .is_some_and(|(major, _)| matches!(major, "0" | "1"));
        match is_known {
            true => Ok(version),
            false => Err(Error::new(
                ErrorKind::Unsupported,
                format!("the server says it is Milvus {version:?}, wanted 0.10 or 1.x"),
            )
            .with("server", &self.address)
            .help("Milvus 2 needs another plugin, `milvus2`")),
        }
    }

    /// A call that only looks, or that can be repeated without harm.
    ///
    /// # Errors
    /// `Remote` where the server can't be reached or refuses; see [`Refusal`].
    pub fn ask<T, F>(&self, doing: &str, call: impl Fn(Client) -> F) -> Result<T>
    where
        T: HasStatus,
        F: Future<Output = Result<Response<T>, tonic::Status>>,
    {
        self.retried(doing, || {
            self.once(doing, Some(self.patience.timeout), &call)
        })
    }

    /// As [`ask`](Self::ask), for an answer that may be long: of so many bytes at most.
    ///
    /// # Errors
    /// As there.
    pub fn ask_for<T, F>(
        &self,
        doing: &str,
        most_bytes: u64,
        call: impl Fn(Client) -> F,
    ) -> Result<T>
    where
        T: HasStatus,
        F: Future<Output = Result<Response<T>, tonic::Status>>,
    {
        let most_bytes = usize::try_from(most_bytes).unwrap_or(usize::MAX);
        self.retried(doing, || {
            let long = |client: Client| call(client.max_decoding_message_size(most_bytes));
            self.once(doing, Some(self.patience.timeout), long)
        })
    }

    /// As [`ask`](Self::ask), for a call that takes as long as it takes: a flush, an index.
    ///
    /// # Errors
    /// As there.
    pub fn ask_patiently<T, F>(&self, doing: &str, call: impl Fn(Client) -> F) -> Result<T>
    where
        T: HasStatus,
        F: Future<Output = Result<Response<T>, tonic::Status>>,
    {
        self.retried(doing, || self.once(doing, None, &call))
    }

    /// A call that is tried once only.
    ///
    /// # Errors
    /// As [`ask`](Self::ask); retryable where the server was not reached.
    pub fn once<T, F>(
        &self,
        doing: &str,
        timeout: Option<Duration>,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T>
    where
        T: HasStatus,
        F: Future<Output = Result<Response<T>, tonic::Status>>,
    {
        let client =
            MilvusServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER);
        let reply = self.wait(doing, timeout, call(client))?;
        let reply = reply
            .map(Response::into_inner)
            .map_err(|status| reply::unreached(&self.address, doing, &status))?;
        match reply.refusal() {
            None => Ok(reply),
            Some(refusal) => Err(refusal.error(&self.address, doing)),
        }
    }

    /// Waits for an answer, and looks meanwhile whether the run is to stop.
    fn wait<T>(
        &self,
        doing: &str,
        timeout: Option<Duration>,
        answer: impl Future<Output = T>,
    ) -> Result<T> {
        let is_shown = Cell::new(false);
        let outcome = self.runtime.block_on(async {
            tokio::pin!(answer);
            let started = Instant::now();
            loop {
                if let Ok(answer) = tokio::time::timeout(LOOK, &mut answer).await {
                    return Ok(answer);
                }
                let waited = started.elapsed();
                let is_closing = self.is_closing.load(Ordering::Relaxed);
                let timeout = match (is_closing, self.services.is_cancelled()) {
                    (true, true) => Some(CLOSING),
                    (true, false) => Some(timeout.unwrap_or(self.patience.timeout)),
                    (false, _) => {
                        self.services.check_cancelled()?;
                        timeout
                    }
                };
                match timeout {
                    Some(most) if waited >= most => {
                        let message = format!("{doing}: no answer within {} s", most.as_secs_f32());
                        return Err(Error::new(ErrorKind::Remote, message)
                            .with("server", &self.address)
                            .help(
                                "look at the server; `timeout` in the task says how long to wait",
                            ));
                    }
                    Some(_) => {}
                    None => {
                        self.services.progress(doing, waited.as_secs(), 0);
                        is_shown.set(true);
                    }
                }
            }
        });
        if is_shown.get() {
            self.services.progress(doing, 1, 1);
        }
        outcome
    }

    /// Makes calls that take away what a run left, though it may have been asked to stop: then the
    /// server gets a few seconds for each, before the host gives the run up.
    ///
    /// # Errors
    /// Those of `calls`.
    pub fn closing<T>(&self, calls: impl FnOnce() -> Result<T>) -> Result<T> {
        let was_closing = self.is_closing.swap(true, Ordering::Relaxed);
        let outcome = calls();
        self.is_closing.store(was_closing, Ordering::Relaxed);
        outcome
    }

    /// Waits, unless the run is to stop.
    pub fn pause(&self, length: Duration) {
        pause(&self.services, length);
    }

    /// Tries again, with growing pauses, what failed because the server was not reached; log and
    /// progress tell.
    ///
    /// # Errors
    /// The last failure.
    pub fn retried<T>(&self, doing: &str, attempt: impl FnMut() -> Result<T>) -> Result<T> {
        self.retried_if(doing, attempt, |_| true)
    }

    /// The same, only while `may_be` says so of a failure.
    ///
    /// # Errors
    /// The last failure.
    pub fn retried_if<T>(
        &self,
        doing: &str,
        attempt: impl FnMut() -> Result<T>,
        may_be: impl Fn(&Error) -> bool,
    ) -> Result<T> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(self.patience.retries)
            .with_jitter();
        let attempts = self.patience.retries as u64 + 1;
        let mut failed = 0;
        let doing_again = format!("{doing}: trying again, attempts made");
        let outcome = attempt
            .retry(pauses)
            .sleep({
                let services = self.services.clone();
                move |length| pause(&services, length)
            })
            .when(|e: &Error| e.is_retryable() && may_be(e) && !self.services.is_cancelled())
            .notify(|error, pause| {
                let message = format!(
                    "{doing}: {error}; trying again in {:.1} s",
                    pause.as_secs_f32()
                );
                self.services.log(LogLevel::Warn, &message);
                failed += 1;
                self.services.progress(&doing_again, failed, attempts);
            })
            .call();
        if failed > 0 {
            // Nothing is tried again any more.
            self.services.progress(&doing_again, attempts, attempts);
        }
        outcome
    }
}

/// Sleeps, unless the run is to stop.
fn pause(services: &Services, length: Duration) {
    let until = Instant::now() + length;
    while !services.is_cancelled() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
