// SPDX-License-Identifier: Apache-2.0
//! Insert requests, encoded from Arrow's buffers while they are sent.
//!
//! A message object of a request would hold one small allocation a row and the request twice
//! more. All rows of a collection are equally long, so the length of the message is known before
//! its first byte: it goes out in pieces, each copied once from the batch.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Method, header};
use http_body::{Body, Frame, SizeHint};
use milvusdm_plugin_api::arrow::buffer::{Buffer, ScalarBuffer};
use milvusdm_plugin_api::{Error, ErrorKind, Result};
use milvusdm_proto::milvus1::VectorIds;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use tonic::Status;
use tonic::client::GrpcService as _;
use tonic::codec::{Codec as _, Streaming};

use super::reply::{self, HasStatus as _, Refusal};
use super::{Channel, Server};

/// Bytes that are encoded at once: few enough that they are still in the processor's cache when the
/// kernel copies them.
const PIECE: usize = 64 << 10;
/// Bytes before a message: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;
const PATH: &str = "/milvus.grpc.MilvusService/Insert";

/// Field numbers of `InsertParam`.
mod insert_param {
    pub(super) const COLLECTION: u32 = 1;
    pub(super) const ROWS: u32 = 2;
    pub(super) const IDS: u32 = 3;
    pub(super) const PARTITION: u32 = 4;
}

/// What the vectors are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floats: field 1 of `RowRecord`.
    Float,
    /// Bits: field 2.
    Binary,
}

impl Element {
    const fn field(self) -> u32 {
        match self {
            Self::Float => 1,
            Self::Binary => 2,
        }
    }
}

/// The rows of a batch, as the buffers that hold them.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Vectors, one after the other.
    pub vectors: Buffer,
    /// Bytes of one vector, not 0.
    pub row_bytes: usize,
    /// What they are made of.
    pub element: Element,
    /// An id a row; `None` leaves them to the server.
    pub ids: Option<ScalarBuffer<i64>>,
}

impl Rows {
    /// The vector of a row.
    pub fn vector(&self, row: usize) -> &[u8] {
        let start = row.saturating_mul(self.row_bytes);
        self.vectors
            .get(start..start.saturating_add(self.row_bytes))
            .unwrap_or_default()
    }

