// SPDX-License-Identifier: Apache-2.0
//! A MariaDB server of a test's own, for metadata that Milvus 1.x keeps in one. `make setup`
//! installs the programs.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Space, is_root, text};

/// A running server; it ends with this.
pub struct MariaDb {
    process: Child,
    port: u16,
    socket: PathBuf,
}

/// A program of the server, which may stand where only root's `PATH` leads.
fn program(name: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.arg("--no-defaults");
    command.env("PATH", format!("{path}:/usr/sbin"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl MariaDb {
    /// Starts one whose data are in the space.
    #[track_caller]
    pub fn start(space: &Space) -> Self {
        let data = format!("--datadir={}", text(space.path("mariadb")));
        let as_root = is_root().then_some("--user=root");
        let made = program("mariadb-install-db")
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(&data)
            .args(as_root)
            .status()
            .expect("`mariadb-install-db` is there: `make setup` installs it");
        assert!(made.success(), "mariadb-install-db failed");
        // The listener is gone when the server wants the port.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let socket = space.path("socket");
        let process = program("mariadbd")
            .args(["--bind-address=127.0.0.1", "--skip-log-bin", &data])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", text(&socket)))
            .arg(format!("--pid-file={}", text(space.path("pid"))))
            .arg("--innodb-buffer-pool-size=16M")
            .args(as_root)
            .spawn()
            .expect("`mariadbd` starts");
        let server = Self {
            process,
            port,
            socket,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.takes("SELECT 1") {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Runs statements as the user who may do all; gives whether that went well.
    pub fn takes(&self, statements: &str) -> bool {
        let mut client = program("mariadb")
            .arg("--user=root")
            .arg(format!("--socket={}", text(&self.socket)))
            .stdin(Stdio::piped())
            .spawn()
            .expect("`mariadb` starts");
        // A client that found no server has gone already.
        let mut input = client.stdin.take().expect("its input");
        let _ = input.write_all(statements.as_bytes());
        drop(input);
        client.wait().expect("a child").success()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
