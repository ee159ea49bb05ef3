// SPDX-License-Identifier: Apache-2.0
//! The real client of Milvus 1.1, as its users have it, finds what it expects of a server.

mod common;

use std::path::Path;
use std::process::Command;

use common::quiet;
use milvusdm_standin::Standin;

#[test]
fn the_real_client_finds_a_server_that_it_knows() {
    let python = std::env::var("MILVUSDM_TEST_PYTHON").expect(
        "MILVUSDM_TEST_PYTHON must name a Python with pymilvus 1.1.2; `make test` sets it up",
    );
    let standin = Standin::start(quiet()).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python/drive_milvus1.py");
    let output = Command::new(&python)
        .arg(program)
        .arg(standin.port().to_string())
        .output()
        .unwrap_or_else(|e| panic!("{python} (MILVUSDM_TEST_PYTHON): {e}"));
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(said.trim(), "done", "{errors}");
    assert_eq!(standin.contents(), []);
}
