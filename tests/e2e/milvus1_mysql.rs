// SPDX-License-Identifier: Apache-2.0
//! A data directory whose metadata are in MariaDB; the password of that server is shown nowhere.

use milvusdm_standin::{Standin, StandinOptions};
use serde_json::json;

use crate::support::mariadb::MariaDb;
use crate::support::milvus1::{Golden, state_of, stored};
use crate::support::{Space, milvusdm, text};

const GOLDEN: Golden = Golden {
    name: "mysql",
    part: "collections",
    deleted: 2,
};
const PASSWORD: &str = "s3cret-of-ours";

#[test]
fn a_directory_whose_metadata_are_in_mariadb_arrives_and_its_password_is_shown_nowhere() {
    let space = Space::new();
    let database = MariaDb::start(&space);
    let dump = std::fs::read_to_string(GOLDEN.path().join("meta.sql")).expect("a dump");
    assert!(database.takes(&format!(
        "CREATE DATABASE milvus CHARACTER SET utf8mb4; USE milvus;\n{dump};\n\
         CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON milvus.* TO reader@'%';"
    )));
    let server = Standin::start(StandinOptions::default()).expect("a server");
    let metadata = format!(
        "mysql://reader:${{PASSWORD}}@127.0.0.1:{}/milvus",
        database.port()
    );
    let task = json!({
        "source": {"plugin": "milvus1", "path": text(GOLDEN.path()), "metadata": metadata},
        "sink": {"plugin": "milvus1", "uri": server.uri()},
    });
    let task = text(space.write("task.yaml", task.to_string()));
    let before = state_of(&GOLDEN.path());
    let args = ["run", &task, "--json", "-v"];
    let run = |password: &str| milvusdm(&space, &args).env("PASSWORD", password).run();
    let wrong = run("wr0ng-one").exits(4);
    assert!(!format!("{}{}", wrong.stdout, wrong.stderr).contains("wr0ng"));
    assert_eq!(server.contents(), []);
    let outcome = run(PASSWORD).exits(0);
    let ledger = &outcome.json()["ledger"];
    let (written, deleted) = (GOLDEN.count(), GOLDEN.deleted);
    assert_eq!(ledger["written"], written, "{outcome}");
    assert_eq!(ledger["deleted"], deleted, "{outcome}");
    assert_eq!(ledger["found"], written + deleted, "{outcome}");
    assert_eq!(stored(&server), GOLDEN.rows());
    assert!(before == state_of(&GOLDEN.path()));
    for name in space
        .list("home")
        .iter()
        .filter(|name| !name.ends_with('/'))
    {
        // Logs, and the journal.
        let log = std::fs::read(space.path("home").join(name)).expect("a file");
        let log = String::from_utf8_lossy(&log);
        assert!(!log.contains(PASSWORD) && !log.contains("wr0ng"), "{name}");
    }
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(PASSWORD));
}
