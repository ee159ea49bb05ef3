// SPDX-License-Identifier: Apache-2.0
//! Mounts for one run alone: file systems that are small or only to be read.

use super::{Outcome, Space, is_root, milvusdm};

/// For scripts: runs a command until `known` says that something stands in `small`, fills that
/// file system up, lets the command go on, and makes room again; `code` is its exit code.
const FILL: &str = r#"
exec 3>&2
fill_under() {
    "$@" & pid=$!
    n=0
    until known; do
        n=$((n + 1)); [ $n -lt 6000 ] || { echo "it writes nothing" >&3; exit 78; }
        sleep 0.005
    done
    kill -STOP $pid
    state=
    until [ "$state" = T ]; do
        state=$(sed -n 's/^State:.\(.\).*/\1/p' /proc/$pid/status) || true
        case "$state" in ''|Z|X) echo "it was faster" >&3; exit 78;; esac
    done
    head -c 1G /dev/zero >small/filler 2>/dev/null || true
    kill -CONT $pid
    code=0; wait $pid || code=$?
    rm small/filler
}
"#;

/// Runs `script` with mounts of its own; `$0` is milvusdm.
#[track_caller]
pub fn in_mount_namespace(space: &Space, script: &str) -> Outcome {
    let flags = if is_root() { "-m" } else { "-Urm" };
    let probe = std::process::Command::new("unshare")
        .args([flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output()
        .expect("unshare, of util-linux, is installed");
    assert!(
        probe.status.success(),
        "mounting in a namespace of our own is not allowed here, so read-only and full disks can't be \
         tested; run the tests as root or allow user namespaces: {}",
        String::from_utf8_lossy(&probe.stderr)
    );
    let script = format!("set -eu\n{FILL}{script}");
    milvusdm(space, &[])
        .under(&["unshare", flags, "sh", "-c", &script])
        .run()
}
