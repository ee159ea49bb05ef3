// SPDX-License-Identifier: Apache-2.0
//! Files in the making: published, removed, or kept for their run.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_is_left_of_what_was_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a/b/c.h5");
    let folders = Arc::default();
    let partial = Partial::create(&folders, &target, "").unwrap();
    assert!(
        partial
            .path()
            .unwrap()
            .starts_with(folder.path().join("a/b"))
    );
    assert!(is_partial(partial.path().unwrap()));
    let other = Partial::create(&folders, &folder.path().join("a/d.h5"), "").unwrap();
    drop(partial);
    assert_eq!(
        names(&folder.path().join("a")).len(),
        1,
        "`b` is gone, the other is not"
    );
    drop(other);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn folders_that_were_there_before_stay() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    drop(Partial::create(&Arc::default(), &folder.path().join("a/b/c.h5"), "").unwrap());
    assert_eq!(names(folder.path()), ["a"]);
    assert_eq!(names(&folder.path().join("a")), [""; 0]);
}

#[test]
fn a_published_file_has_its_name_and_usual_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("a/c.h5");
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    partial.publish(false).unwrap();
    assert_eq!(names(&folder.path().join("a")), ["c.h5"]);
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&target), mode(&plain));
}

#[test]
fn a_file_that_appeared_is_replaced_only_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("c.h5");
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    fs::write(&target, "theirs").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        partial.publish(false).unwrap_err().kind(),
        ErrorKind::Exists
    );
    drop(partial);
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
    assert_eq!(names(folder.path()), ["c.h5"]);
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    partial.publish(true).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"");
    let mode = fs::metadata(&target).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

fn taken_away(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Exists, "{error}");
    assert!(error.message().contains("took this file away"), "{error}");
}

/// Rows would go to a file without a name, and the one that the library made be published.
#[test]
fn a_file_that_another_run_takes_away_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("c.h5");
    let partial = Partial::create(&Arc::default(), &target, "").unwrap();
    let take = |path: &Path| fs::remove_file(path).unwrap();
    let made = partial.hand_over(|path| {
        take(path);
        fs::write(path, "anew").unwrap();
        Ok(())
    });
    taken_away(&made.unwrap_err());
    drop(partial);
    assert_eq!(names(folder.path()), [""; 0]);
    for is_made_anew in [false, true] {
        let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
        partial.hand_over(|_| Ok(())).unwrap();
        take(partial.path().unwrap());
        if is_made_anew {
            fs::write(partial.path().unwrap(), "anew").unwrap();
        }
        taken_away(&partial.take_back().unwrap_err());
        taken_away(&partial.publish(false).unwrap_err());
        drop(partial);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn what_was_published_stays_though_its_folder_can_not_be_synced() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("c.h5");
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    // Its kind can't be made durable.
    let handle = File::open("/dev/null").unwrap();
    partial.unsynced.push(Folder {
        path: "/no".into(),
        handle,
    });
    let error = partial.publish(false).unwrap().unwrap();
    assert!(error.to_string().contains("folder: /no"), "{error}");
    assert_eq!(names(folder.path()), ["c.h5"]);
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    assert!(partial.publish(true).unwrap().is_none());
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_live_one_writes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("c.h5");
    let left = folder.path().join(".c.h5.abcd1234.partial");
    let other = folder.path().join(".c.h5.x.h5.abcd1234.partial");
    fs::write(&left, "half").unwrap();
    fs::write(&other, "half").unwrap();
    let live = Partial::create(&Arc::default(), &target, "").unwrap();
    assert!(!left.exists());
    assert!(other.exists(), "another target's");
    let error = Partial::create(&Arc::default(), &target, "").unwrap_err();
    assert!(error.to_string().contains("another run"), "{error}");
    assert!(live.path().unwrap().exists());
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn a_run_takes_up_again_what_it_left_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("c.h5");
    let mut partial = Partial::create(&Arc::default(), &target, "abcd1234").unwrap();
    assert_eq!(partial.path().unwrap(), place(&target, "abcd1234"));
    partial.keep(true);
    drop(partial);
    fs::write(place(&target, "abcd1234"), "rows").unwrap();
    let other = Partial::reopen(&Arc::default(), &target, "efgh5678").unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NotFound);
    drop(Partial::reopen(&Arc::default(), &target, "abcd1234").unwrap());
    let mut partial = Partial::reopen(&Arc::default(), &target, "abcd1234").unwrap();
    partial.publish(false).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"rows");
    let mut partial = Partial::create(&Arc::default(), &target, "abcd1234").unwrap();
    partial.keep(true);
    drop(partial);
    let mut partial = Partial::create(&Arc::default(), &target, "abcd1234").unwrap();
    partial.keep(false);
    drop(partial);
    assert_eq!(names(folder.path()), ["c.h5"]);
}

#[test]
fn a_long_name_fits_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join(format!("{}.h5", "x".repeat(250)));
    let mut partial = Partial::create(&Arc::default(), &target, "").unwrap();
    partial.publish(false).unwrap();
    assert!(target.exists());
}
