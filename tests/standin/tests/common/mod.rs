// SPDX-License-Identifier: Apache-2.0
//! A blocking client that speaks the contract without being a plugin's: calls by name, messages or
//! bytes.
#![allow(dead_code, reason = "each test uses a part of it")]

use milvusdm_proto::milvus1 as wire;
use milvusdm_standin::{RawCodec, Standin, StandinOptions};
use prost::Message;
use prost::bytes::Bytes;
use tokio::runtime::Runtime;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

pub struct Client {
    runtime: Runtime,
    channel: Channel,
}

impl Client {
    pub fn of(standin: &Standin) -> Client {
        Client::at(&standin.uri())
    }

    pub fn at(uri: &str) -> Client {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let endpoint = Endpoint::from_shared(uri.replace("grpc://", "http://")).unwrap();
        let endpoint = endpoint
            .initial_stream_window_size(16 << 20)
            .initial_connection_window_size(16 << 20);
        let channel = {
            let _entered = runtime.enter();
            endpoint.connect_lazy()
        };
        Client { runtime, channel }
    }

    pub fn bytes(&self, method: &str, request: Bytes) -> Result<Bytes, Status> {
        self.runtime.block_on(async {
            let mut grpc = Grpc::new(self.channel.clone())
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX);
            grpc.ready()
                .await
                .map_err(|e| Status::unavailable(e.to_string()))?;
            let path = format!("/milvus.grpc.MilvusService/{method}");
            let path = PathAndQuery::try_from(path).unwrap();
            let reply = grpc.unary(Request::new(request), path, RawCodec).await?;
            Ok(reply.into_inner())
        })
    }

    pub fn call<Reply: Message + Default>(
        &self,
        method: &str,
        request: impl Message,
    ) -> Result<Reply, Status> {
        let reply = self.bytes(method, request.encode_to_vec().into())?;
        Ok(Reply::decode(reply).unwrap())
    }

    /// A call whose reply is a status: its code and text.
    pub fn status(&self, method: &str, request: impl Message) -> (i32, String) {
        let status: wire::Status = self.call(method, request).unwrap();
        (status.error_code, status.reason)
    }

    pub fn create(&self, name: &str, dimension: i64, metric: i32) -> (i32, String) {
        let schema = wire::CollectionSchema {
            collection_name: name.to_owned(),
            dimension,
            index_file_size: 64,
            metric_type: metric,
            ..Default::default()
        };
        self.status("CreateCollection", schema)
    }

    pub fn create_partition(&self, collection: &str, tag: &str) -> (i32, String) {
        self.status("CreatePartition", partition(collection, tag))
    }

    /// Inserts rows whose elements are all the id; gives code and text.
    pub fn insert(&self, collection: &str, tag: &str, ids: &[i64]) -> (i32, String) {
        let reply: wire::VectorIds = self
            .call("Insert", insertion(collection, tag, ids))
            .unwrap();
        let status = reply.status.unwrap();
        (status.error_code, status.reason)
    }

    pub fn flush(&self, collection: &str) {
        let request = wire::FlushParam {
            collection_name_array: vec![collection.to_owned()],
        };
        assert_eq!(self.status("Flush", request), fine());
    }

    pub fn count(&self, collection: &str) -> i64 {
        let reply: wire::CollectionRowCount =
            self.call("CountCollection", name(collection)).unwrap();
        assert_eq!(reply.status.unwrap().error_code, 0);
        reply.collection_row_count
    }

    pub fn delete(&self, collection: &str, tag: &str, ids: &[i64]) {
        let request = wire::DeleteByIdParam {
            collection_name: collection.to_owned(),
            id_array: ids.to_vec(),
            partition_tag: tag.to_owned(),
        };
        assert_eq!(self.status("DeleteByID", request), fine());
    }

    /// First elements of the vectors of ids, none where the record is empty; or code and text.
    pub fn get(
        &self,
        collection: &str,
        tag: &str,
        ids: &[i64],
    ) -> Result<Vec<Option<f32>>, (i32, String)> {
        let request = wire::VectorsIdentity {
            collection_name: collection.to_owned(),
            id_array: ids.to_vec(),
            partition_tag: tag.to_owned(),
        };
        let reply: wire::VectorsData = self.call("GetVectorsByID", request).unwrap();
        match reply.status.unwrap() {
            status if status.error_code != 0 => Err((status.error_code, status.reason)),
            _ => Ok(reply
                .vectors_data
                .iter()
                .map(|record| record.float_data.first().copied())
                .collect()),
        }
    }

    /// Names of all segments.
    pub fn segments(&self, collection: &str) -> Vec<String> {
        let info: wire::CollectionInfo = self.call("ShowCollectionInfo", name(collection)).unwrap();
        let info: serde_json::Value = serde_json::from_str(&info.json_info).unwrap();
        let partitions = info["partitions"].as_array().unwrap();
        partitions
            .iter()
            .filter_map(|partition| partition["segments"].as_array())
            .flatten()
            .map(|segment| segment["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

pub fn fine() -> (i32, String) {
    (0, "OK".to_owned())
}

pub fn name(collection: &str) -> wire::CollectionName {
    wire::CollectionName {
        collection_name: collection.to_owned(),
    }
}

pub fn partition(collection: &str, tag: &str) -> wire::PartitionParam {
    wire::PartitionParam {
        collection_name: collection.to_owned(),
        tag: tag.to_owned(),
    }
}

/// Rows of dimension 4 whose elements are all the id.
pub fn insertion(collection: &str, tag: &str, ids: &[i64]) -> wire::InsertParam {
    let row = |id: &i64| wire::RowRecord {
        float_data: vec![*id as f32; 4],
        ..Default::default()
    };
    wire::InsertParam {
        collection_name: collection.to_owned(),
        row_record_array: ids.iter().map(row).collect(),
        row_id_array: ids.to_vec(),
        partition_tag: tag.to_owned(),
        extra_params: Vec::new(),
    }
}

/// A server that flushes only when told to.
pub fn quiet() -> StandinOptions {
    StandinOptions {
        auto_flush: None,
        ..Default::default()
    }
}
