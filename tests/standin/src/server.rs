// SPDX-License-Identifier: Apache-2.0
//! Runs a stand-in on a thread and a runtime of its own, so that tests without a runtime, and
//! those that block theirs, can have one.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::transport::Server;

use crate::contents::CollectionContents;
use crate::engine::Engine;
use crate::faults::{Fault, Faults};
use crate::gate::{Gate, Shared};
use crate::line::Incoming;
use crate::options::StandinOptions;

/// How often it is looked whether segments are to be merged.
const MERGE_CHECK: Duration = Duration::from_millis(10);

/// Exit code of a program that was killed by SIGKILL, as shells tell it.
const KILLED: i32 = 137;

/// A running server. It ends when dropped.
pub struct Standin {
    port: u16,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Starts a server; it listens when this returns.
    ///
    /// # Errors
    ///
    /// Where the port is taken, or the state in the folder can't be read.
    pub fn start(options: StandinOptions) -> io::Result<Standin> {
        let engine = Engine::open(options.rules(), options.folder.as_deref())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = watch::channel(false);
        let die: Box<dyn Fn() + Send + Sync> = if options.dies_with_process {
            Box::new(|| std::process::exit(KILLED))
        } else {
            let stop = stop.clone();
            Box::new(move || {
                stop.send_replace(true);
            })
        };
        let traits = (options.discards, options.is_before_1_1());
        let shared = Shared::new(engine, Faults::new(options.faults), traits, die);
        let shared = Arc::new(shared);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("standin")
            .enable_all()
            .build()?;
        let auto_flush = options.auto_flush;
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            serve(&runtime, serving, listener, auto_flush, stopped);
            // Ends tasks at their next await, and with them all connections.
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        Ok(Standin {
            port,
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens, as `grpc://127.0.0.1:PORT`.
    pub fn uri(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.port)
    }

    /// Ends it as a kill would: connections are cut, nothing is flushed.
    pub fn stop(mut self) {
        self.end();
    }

    /// Waits until it has ended, which it does only by a fault.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Makes a trouble from now on.
    pub fn fail(&self, fault: Fault) {
        self.shared.faults().add(fault);
    }

    /// Makes no trouble any more.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// A copy of all that it holds, in the order of creation.
    pub fn contents(&self) -> Vec<CollectionContents> {
        self.shared.engine().catalog.contents()
    }

    /// A copy of one collection.
    pub fn collection(&self, name: &str) -> Option<CollectionContents> {
        self.contents().into_iter().find(|c| c.name == name)
    }

    /// Joins the segments of a collection under new names now.
    ///
    /// # Errors
    ///
    /// Where the journal can't be written.
    pub fn merge(&self, collection: &str) -> io::Result<()> {
        self.shared.engine().merge(vec![collection.to_owned()])
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(
    runtime: &Runtime,
    shared: Arc<Shared>,
    listener: TcpListener,
    auto_flush: Option<Duration>,
    mut stopped: watch::Receiver<bool>,
) {
    runtime.block_on(async {
        // Only a closed listener is an error here, and then nobody can connect, which tests see.
        let Ok(incoming) = Incoming::new(listener) else {
            return;
        };
        let server = Server::builder()
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .add_service(Gate(shared.clone()))
            .serve_with_incoming(incoming);
        tokio::select! {
            _ = server => {}
            _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
            () = flush_often(&shared, auto_flush) => {}
            () = merge_in_time(&shared) => {}
        }
    });
}

/// What a client may send before it is read: it must never wait for the server to take note.
const WINDOW_BYTES: u32 = 16 << 20;

/// Large frames, so that little is spent on each.
const FRAME_BYTES: u32 = 1 << 20;

async fn flush_often(shared: &Shared, every: Option<Duration>) {
    let Some(every) = every else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(every).await;
        if shared.engine().flush_dirty().is_err() {
            // The journal can't be written: calls say it, and tell more.
            return std::future::pending().await;
        }
    }
}

async fn merge_in_time(shared: &Shared) {
    loop {
        tokio::time::sleep(MERGE_CHECK).await;
        if merge_due(shared).is_err() {
            return std::future::pending().await;
        }
    }
}

fn merge_due(shared: &Shared) -> io::Result<()> {
    let mut engine = shared.engine();
    let names = engine.catalog.to_merge();
    engine.merge(names)
}
