// SPDX-License-Identifier: Apache-2.0
//! Holds `milvus1.proto` against the contract inside the real client: each name, number, label and
//! type in it is there too. The transcript alone leaves out fields that no recorded call has.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// Lines of the same form as `tests/python/describe_milvus1.py` prints.
fn own_contract() -> Vec<String> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let files = protox::compile(["milvus1.proto"], [folder]).expect("the contract");
    let mut lines = Vec::new();
    for file in &files.file {
        for of in &file.enum_type {
            let values = of.value.iter();
            lines.extend(values.map(|v| format!("enum {} {} {}", of.name(), v.name(), v.number())));
        }
        for of in &file.message_type {
            lines.extend(of.field.iter().map(|field| {
                let kind = match field.type_name() {
                    "" => "-",
                    name => name,
                };
                let (label, scalar) = (field.label() as i32, field.r#type() as i32);
                let (name, number) = (field.name(), field.number());
                let message = of.name();
                format!("message {message} {name} {number} {label} {scalar} {kind}")
            }));
        }
        for call in file.service.iter().flat_map(|service| &service.method) {
            let (name, input, output) = (call.name(), call.input_type(), call.output_type());
            lines.push(format!("call {name} {input} {output}"));
        }
    }
    lines
}

#[test]
fn each_part_of_the_contract_is_in_the_real_clients_too() {
    let python = std::env::var("MILVUSDM_TEST_PYTHON").expect(
        "MILVUSDM_TEST_PYTHON must name a Python with pymilvus 1.1.2; `make test` sets it up",
    );
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/describe_milvus1.py");
    let output = Command::new(&python).arg(program).output();
    let output = output.unwrap_or_else(|e| panic!("{python} (MILVUSDM_TEST_PYTHON): {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let theirs = String::from_utf8(output.stdout).expect("text");
    let theirs: HashSet<&str> = theirs.lines().collect();
    let own = own_contract();
    assert!(own.len() > 100, "{own:?}");
    let other: Vec<&String> = own
        .iter()
        .filter(|l| !theirs.contains(l.as_str()))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
}
