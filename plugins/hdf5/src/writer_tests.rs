// SPDX-License-Identifier: Apache-2.0
//! What stands beside a target, and in its place, until it is finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{FixedSizeBinaryArray, RecordBatch};
use milvusdm_plugin_api::model::{BitOrder, SchemaBuilder, VectorType};
use milvusdm_plugin_api::{HostCalls, TargetSpec};

use super::*;

/// Begins another run on the same target whenever this one asks whether to stop.
struct OtherRun {
    target: PathBuf,
    began: Mutex<Vec<bool>>,
}

impl HostCalls for OtherRun {
    fn log(&self, _: LogLevel, message: &str) {
        panic!("{message}");
    }
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn is_cancelled(&self) -> bool {
        let other = Partial::create(&Arc::default(), &self.target, "");
        self.began.lock().unwrap().push(other.is_ok());
        false
    }
    fn mask_secret(&self, _: &str) {}
}

/// A writer of `a.h5` in that folder to which three rows were written.
fn written(folder: &Path, rows: Option<u64>, run: &str, host: Arc<dyn HostCalls>) -> Hdf5Writer {
    let vector = VectorType::binary(8, BitOrder::Msb);
    let schema = SchemaBuilder::new().vector("v", &vector).unwrap();
    let schema = schema.finish().unwrap();
    let options = SinkOptions::at("a.h5");
    let path = folder.join("a.h5");
    let target = NewTarget {
        plan: FilePlan::of(&schema, &TargetSpec::default(), &options).unwrap(),
        options,
        path: path.clone(),
        mode: Mode::Fail,
        rows,
        resumed: None,
        is_kept: !run.is_empty(),
    };
    let partial = Partial::create(&Arc::default(), &path, run).unwrap();
    let writer = Hdf5Writer::create(target, None, partial, Services::new(host)).unwrap();
    let bytes = FixedSizeBinaryArray::new(1, vec![1u8, 2, 3].into(), None);
    let batch = RecordBatch::try_new(schema, vec![Arc::new(bytes)]).unwrap();
    writer.write(WriteAt { split: 0, row: 0 }, batch).unwrap();
    writer
}

#[test]
fn no_other_run_takes_the_file_from_its_making_to_its_place() {
    for rows in [Some(3), None] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let other = Arc::new(OtherRun {
            target: path.clone(),
            began: Mutex::default(),
        });
        let writer = written(folder.path(), rows, "", other.clone());
        assert_eq!(writer.finish().unwrap().rows_total, Some(3));
        // Writing, finishing, and just before the file is put in its place.
        assert_eq!(*other.began.lock().unwrap(), [false; 3]);
        assert!(path.exists());
    }
}

/// Asks to stop from that question on.
struct Stop(AtomicUsize);

impl HostCalls for Stop {
    fn log(&self, _: LogLevel, message: &str) {
        panic!("{message}");
    }
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn is_cancelled(&self) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_err()
    }
    fn mask_secret(&self, _: &str) {}
}

/// What is in the folder when a writer was stopped at its end, and dropped or aborted.
fn left(run: &str, questions: usize, is_aborted: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let stop = Arc::new(Stop(AtomicUsize::new(questions)));
    let writer = written(folder.path(), Some(3), run, stop);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Cancelled);
    if is_aborted {
        writer.abort().unwrap();
    }
    drop(writer);
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn what_could_not_be_finished_stays_for_the_run_and_goes_when_it_is_taken_back() {
    // The first question is that of writing.
    for questions in [1, 2] {
        assert_eq!(
            left("Run00001", questions, false),
            [".a.h5.Run00001.partial"]
        );
        assert_eq!(left("Run00001", questions, true), [""; 0]);
        assert_eq!(left("", questions, false), [""; 0]);
    }
}
