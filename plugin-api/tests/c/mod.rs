// SPDX-License-Identifier: Apache-2.0
//! Compiles and runs C programs against the headers, as a plugin's author would.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where the headers are.
pub fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// Whether there is a program of that name.
fn is_there(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// The compilers of this machine for one of the two languages, each with the arguments that
/// choose it. gcc has to be there, clang may.
pub fn compilers(gcc: &'static str, clang: &'static str) -> Vec<&'static str> {
    let mut compilers = vec![gcc];
    if is_there(clang) {
        compilers.push(clang);
    }
    compilers
}

/// The address and undefined-behaviour sanitizers, where the compiler brings them.
pub fn sanitizers(folder: &Path, compiler: &str) -> &'static [&'static str] {
    const ALL: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let source = folder.join("empty.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let built = Command::new(compiler)
        .args(ALL)
        .arg(&source)
        .arg("-o")
        .arg(folder.join("empty"))
        .output();
    match built {
        Ok(output) if output.status.success() => ALL,
        _ => &[],
    }
}

/// Compiles a file, warnings being errors; panics with what the compiler says.
pub fn compile(compiler: &str, arguments: &[&str], source: &Path, program: &Path) {
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"])
        .args(arguments)
        .arg("-I")
        .arg(include())
        .arg(source)
        .arg("-o")
        .arg(program)
        .output()
        .unwrap_or_else(|e| panic!("{compiler} (tests/setup.sh build installs it): {e}"));
    assert!(
        output.status.success(),
        "{compiler} {arguments:?} {}:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs a program that must succeed, and gives what it printed.
pub fn run(program: &Path, input: Vec<u8>) -> String {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Beside the reading: neither pipe may fill up. A program that stops early says why itself.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(
        status.success(),
        "{}: {status}\n{}",
        program.display(),
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout).expect("UTF-8")
}
