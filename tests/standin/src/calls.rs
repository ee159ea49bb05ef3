// SPDX-License-Identifier: Apache-2.0
//! The calls of the service by name: one list serves dispatch, faults and the journal.

/// A call of `milvus.grpc.MilvusService`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    CreateCollection,
    HasCollection,
    DescribeCollection,
    CountCollection,
    ShowCollections,
    ShowCollectionInfo,
    DropCollection,
    CreateIndex,
    DescribeIndex,
    DropIndex,
    CreatePartition,
    HasPartition,
    ShowPartitions,
    DropPartition,
    Insert,
    GetVectorsByID,
    GetVectorIDs,
    Search,
    Cmd,
    DeleteByID,
    PreloadCollection,
    ReleaseCollection,
    ReloadSegments,
    Flush,
    Compact,
}

impl Call {
    /// Every call. The journal stores places in this list: add at its end.
    pub const ALL: [Call; 25] = [
        Call::CreateCollection,
        Call::HasCollection,
        Call::DescribeCollection,
        Call::CountCollection,
        Call::ShowCollections,
        Call::ShowCollectionInfo,
        Call::DropCollection,
        Call::CreateIndex,
        Call::DescribeIndex,
        Call::DropIndex,
        Call::CreatePartition,
        Call::HasPartition,
        Call::ShowPartitions,
        Call::DropPartition,
        Call::Insert,
        Call::GetVectorsByID,
        Call::GetVectorIDs,
        Call::Search,
        Call::Cmd,
        Call::DeleteByID,
        Call::PreloadCollection,
        Call::ReleaseCollection,
        Call::ReloadSegments,
        Call::Flush,
        Call::Compact,
    ];

    /// The call that a path such as `/milvus.grpc.MilvusService/Insert` names.
    pub fn of_path(path: &str) -> Option<Call> {
        let name = path.strip_prefix("/milvus.grpc.MilvusService/")?;
        Call::ALL.into_iter().find(|call| call.name() == name)
    }

    /// The call that a person names, as in `Insert`, `insert` or `get_vectors_by_id`.
    pub fn named(text: &str) -> Option<Call> {
        let text = text.replace('_', "");
        Call::ALL
            .into_iter()
            .find(|call| call.name().eq_ignore_ascii_case(&text))
    }

    /// The name in the service.
    pub fn name(self) -> &'static str {
        match self {
            Call::CreateCollection => "CreateCollection",
            Call::HasCollection => "HasCollection",
            Call::DescribeCollection => "DescribeCollection",
            Call::CountCollection => "CountCollection",
            Call::ShowCollections => "ShowCollections",
            Call::ShowCollectionInfo => "ShowCollectionInfo",
            Call::DropCollection => "DropCollection",
            Call::CreateIndex => "CreateIndex",
            Call::DescribeIndex => "DescribeIndex",
            Call::DropIndex => "DropIndex",
            Call::CreatePartition => "CreatePartition",
            Call::HasPartition => "HasPartition",
            Call::ShowPartitions => "ShowPartitions",
            Call::DropPartition => "DropPartition",
            Call::Insert => "Insert",
            Call::GetVectorsByID => "GetVectorsByID",
            Call::GetVectorIDs => "GetVectorIDs",
            Call::Search => "Search",
            Call::Cmd => "Cmd",
            Call::DeleteByID => "DeleteByID",
            Call::PreloadCollection => "PreloadCollection",
            Call::ReleaseCollection => "ReleaseCollection",
            Call::ReloadSegments => "ReloadSegments",
            Call::Flush => "Flush",
            Call::Compact => "Compact",
        }
    }

    /// Whether the reply is a bare `Status`; the others hold one in their first field.
    pub(crate) fn replies_status(self) -> bool {
        use Call::*;
        matches!(
            self,
            CreateCollection
                | DropCollection
                | CreateIndex
                | DropIndex
                | CreatePartition
                | DropPartition
                | DeleteByID
                | PreloadCollection
                | ReleaseCollection
                | ReloadSegments
                | Flush
                | Compact
        )
    }

    /// Whether it changes what a restarted server must have again.
    pub(crate) fn is_change(self) -> bool {
        use Call::*;
        matches!(
            self,
            CreateCollection
                | DropCollection
                | CreateIndex
                | DropIndex
                | CreatePartition
                | DropPartition
                | Insert
                | DeleteByID
                | Flush
                | Compact
        )
    }
}
