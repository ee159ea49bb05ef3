// SPDX-License-Identifier: Apache-2.0
//! Mounts for one run alone: file systems that are small or only to be read.

use super::{Outcome, Space, is_root, milvusdm};

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
    let script = format!("set -eu\n{script}");
    milvusdm(space, &[])
        .under(&["unshare", flags, "sh", "-c", &script])
        .run()
}