    fn vectors_of(&self, rows: &Range<usize>) -> &[u8] {
        let range =
            rows.start.saturating_mul(self.row_bytes)..rows.end.saturating_mul(self.row_bytes);
        self.vectors.get(range).unwrap_or_default()
    }
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The collection.
    pub collection: String,
    /// The partition's tag; `None` is the default one, which is never named in a request.
    pub partition: Option<String>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.partition {
            Some(partition) => write!(f, "{}/{partition}", self.collection),
            None => f.write_str(&self.collection),
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Inserted {
    /// All rows were taken; their ids.
    Ids(Vec<i64>),
    /// None was taken.
    Refused(Refusal),
}

impl Server {
    /// Sends rows once. A server's refusal is no error here: none of the rows was stored.
    ///
    /// # Errors
    /// `Remote` where no answer came: the rows may have been stored, or not. Retryable then.
    pub fn insert(
        &self,
        to: &Destination,
        rows: &Rows,
        ranges: &[Range<usize>],
    ) -> Result<Inserted> {
        let doing = "insert rows";
        let body = InsertBody::new(to, rows, ranges)?;
        let wanted = ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
        // Ids, at most 10 bytes each.
        let most = wanted.saturating_mul(10) + (1 << 20);
        let answer = send(self.channel.clone(), body, most);
        let answer = self.wait(doing, Some(self.insert_timeout()), answer)?;
        let ids = answer.map_err(|status| reply::unreached(self.address(), doing, &status))?;
        if let Some(refusal) = ids.refusal() {
            return Ok(Inserted::Refused(refusal));
        }
        match ids.vector_id_array.len() {
            found if found == wanted => Ok(Inserted::Ids(ids.vector_id_array)),
            found => Err(Error::new(
                ErrorKind::Remote,
                format!("insert rows: the server answers with {found} ids for {wanted} rows"),
            )
            .with("server", self.address())),
        }
    }

    /// A request is stored before it is answered, which takes longer than looking something up.
    fn insert_timeout(&self) -> Duration {
        self.patience.timeout.saturating_mul(4)
    }
}

async fn send(mut channel: Channel, body: InsertBody, most: usize) -> Result<VectorIds, Status> {
    let unreached = |e: tonic::transport::Error| Status::from_error(e.into());
    let mut request = http::Request::new(tonic::body::Body::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static(PATH);
    *request.version_mut() = http::Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    std::future::poll_fn(|cx| channel.poll_ready(cx))
        .await
        .map_err(unreached)?;
    let response = channel.call(request).await.map_err(unreached)?;
    if let Some(status) = Status::from_header_map(response.headers())
        && status.code() != tonic::Code::Ok
    {
        return Err(status);
    }
    let code = response.status();
    let decoder = tonic_prost::ProstCodec::<(), VectorIds>::default().decoder();
    let mut replies =
        Streaming::new_response(decoder, response.into_body(), code, None, Some(most));
    let reply = replies.message().await?;
    // The trailers say whether the call went well as such.
    replies.trailers().await?;
    reply.ok_or_else(|| Status::internal("the server's answer to an insert is empty"))
}

/// The body of a request: one message, made piece by piece.
struct InsertBody {
    /// What goes first: the frame's head, the collection.
    head: Option<Bytes>,
    rows: Rows,
    /// What stands before each vector.
    row_head: Bytes,
    /// Rows that are still to be sent, the next first.
    ranges: std::vec::IntoIter<Range<usize>>,
    current: Range<usize>,
    /// What goes last: ids and the partition.
    tail: Option<Bytes>,
    left: u64,
}

impl InsertBody {
    fn new(to: &Destination, rows: &Rows, ranges: &[Range<usize>]) -> Result<Self> {
        let row_head = row_head(rows.element, rows.row_bytes);
        let tail = tail(to, rows, ranges);
        let count = ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
        let row_bytes = row_head.len() + rows.row_bytes;
        let collection = &to.collection;
        let name_bytes = key_len(insert_param::COLLECTION)
            + encoded_len_varint(collection.len() as u64)
            + collection.len();
        let message = row_bytes
            .checked_mul(count)
            .and_then(|bytes| bytes.checked_add(name_bytes + tail.len()));
        let message = message.and_then(|bytes| u32::try_from(bytes).ok());
        let message = message.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("an insert request of {count} rows is longer than gRPC can say"),
            )
        })?;
        let mut head = BytesMut::with_capacity(FRAME_HEAD + name_bytes);
        head.put_u8(0);
        head.put_u32(message);
        put_text(&mut head, insert_param::COLLECTION, collection);
        Ok(Self {
            left: u64::from(message) + FRAME_HEAD as u64,
            head: Some(head.freeze()),
            rows: rows.clone(),
            row_head,
            ranges: Vec::from(ranges).into_iter(),
            current: 0..0,
            tail: Some(tail),
        })
    }

    /// The next piece of rows; `None` when all were given out.
    fn piece(&mut self) -> Option<Bytes> {
        while self.current.is_empty() {
            self.current = self.ranges.next()?;
        }
        let each = self.row_head.len() + self.rows.row_bytes;
        let count = (PIECE / each).clamp(1, self.current.len());
        let rows = self.current.start..self.current.start + count;
        self.current.start = rows.end;
        let mut piece = Vec::with_capacity(each * count);
        for vector in self
            .rows
            .vectors_of(&rows)
            .chunks_exact(self.rows.row_bytes)
        {
            piece.extend_from_slice(&self.row_head);
            piece.extend_from_slice(vector);
        }
        Some(piece.into())
    }
}

