// SPDX-License-Identifier: Apache-2.0
//! Going on with a run that was stopped: its rows are the first ones of the plan, and how many
//! there are is the server's count less the rows that were there before.
//!
//! That holds as long as nobody else writes. The ids on both sides of the place are looked up, so
//! that another writer's rows are not taken for the run's own.

use milvusdm_plugin_api::{Error, ErrorKind, Mode, Result, Resumed};

use super::wanted::Wanted;
use crate::server::{CollectionInfo, Server};

/// What is there of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Adopted {
    /// Rows that were there before the run.
    pub rows_before: u64,
    /// Rows of the run.
    pub rows: u64,
}

impl Adopted {
    /// What an earlier process left in the target; `None` if nothing of the run can be there.
    ///
    /// `now` counts every row: the collection was flushed.
    ///
    /// # Errors
    /// `Exists` where rows are gone that were there before the run.
    pub fn find(target: &Wanted, now: Option<&CollectionInfo>) -> Result<Option<Self>> {
        let Some(resumed) = target
            .resumed
            .as_ref()
            .filter(|resumed| !resumed.is_finished)
        else {
            return Ok(None);
        };
        let partition = now.and_then(|now| now.partition(target.to.partition.as_deref()));
        let Some(counted) = partition.map(|partition| partition.row_count) else {
            return Ok(None);
        };
        if !resumed.is_prepared {
            // Nothing was written; what is empty may have been made for it.
            let is_ours = !resumed.existed && counted == 0;
            return Ok(is_ours.then_some(Self {
                rows_before: 0,
                rows: 0,
            }));
        }
        let rows_before = match target.mode {
            Mode::Append if resumed.existed => resumed.rows_before.unwrap_or(0),
            _ => 0,
        };
        match counted.checked_sub(rows_before) {
            Some(rows) => Ok(Some(Self { rows_before, rows })),
            None => Err(Error::new(
                ErrorKind::Exists,
                format!("{counted} rows are there, fewer than the {rows_before} that were there before the run"),
            )
            .with("target", target.name())
            .help("somebody deleted rows or made the target anew: look at what is there; take the target away, or leave it out with `select`, and begin anew with `--restart`")),
        }
    }
}

/// Looks up the ids on both sides of the place where a run goes on.
///
/// # Errors
/// `Exists` where rows of another writer are there, `Remote`.
pub fn expect_ours(server: &Server, target: &Wanted, resumed: &Resumed) -> Result<()> {
    let partition = target.to.partition.as_deref();
    // An earlier server searches all partitions, and without a tag all are searched.
    let is_exact = server.has_partition_reads() && partition.is_some();
    let id = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
    let is_there = |id: i64| {
        let found = server.vectors(
            &target.to.collection,
            partition,
            &[id],
            target.row_bytes as u64,
        )?;
        let is_found = |row: &milvusdm_proto::milvus1::RowRecord| {
            !row.float_data.is_empty() || !row.binary_data.is_empty()
        };
        Ok::<bool, Error>(found.first().is_some_and(is_found))
    };
    let interfered = |message: String| {
        Err(Error::new(ErrorKind::Exists, message)
            .with("target", format!("{}/{}", server.address(), target.name()))
            .help("another writer was at work: look at what is there, take away what is not wanted, and give the command again"))
    };
    if let Some(last) = id(&resumed.last_id)
        && !is_there(last)?
    {
        return interfered(format!(
            "the rows that are there can't be this run's: the last of them would have the id {last}, which is not found"
        ));
    }
    if let Some(next) = id(&resumed.next_id)
        && target.has_unique_ids
        && is_exact
        && is_there(next)?
    {
        return interfered(format!(
            "the rows that are there can't be this run's: the id {next} is found, whose row is still to come"
        ));
    }
    Ok(())
}
