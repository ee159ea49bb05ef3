// SPDX-License-Identifier: Apache-2.0
//! Which log files are kept, and that no line lets a secret through.

use super::*;

fn settings(base: &Path, kept: Option<&str>) -> Settings {
    Settings {
        base: Some(base.to_owned()),
        kept: kept.map(str::to_owned),
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn keeps_that_many_files_and_never_loses_the_one_of_today() {
    let base = tempfile::tempdir().unwrap();
    let logs = base.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    let others = [
        "notes.txt",
        "milvusdm.2001-01-01.txt",
        "milvusdm.of-today.log",
        "milvusdm-acme.2001-01-01.log",
    ];
    for name in ["milvusdm.2001-01-01.log", "milvusdm.2001-01-02.log"]
        .iter()
        .chain(&others)
    {
        std::fs::write(logs.join(name), "old").unwrap();
    }
    let mut warnings = Vec::new();
    for kept in [None, Some("0"), Some("2"), Some("1"), Some("1")] {
        let mut file = open(&settings(base.path(), kept), "milvusdm", &mut warnings).unwrap();
        file.write_all(b"run\n").unwrap();
        let expected = match kept {
            Some("2") => 2,
            Some("1") => 1,
            _ => 3,
        };
        let found = files(&logs);
        assert_eq!(found.len(), expected + others.len(), "{kept:?}: {found:?}");
    }
    let today = files(&logs)
        .into_iter()
        .find(|name| !others.contains(&name.as_str()))
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(logs.join(today)).unwrap(),
        "run\n".repeat(5)
    );
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn a_folder_that_can_not_be_made_is_named_with_the_reason() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("file");
    std::fs::write(&file, "").unwrap();
    let why = open(&settings(&file, None), "milvusdm", &mut Vec::new()).unwrap_err();
    assert!(
        why.contains("file/logs") && why.contains("Not a directory"),
        "{why}"
    );
}

#[test]
fn a_number_of_files_that_is_none_keeps_all_and_says_so() {
    let base = tempfile::tempdir().unwrap();
    let mut warnings = Vec::new();
    open(
        &settings(base.path(), Some("many")),
        "milvusdm",
        &mut warnings,
    )
    .unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].contains("`many`"),
        "{warnings:?}"
    );
}

#[test]
fn secrets_are_masked_in_every_field_of_a_line() {
    #[derive(Clone, Default)]
    struct Sink(Arc<std::sync::Mutex<Vec<u8>>>);
    impl Write for &Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl<'a> MakeWriter<'a> for Sink {
        type Writer = &'a Self;
        fn make_writer(&'a self) -> Self::Writer {
            self
        }
    }

    let control = Control::new();
    control.add_secret("hunter2");
    control.add_secret("quo\"te");
    let sink = Sink::default();
    for is_json in [false, true] {
        let writer = MaskedFile {
            appender: sink.clone(),
            control: Arc::clone(&control),
        };
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(writer);
        let layer = if is_json {
            layer.json().boxed()
        } else {
            layer.boxed()
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(uri = "http://u:hunter2@h", key = ?"quo\"te", "With hunter2.");
        });
    }
    let written = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written.matches("***").count(), 6, "{written}");
    assert!(
        !written.contains("hunter2") && !written.contains("te\""),
        "{written}"
    );
}