impl Body for InsertBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let piece = self.head.take();
        let piece = piece.or_else(|| self.piece()).or_else(|| self.tail.take());
        Poll::Ready(piece.map(|piece| {
            self.left = self.left.saturating_sub(piece.len() as u64);
            Ok(Frame::data(piece))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// What stands before each vector: the keys and lengths of `RowRecord` and of its field.
fn row_head(element: Element, row_bytes: usize) -> Bytes {
    let mut inner = BytesMut::new();
    encode_key(element.field(), WireType::LengthDelimited, &mut inner);
    encode_varint(row_bytes as u64, &mut inner);
    let mut head = BytesMut::new();
    encode_key(insert_param::ROWS, WireType::LengthDelimited, &mut head);
    encode_varint((inner.len() + row_bytes) as u64, &mut head);
    head.put(inner);
    head.freeze()
}

/// Ids and the partition.
fn tail(to: &Destination, rows: &Rows, ranges: &[Range<usize>]) -> Bytes {
    let mut tail = BytesMut::new();
    if let Some(ids) = &rows.ids {
        let sent = ranges.iter().filter_map(|range| ids.get(range.clone()));
        // Into a `Vec`: prost is several times slower into `BytesMut`.
        let mut packed = Vec::new();
        for id in sent.flatten() {
            encode_varint(*id as u64, &mut packed);
        }
        tail.reserve(packed.len() + 16);
        encode_key(insert_param::IDS, WireType::LengthDelimited, &mut tail);
        encode_varint(packed.len() as u64, &mut tail);
        tail.put_slice(&packed);
    }
    if let Some(partition) = &to.partition {
        put_text(&mut tail, insert_param::PARTITION, partition);
    }
    tail.freeze()
}

fn put_text(to: &mut BytesMut, field: u32, text: &str) {
    encode_key(field, WireType::LengthDelimited, to);
    encode_varint(text.len() as u64, to);
    to.put_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use milvusdm_proto::milvus1::{InsertParam, RowRecord};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn encoded(mut body: InsertBody) -> Vec<u8> {
        let mut all = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let hint = body.size_hint().exact();
        while let Poll::Ready(Some(frame)) = Pin::new(&mut body).poll_frame(&mut cx) {
            all.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert!(body.is_end_stream());
        assert_eq!(hint, Some(all.len() as u64));
        all
    }

    proptest! {
        #[test]
        fn the_message_is_what_prost_would_make(
            dim in 1usize..70,
            count in 0usize..40,
            cut in 0usize..40,
            ids in proptest::collection::vec(any::<i64>(), 40),
            has_ids: bool,
            partition in proptest::option::of("[a-z]{1,9}"),
        ) {
            let values: Vec<f32> = (0..dim * count).map(|i| i as f32 * 0.5).collect();
            let rows = Rows {
                vectors: Buffer::from_vec(values.clone()),
                row_bytes: dim * 4,
                element: Element::Float,
                ids: has_ids.then(|| ids.get(..count).unwrap().to_vec().into()),
            };
            let cut = cut.min(count);
            // Without one row in the middle, as after a rejection.
            let ranges = [0..cut, (cut + 1).min(count)..count];
            let kept: Vec<usize> = ranges.iter().cloned().flatten().collect();
            let to = Destination { collection: "faces".to_owned(), partition: partition.clone() };
            let all = encoded(InsertBody::new(&to, &rows, &ranges).unwrap());
            let wanted = InsertParam {
                collection_name: "faces".to_owned(),
                row_record_array: kept.iter().map(|row| RowRecord {
                    float_data: values.get(row * dim..(row + 1) * dim).unwrap().to_vec(),
                    binary_data: Default::default(),
                }).collect(),
                row_id_array: match has_ids {
                    true => kept.iter().map(|row| ids[*row]).collect(),
                    false => Vec::new(),
                },
                partition_tag: partition.unwrap_or_default(),
                extra_params: Vec::new(),
            };
            let (head, message) = all.split_at(FRAME_HEAD);
            prop_assert_eq!(head, [&[0][..], &(message.len() as u32).to_be_bytes()].concat());
            prop_assert_eq!(InsertParam::decode(message).unwrap(), wanted);
        }
    }
}
