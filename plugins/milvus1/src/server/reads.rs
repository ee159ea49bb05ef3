// SPDX-License-Identifier: Apache-2.0
//! Reading rows from a server: the ids of a segment, the vectors of ids.

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use milvusdm_proto::milvus1 as wire;

use super::{SegmentInfo, Server};

/// Longest encoding of an id.
const MAX_VARINT: u64 = 10;
/// What an answer may hold beside its rows.
const SLACK: u64 = 1 << 20;
/// Most ids that the server looks up in one call.
pub const MAX_IDS: usize = 1000;

impl Server {
    /// The ids of a segment's rows that are not deleted; `None` if the segment is gone, which
    /// happens at any time: the server merges segments behind each flush.
    ///
    /// # Errors
    /// `Remote`.
    pub fn segment_ids(&self, collection: &str, segment: &SegmentInfo) -> Result<Option<Vec<i64>>> {
        let name = &segment.name;
        let doing = format!("list the ids of segment {name} of `{collection}`");
        // Deleted rows are not counted, but may have come back meanwhile.
        let most = segment.row_count.saturating_mul(2 * MAX_VARINT) + SLACK;
        let reply = self.ask_for::<wire::VectorIds, _>(&doing, most, |mut client| {
            let param = wire::GetVectorIDsParam {
                collection_name: collection.to_owned(),
                segment_name: name.clone(),
            };
            async move { client.get_vector_i_ds(param).await }
        });
        match reply {
            Ok(reply) => Ok(Some(reply.vector_id_array)),
            Err(e) if e.message().contains("Segment does not exist") => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The vectors of ids, in their order; an empty record for an id that is not found.
    ///
    /// `tag` names the partition, exactly; `None` searches all of them, the default one first
    /// only by chance.
    ///
    /// # Errors
    /// `Remote`.
    pub fn vectors(
        &self,
        collection: &str,
        tag: Option<&str>,
        ids: &[i64],
        row_bytes: u64,
    ) -> Result<Vec<wire::RowRecord>> {
        let doing = format!("read vectors of `{collection}`");
        let most = (row_bytes + 32).saturating_mul(ids.len() as u64) + SLACK;
        let reply = self.ask_for::<wire::VectorsData, _>(&doing, most, |mut client| {
            let param = wire::VectorsIdentity {
                collection_name: collection.to_owned(),
                id_array: ids.to_vec(),
                partition_tag: tag.map(exactly).unwrap_or_default(),
            };
            async move { client.get_vectors_by_id(param).await }
        })?;
        match reply.vectors_data.len() {
            found if found == ids.len() => Ok(reply.vectors_data),
            found => {
                let wanted = ids.len();
                let message = format!("{doing}: the server gives {found} vectors for {wanted} ids");
                Err(Error::new(ErrorKind::Remote, message).with("server", self.address()))
            }
        }
    }
}

/// The regular expression that matches a tag and nothing else: the server takes tags for
/// expressions (`utils/StringHelpFunctions.cpp`).
fn exactly(tag: &str) -> String {
    let mut expression = String::with_capacity(tag.len());
    for c in tag.chars() {
        if matches!(
            c,
            '\\' | '.' | '^' | '$' | '|' | '(' | ')' | '[' | ']' | '{' | '}' | '*' | '+' | '?'
        ) {
            expression.push('\\');
        }
        expression.push(c);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_matched_exactly() {
        assert_eq!(exactly("a.b (2)*"), r"a\.b \(2\)\*");
        assert_eq!(exactly("日本"), "日本");
    }
}
