// SPDX-License-Identifier: Apache-2.0
//! What names, sizes and numbers the server takes, with its own words for the others.

use milvusdm_proto::milvus1::ErrorCode;

use crate::refusal::{Answer, refuse};

/// Bytes of a name.
const NAME_BYTES: usize = 255;

pub(super) fn collection(name: &str) -> Answer<()> {
    let wrong = |what: &str| {
        let reason = format!("Invalid collection name: {name}. {what}");
        refuse(ErrorCode::IllegalCollectionName, reason)
    };
    let Some(first) = name.chars().next() else {
        let reason = "Collection name should not be empty.";
        return refuse(ErrorCode::IllegalCollectionName, reason);
    };
    if name.len() > NAME_BYTES {
        return wrong("The length of a collection name must be less than 255 characters.");
    }
    if first != '_' && !first.is_ascii_alphabetic() {
        return wrong("The first character of a collection name must be an underscore or letter.");
    }
    if name.contains(|c: char| c != '_' && !c.is_ascii_alphanumeric()) {
        return wrong("Collection name can only contain numbers, letters, and underscores.");
    }
    Ok(())
}

pub(super) fn dimension(dimension: i64, is_binary: bool) -> Answer<usize> {
    let wrong = |what: &str| {
        let reason = format!("Invalid collection dimension: {dimension}. {what}");
        refuse(ErrorCode::IllegalDimension, reason)
    };
    if !(1..=32768).contains(&dimension) {
        return wrong("The collection dimension must be within the range of 1 ~ 32768.");
    }
    if is_binary && dimension % 8 != 0 {
        return wrong("The collection dimension must be a multiple of 8");
    }
    Ok(dimension as usize)
}

pub(super) fn index_file_size(mib: i64) -> Answer<()> {
    if (1..=4096).contains(&mib) {
        return Ok(());
    }
    let reason = format!(
        "Invalid index file size: {mib}. The index file size must be within the range of 1 ~ 4096."
    );
    refuse(ErrorCode::IllegalArgument, reason)
}

pub(super) fn partition_tag(tag: &str) -> Answer<()> {
    let wrong = |what: &str| {
        let reason = format!("Invalid partition tag: {tag}. {what}");
        refuse(ErrorCode::UnexpectedError, reason)
    };
    match tag.trim().len() {
        0 => wrong("Partition tag should not be empty."),
        1..=NAME_BYTES => Ok(()),
        _ => wrong("Partition tag exceed max length of 255 characters."),
    }
}
