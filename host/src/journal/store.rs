// SPDX-License-Identifier: Apache-2.0
//! The journal's file: a SQLite database that one process at a time has open.
//!
//! Marks are committed without waiting for the disk: they outlive the process, and after a power
//! cut the last of them may be missing, which only means that rows are moved again. What is made
//! at a target is on the disk before it is made.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::database::{VERSION, connect, connect_to_look, is_there, make};
use super::errors::{damaged, failed, io};
use super::lock;
use super::record::{Mark, RunRecord, Stage};

/// What a log of SQLite begins with, by the order of bytes of its checksums
/// (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).
const LOG_MAGIC: [u32; 2] = [0x377f_0682, 0x377f_0683];
const FORGET: &str = "DELETE FROM run; DELETE FROM target; DELETE FROM split;";
const SET_STAGE: &str = "INSERT OR REPLACE INTO target (position, stage) VALUES (?1, ?2)";

/// An open journal.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    // Last, so that it is given back when the database is closed.
    _lock: Option<File>,
}

impl Store {
    /// Opens the journal at `path`, or makes it.
    ///
    /// # Errors
    /// `Exists` while another process has it open, `Format` if it is damaged, `Unsupported` if a
    /// later version wrote it; `Denied`, `Io`.
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| io(path, "make the journal's folder", &e))?;
        }
        let own = lock::lock(path)?.ok_or_else(|| {
            Error::new(ErrorKind::Exists, "another process is running this task")
                .with("journal", path.display())
                .help("wait until it is done; a process that is gone keeps nobody out")
        })?;
        if !is_there(path)? {
            make(path)?;
        }
        let has_log = has_log(path);
        let store = Self {
            connection: connect(path)?,
            path: path.to_owned(),
            _lock: Some(own),
        };
        store.check_version()?;
        store.expect_log(has_log)?;
        Ok(store)
    }

    /// What a journal holds now, and whether a process has it open.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for `Exists`.
    pub fn look(path: &Path) -> Result<(Option<(RunRecord, String)>, bool)> {
        let (is_running, looking) = lock::look(path)?;
        if !is_there(path)? {
            return Ok((None, is_running));
        }
        let has_log = has_log(path);
        let store = Self {
            connection: connect_to_look(path)?,
            path: path.to_owned(),
            _lock: looking,
        };
        store.check_version()?;
        store.expect_log(is_running || has_log)?;
        Ok((store.load()?, is_running))
    }

    /// Takes the journal away, and its lock.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn end(self) -> Result<()> {
        let Self {
            connection,
            path,
            _lock,
        } = self;
        // Nothing of it is wanted any more, so that nothing has to be brought to the disk. Without
        // this it takes longer, and no more.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        drop(connection);
        Self::remove(&path)?;
        lock::remove(&path)
    }

    /// Removes a journal with all that belongs to it.
    ///
    /// # Errors
    /// `Denied`, `Io`.
    pub fn remove(path: &Path) -> Result<()> {
        for ending in ["", "-wal", "-shm"] {
            let mut file = path.as_os_str().to_owned();
            file.push(ending);
            match fs::remove_file(&file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io(path, "remove the journal", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Refuses a journal whose log is lost: it holds a run that was begun, and does not say how far it
    /// came. What a run holds stands in the file itself, what it does from then on in the log; that goes
    /// when a run ends, and then either something was done, or nothing is held.
    fn expect_log(&self, is_there: bool) -> Result<()> {
        match self.load()? {
            Some((run, _)) if run.says_nothing() && !is_there => Err(damaged(
                &self.path,
                "its log is gone, and with it how far the run came",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses tables of another version.
    fn check_version(&self) -> Result<()> {
        let version: i64 = self
            .connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|e| self.failed("read", &e))?;
        match version {
            VERSION => Ok(()),
            0 => Err(damaged(&self.path, "a database that is no journal")),
            found => Err(Error::new(
                ErrorKind::Unsupported,
                format!("the journal is of version {found}, this program knows {VERSION}"),
            )
            .with("journal", self.path.display())
            .help("use the program that wrote it, or take the file away and begin anew")),
        }
    }

    fn failed(&self, doing: &str, error: &rusqlite::Error) -> Error {
        failed(&self.path, doing, error)
    }

    /// The run that it holds, and the boot of the machine under which its marks were made.
    ///
    /// # Errors
    /// `Format` if it is damaged, `Io`.
    pub fn load(&self) -> Result<Option<(RunRecord, String)>> {
        let found = self
            .connection
            .query_row("SELECT plan, boot, is_reported FROM run", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()
            .map_err(|e| self.failed("read", &e))?;
        let Some((plan, boot, is_reported)) = found else {
            return Ok(None);
        };
        let mut run: RunRecord = self.parse(&plan)?;
        run.is_reported = is_reported;
        self.each(
            "SELECT position, 0, stage, '' FROM target",
            |at, stage, _| {
                if let Some(target) = run.targets.get_mut(at.0) {
                    target.stage = self.parse::<Stage>(stage)?;
                }
                Ok(())
            },
        )?;
        let marks = "SELECT target, position, acknowledged, durable FROM split";
        self.each(marks, |at, acknowledged, durable| {
            let target = run.targets.get_mut(at.0);
            if let Some(split) = target.and_then(|target| target.splits.get_mut(at.1)) {
                split.acknowledged = self.parse(acknowledged)?;
                split.durable = self.parse(durable)?;
            }
            Ok(())
        })?;
        Ok(Some((run, boot)))
    }

    fn each(
        &self,
        query: &str,
        mut take: impl FnMut((usize, usize), &str, &str) -> Result<()>,
    ) -> Result<()> {
        let failed = |e| self.failed("read", &e);
        let mut statement = self.connection.prepare(query).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let read = || -> rusqlite::Result<_> {
                let at = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
                Ok((at, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
            };
            let (at, first, second) = read().map_err(failed)?;
            let at = (usize::try_from(at.0), usize::try_from(at.1));
            let (Ok(target), Ok(split)) = at else {
                return Err(damaged(&self.path, "a negative position"));
            };
            take((target, split), &first, &second)?;
        }
        Ok(())
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|e| damaged(&self.path, &e.to_string()))
    }

    /// Holds this run and how far it came instead of whatever it held, from now on under this
    /// boot of the machine. It is on the disk with the next durable [`stage`](Self::stage): before
    /// that, what it held is as good.
    ///
    /// # Errors
    /// `Io`.
    pub fn replace(&mut self, run: &RunRecord, boot: &str) -> Result<()> {
        let plan = json(run)?;
        let mut stages = Vec::with_capacity(run.targets.len());
        let mut marks = Vec::new();
        for (at, target) in run.targets.iter().enumerate() {
            stages.push((at as i64, json(&target.stage)?));
            for (position, split) in target.splits.iter().enumerate() {
                let (acknowledged, durable) = (&split.acknowledged, &split.durable);
                if *acknowledged != Mark::default() {
                    let position = (at as i64, position as i64);
                    marks.push((position, json(acknowledged)?, json(durable)?));
                }
            }
        }
        self.change("write to", false, |change| {
            change.execute_batch(FORGET)?;
            let sql = "INSERT INTO run VALUES (1, ?1, ?2, FALSE)";
            change.execute(sql, params![plan, boot])?;
            for (at, stage) in &stages {
                change.prepare(SET_STAGE)?.execute(params![at, stage])?;
            }
            let sql = "INSERT INTO split VALUES (?1, ?2, ?3, ?4)";
            let mut statement = change.prepare(sql)?;
            for ((target, split), acknowledged, durable) in &marks {
                statement.execute(params![target, split, acknowledged, durable])?;
            }
            Ok(())
        })?;
        if !run.says_nothing() {
            // It is in the file itself already, and waiting for the disk may take long now.
            return Ok(());
        }
        // Whoever finds the file without its log has to know that a run was begun.
        let moved = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        moved.map_err(|e| self.failed("write to", &e))
    }

    /// Forgets everything: there is nothing to go on with.
    ///
    /// # Errors
    /// `Io`.
    pub fn clear(&mut self) -> Result<()> {
        self.change("clear", true, |change| change.execute_batch(FORGET))
    }

    /// Notes that the run's report was handed out; on the disk when the journal is closed.
    ///
    /// # Errors
    /// `Io`.
    pub fn reported(&mut self) -> Result<()> {
        self.change("write to", false, |change| {
            change.execute_batch("UPDATE run SET is_reported = TRUE")
        })
    }

    /// Notes how far a target came; `is_durable` if that must survive a power cut.
    ///
    /// # Errors
    /// `Io`.
    pub fn stage(&mut self, target: usize, stage: &Stage, is_durable: bool) -> Result<()> {
        let stage = json(stage)?;
        self.change("write to", is_durable, |change| {
            change.execute(SET_STAGE, params![target as i64, stage])?;
            Ok(())
        })
    }

    /// Notes how far splits of a target came.
    ///
    /// # Errors
    /// `Io`.
    pub fn marks(
        &mut self,
        target: usize,
        marks: &[(usize, Mark)],
        is_durable: bool,
    ) -> Result<()> {
        let marks: Result<Vec<(usize, String)>> = marks
            .iter()
            .map(|(split, mark)| Ok((*split, json(mark)?)))
            .collect();
        let marks = marks?;
        let unknown = json(&Mark::default())?;
        let sql = match is_durable {
            true => {
                "INSERT INTO split VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO UPDATE SET durable = ?3"
            }
            false => {
                "INSERT INTO split VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET acknowledged = ?3"
            }
        };
        self.change("write to", is_durable, |change| {
            let mut statement = change.prepare(sql)?;
            for (split, mark) in &marks {
                let at = (target as i64, *split as i64);
                match is_durable {
                    true => statement.execute(params![at.0, at.1, mark])?,
                    false => statement.execute(params![at.0, at.1, mark, unknown])?,
                };
            }
            Ok(())
        })
    }

    fn change(
        &mut self,
        doing: &str,
        is_synced: bool,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let synchronous = if is_synced { "FULL" } else { "NORMAL" };
        let run = |connection: &mut Connection| {
            connection.pragma_update(None, "synchronous", synchronous)?;
            let transaction = connection.transaction()?;
            change(&transaction)?;
            transaction.commit()
        };
        let outcome = run(&mut self.connection);
        outcome.map_err(|e| failed(&self.path, doing, &e))
    }
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| Error::new(ErrorKind::Internal, "write to the journal").caused_by(e))
}

/// Whether there is a log. Its first frames may be half-written: it is begun anew once all of it is
/// in the file.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let mut magic = [0; 4];
    let read = File::open(log).and_then(|mut log| log.read_exact(&mut magic));
    read.is_ok() && LOG_MAGIC.contains(&u32::from_be_bytes(magic))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
