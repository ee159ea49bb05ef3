// SPDX-License-Identifier: Apache-2.0
//! A client that does nothing but send: one insert request, encoded once, again and again. No
//! client can be faster against the same server, so that milvusdm is measured against it.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use milvusdm_proto::milvus1 as wire;
use milvusdm_proto::milvus1::milvus_service_client::MilvusServiceClient;
use prost::Message as _;
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use tonic::body::Body;
use tonic::client::GrpcService as _;
use tonic::codegen::http;
use tonic::transport::{Channel, Endpoint};

const COLLECTION: &str = "raw";
const PATH: &str = "/milvus.grpc.MilvusService/Insert";
/// What gRPC puts before a message: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// Sends one insert request again and again, to measure a server and what is between.
#[derive(Debug, Parser)]
struct Arguments {
    /// The server, as `grpc://127.0.0.1:PORT`.
    #[arg(long)]
    uri: String,
    /// MiB of vectors and ids in a request.
    #[arg(long, value_name = "MIB", default_value_t = 4)]
    request_mib: usize,
    /// How many requests are sent.
    #[arg(long, value_name = "COUNT")]
    requests: usize,
    /// Dimension of the vectors.
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    dimension: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(rows) => {
            let _ = writeln!(io::stdout(), "{rows} rows");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "milvus1-raw-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<usize, Box<dyn Error>> {
    let rows = (arguments.request_mib << 20) / (arguments.dimension * 4 + 8);
    let request = request(rows, arguments.dimension)?;
    let endpoint = Endpoint::from_shared(arguments.uri.replace("grpc://", "http://"))?;
    // The same threads as the client of milvusdm has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let channel = endpoint.tcp_nodelay(true).connect().await?;
        let mut client = MilvusServiceClient::new(channel.clone());
        let schema = wire::CollectionSchema {
            collection_name: COLLECTION.to_owned(),
            dimension: i64::try_from(arguments.dimension)?,
            index_file_size: 1024,
            metric_type: 1,
            ..Default::default()
        };
        let made = client.create_collection(schema).await?.into_inner();
        expect_fine("create the collection", &made)?;
        for _ in 0..arguments.requests {
            insert(channel.clone(), request.clone()).await?;
        }
        let flush = wire::FlushParam {
            collection_name_array: vec![COLLECTION.to_owned()],
        };
        expect_fine("flush", &client.flush(flush).await?.into_inner())?;
        let name = wire::CollectionName {
            collection_name: COLLECTION.to_owned(),
        };
        let counted = client.count_collection(name).await?.into_inner();
        let counted = usize::try_from(counted.collection_row_count)?;
        match counted == rows * arguments.requests {
            true => Ok(counted),
            false => Err(format!("the server counts {counted} rows").into()),
        }
    })
}

fn expect_fine(doing: &str, status: &wire::Status) -> Result<(), Box<dyn Error>> {
    match status.error_code {
        0 => Ok(()),
        _ => Err(format!("{doing}: {}", status.reason).into()),
    }
}

/// The body of a call: the message with what gRPC puts before it.
fn request(rows: usize, dimension: usize) -> Result<Bytes, Box<dyn Error>> {
    let row = wire::RowRecord {
        float_data: vec![0.5; dimension],
        ..Default::default()
    };
    let message = wire::InsertParam {
        collection_name: COLLECTION.to_owned(),
        row_record_array: vec![row; rows],
        row_id_array: (0..i64::try_from(rows)?).collect(),
        ..Default::default()
    };
    let mut body = BytesMut::with_capacity(FRAME_HEAD + message.encoded_len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.encoded_len())?);
    message.encode(&mut body)?;
    Ok(body.freeze())
}

/// One call, past the codecs of tonic, which would copy the message.
async fn insert(mut channel: Channel, body: Bytes) -> Result<(), Box<dyn Error>> {
    let request = http::Request::post(PATH)
        .version(http::Version::HTTP_2)
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .body(Body::new(Full::new(body)))?;
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
    let reply = channel.call(request).await?;
    let reply = reply.into_body().collect().await?.to_bytes();
    let message = reply.get(FRAME_HEAD..).ok_or("an empty answer")?;
    let ids = wire::VectorIds::decode(message)?;
    expect_fine("insert", &ids.status.unwrap_or_default())
}
