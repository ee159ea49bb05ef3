// SPDX-License-Identifier: Apache-2.0
//! Reads the request of an insert while it comes in. Putting it together first would touch new
//! memory of its size for every call, which costs more than all the rest.

use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;

use crate::insertion::{Found, Insertion, Malformed, field_size};

/// What gRPC puts before a message: whether it is compressed, and its length.
const HEAD_BYTES: usize = 5;

/// Most that is set aside for a message on its word: no longer one is taken.
const MAX_MESSAGE_BYTES: usize = 512 << 20;

/// Receives the one message of a call.
pub(crate) async fn receive(mut body: Body, keeps: bool) -> Result<Insertion, Status> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let mut intake = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        let mut part = &data[..];
        if intake.is_none() {
            let missing = (HEAD_BYTES - head.len()).min(part.len());
            let (start, rest) = part.split_at(missing);
            head.extend_from_slice(start);
            part = rest;
            let Ok([compressed, length @ ..]) = <[u8; HEAD_BYTES]>::try_from(&head[..]) else {
                continue;
            };
            if compressed != 0 {
                return Err(Status::unimplemented("requests can't be compressed"));
            }
            intake = Some(Intake::new(u32::from_be_bytes(length) as usize, keeps));
        }
        if let Some(intake) = &mut intake {
            intake.feed(part).map_err(malformed)?;
        }
    }
    let intake = intake.ok_or(CUT_OFF).map_err(malformed)?;
    intake.finish().map_err(malformed)
}

const CUT_OFF: Malformed = "the request is cut off";

/// The status of a request whose bytes are not its message, in the words of gRPC's C++ server.
pub(crate) fn malformed(what: &str) -> Status {
    Status::internal(format!("Failed to deserialize request: {what}"))
}

/// A request of which a part has come.
pub(crate) struct Intake {
    found: Found,
    /// Bytes that are still to come.
    missing: usize,
    /// Start of a field whose end has not come.
    begun: Vec<u8>,
}

impl Intake {
    pub(crate) fn new(length: usize, keeps: bool) -> Intake {
        Intake {
            found: Found::new(length.min(MAX_MESSAGE_BYTES), keeps),
            missing: length,
            begun: Vec::new(),
        }
    }

    pub(crate) fn feed(&mut self, mut part: &[u8]) -> Result<(), Malformed> {
        let missing = self.missing.checked_sub(part.len());
        self.missing = missing.ok_or("the request is longer than it says")?;
        while !self.begun.is_empty() && !part.is_empty() {
            let size = field_size(&self.begun)?;
            // Of a field whose size is not told yet, byte by byte.
            let wanted = size.map_or(1, |size| size - self.begun.len());
            let (more, rest) = part.split_at(wanted.min(part.len()));
            self.begun.extend_from_slice(more);
            part = rest;
            if field_size(&self.begun)? == Some(self.begun.len()) {
                self.found.field(&self.begun)?;
                self.begun.clear();
            }
        }
        while let Some(size) = field_size(part)? {
            let Some((field, rest)) = part.split_at_checked(size) else {
                break;
            };
            self.found.field(field)?;
            part = rest;
        }
        self.begun.extend_from_slice(part);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Insertion, Malformed> {
        if self.missing > 0 || !self.begun.is_empty() {
            return Err(CUT_OFF);
        }
        Ok(self.found.finish())
    }
}

#[cfg(test)]
mod tests {
    use milvusdm_proto::milvus1::{InsertParam, RowRecord};
    use prost::Message;

    use super::*;

    #[test]
    fn a_request_is_the_same_in_parts_of_any_size() {
        let row = |values: &[f32]| RowRecord {
            float_data: values.to_vec(),
            ..Default::default()
        };
        let request = InsertParam {
            collection_name: "collection".to_owned(),
            row_record_array: vec![row(&[1.0; 40]), row(&[]), row(&[2.0; 3])],
            row_id_array: vec![-1, 300, 0],
            partition_tag: "p".to_owned(),
            extra_params: Vec::new(),
        };
        let bytes = request.encode_to_vec();
        let whole = Insertion::parse(&bytes, true).unwrap();
        assert_eq!(whole.floats, 43);
        for size in 1..bytes.len() {
            let mut intake = Intake::new(bytes.len(), true);
            for part in bytes.chunks(size) {
                intake.feed(part).unwrap();
            }
            assert_eq!(intake.finish().unwrap(), whole, "parts of {size} bytes");
        }
        let mut intake = Intake::new(bytes.len(), true);
        intake.feed(&bytes[1..]).unwrap_or_default();
        assert!(intake.finish().is_err());
    }
}
