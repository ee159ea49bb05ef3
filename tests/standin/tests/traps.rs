// SPDX-License-Identifier: Apache-2.0
//! What clients of the real server have to know, each seen on one: a client that gets these wrong
//! must fail against the stand-in too.

mod common;

use std::time::{Duration, Instant};

use common::{Client, fine, insertion, name, partition, quiet};
use milvusdm_proto::milvus1 as wire;
use milvusdm_standin::{IdMode, Standin, StandinOptions, Vectors};

fn start(options: StandinOptions) -> (Standin, Client) {
    let standin = Standin::start(options).unwrap();
    let client = Client::of(&standin);
    assert_eq!(client.create("c", 4, 1), fine());
    (standin, client)
}

fn unexpected<T>(reason: &str) -> Result<T, (i32, String)> {
    Err((1, reason.to_owned()))
}

#[test]
fn reads_see_flushed_rows_only() {
    let (standin, client) = start(quiet());
    assert_eq!(client.insert("c", "", &[1, 2]), fine());
    assert_eq!(client.count("c"), 0);
    assert_eq!(
        standin.collection("c").unwrap().partitions[0].unflushed_rows,
        2
    );
    client.flush("c");
    assert_eq!(client.count("c"), 2);
}

#[test]
fn rows_are_flushed_by_themselves_after_a_while() {
    let (_standin, client) = start(StandinOptions {
        auto_flush: Some(Duration::from_millis(50)),
        ..StandinOptions::default()
    });
    assert_eq!(client.insert("c", "", &[1, 2]), fine());
    let start = Instant::now();
    while client.count("c") == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(client.count("c"), 2);
}

#[test]
fn rows_sent_to_the_default_partition_by_name_are_acknowledged_and_lost() {
    let (standin, client) = start(quiet());
    assert_eq!(client.insert("c", "_default", &[1]), fine());
    client.flush("c");
    assert_eq!(client.count("c"), 0);
    assert_eq!(standin.collection("c").unwrap().ids, Some(IdMode::User));
}

#[test]
fn rows_sent_to_a_tag_that_differs_in_blanks_are_acknowledged_and_lost() {
    let (_standin, client) = start(quiet());
    assert_eq!(client.create_partition("c", "p"), fine());
    assert_eq!(client.create_partition("c", " made with blanks "), fine());
    assert_eq!(client.insert("c", " p", &[1]), fine());
    assert_eq!(client.insert("c", "made with blanks", &[2]), fine());
    assert_eq!(client.insert("c", " made with blanks ", &[3]), fine());
    client.flush("c");
    assert_eq!(client.count("c"), 0);
    let list: wire::PartitionList = client.call("ShowPartitions", name("c")).unwrap();
    assert_eq!(
        list.partition_tag_array,
        ["_default", "p", "made with blanks"]
    );
}

#[test]
fn the_default_partition_can_not_be_read_by_its_name() {
    let (_standin, client) = start(quiet());
    client.insert("c", "", &[1]);
    client.flush("c");
    let empty = unexpected("Collection or partition is empty");
    assert_eq!(client.get("c", "_default", &[1]), empty);
    assert_eq!(client.get("c", "", &[1, 9]), Ok(vec![Some(1.0), None]));
}

#[test]
fn the_first_segment_with_an_id_wins_whatever_its_partition() {
    let (_standin, client) = start(quiet());
    client.create_partition("c", "p");
    let mut twice = insertion("c", "p", &[7, 7]);
    twice.row_record_array[0].float_data = vec![0.5; 4];
    let _: wire::VectorIds = client.call("Insert", twice).unwrap();
    client.flush("c");
    client.insert("c", "", &[7]);
    client.flush("c");
    assert_eq!(client.get("c", "", &[7]), Ok(vec![Some(0.5)]));
    assert_eq!(client.get("c", "p", &[7]), Ok(vec![Some(0.5)]));
    assert_eq!(client.count("c"), 3);
}

#[test]
fn tags_of_reads_are_regular_expressions() {
    let (_standin, client) = start(quiet());
    for (tag, id) in [("a.b", 1), ("axb", 2), ("p(1)", 3)] {
        assert_eq!(client.create_partition("c", tag), fine());
        assert_eq!(client.insert("c", tag, &[id]), fine());
    }
    client.insert("c", "", &[4]);
    client.flush("c");
    let ids = [1, 2, 3, 4];
    let found = |tag: &str| {
        client.get("c", tag, &ids).map(|rows| {
            let found = rows.iter().zip(ids).filter(|(row, _)| row.is_some());
            found.map(|(_, id)| id).collect::<Vec<_>>()
        })
    };
    assert_eq!(found("a.b"), Ok(vec![1, 2]));
    assert_eq!(found(r"a\.b"), Ok(vec![1]));
    assert_eq!(found(".*"), Ok(vec![1, 2, 3]));
    assert_eq!(found("p(1)"), Ok(vec![3]));
    assert_eq!(
        found("("),
        unexpected("Mismatched '(' and ')' in regular expression")
    );
}

#[test]
fn a_server_before_1_1_reads_and_deletes_everywhere_whatever_the_tag() {
    let (_standin, client) = start(StandinOptions {
        version: "1.0.0".to_owned(),
        ..quiet()
    });
    client.create_partition("c", "p");
    client.insert("c", "", &[1, 2]);
    client.flush("c");
    assert_eq!(client.get("c", "_default", &[1]), Ok(vec![Some(1.0)]));
    assert_eq!(client.get("c", "p", &[1]), Ok(vec![Some(1.0)]));
    client.delete("c", "p", &[1]);
    client.flush("c");
    assert_eq!(client.get("c", "", &[1, 2]), Ok(vec![None, Some(2.0)]));
    let released = client.call::<wire::Status>("ReleaseCollection", name("c"));
    assert_eq!(released.unwrap_err().code(), tonic::Code::Unimplemented);
}

#[test]
fn deletes_take_every_row_of_an_id_at_the_next_flush_and_only_in_the_partition_named() {
    let (_standin, client) = start(quiet());
    client.create_partition("c", "p");
    client.insert("c", "", &[1, 1, 2]);
    client.insert("c", "p", &[1, 3]);
    client.flush("c");
    client.delete("c", "p", &[1, 999]);
    assert_eq!(client.count("c"), 5);
    client.flush("c");
    assert_eq!(client.count("c"), 4);
    client.delete("c", "nowhere", &[2]);
    client.delete("c", "_default", &[2]);
    client.flush("c");
    assert_eq!(client.count("c"), 4);
    client.delete("c", "", &[1]);
    client.insert("c", "", &[1]);
    client.flush("c");
    assert_eq!(client.count("c"), 3);
}

#[test]
fn one_id_alone_is_deleted_once_from_rows_that_are_not_flushed() {
    let (_standin, client) = start(quiet());
    client.insert("c", "", &[1, 1, 2, 2]);
    client.delete("c", "", &[1]);
    client.flush("c");
    assert_eq!(client.count("c"), 3);
    client.insert("c", "", &[5, 5, 6]);
    client.delete("c", "", &[5, 6]);
    client.flush("c");
    assert_eq!(client.count("c"), 3);
}

#[test]
fn segments_change_their_names_when_they_are_merged() {
    let (_standin, client) = start(StandinOptions {
        merge_after: Some(Duration::from_millis(100)),
        ..quiet()
    });
    for id in [1, 2] {
        client.insert("c", "", &[id]);
        client.flush("c");
    }
    let before = client.segments("c");
    let start = Instant::now();
    while client.segments("c").len() > 1 || client.segments("c") == before {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    let request = wire::GetVectorIDsParam {
        collection_name: "c".to_owned(),
        segment_name: before[0].clone(),
    };
    let reply: wire::VectorIds = client.call("GetVectorIDs", request).unwrap();
    let status = reply.status.unwrap();
    let said = (status.error_code, status.reason);
    assert_eq!(said, (1, "Segment does not exist".to_owned()));
    assert_eq!(client.get("c", "", &[1, 2]), Ok(vec![Some(1.0), Some(2.0)]));
}

#[test]
fn rows_of_uneven_length_are_cut_anew_where_their_sum_fits() {
    let (standin, client) = start(quiet());
    let mut request = insertion("c", "", &[1, 2]);
    request.row_record_array[0].float_data = vec![1.0; 3];
    request.row_record_array[1].float_data = vec![2.0; 5];
    let reply: wire::VectorIds = client.call("Insert", request).unwrap();
    assert_eq!(reply.status.unwrap().error_code, 0);
    client.flush("c");
    let rows = &standin.collection("c").unwrap().partitions[0].rows;
    let cut = vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0];
    assert_eq!(rows.vectors, Vectors::Float(cut));
}

#[test]
fn special_floats_and_any_id_are_kept_bit_for_bit() {
    let (standin, client) = start(quiet());
    let special = [f32::NAN, f32::NEG_INFINITY, -0.0, f32::from_bits(1)];
    let mut request = insertion("c", "", &[i64::MIN, -1]);
    request.row_record_array[0].float_data = special.to_vec();
    let _: wire::VectorIds = client.call("Insert", request).unwrap();
    client.flush("c");
    let rows = &standin.collection("c").unwrap().partitions[0].rows;
    let Vectors::Float(kept) = &rows.vectors else {
        panic!("{rows:?}");
    };
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&kept[..4]), bits(&special));
    assert_eq!(rows.ids, [i64::MIN, -1]);
}

#[test]
fn ids_given_again_double_the_rows() {
    let (_standin, client) = start(quiet());
    client.insert("c", "", &[1, 2]);
    client.insert("c", "", &[1, 2]);
    client.flush("c");
    assert_eq!(client.count("c"), 4);
}

#[test]
fn the_name_of_a_dropped_collection_is_blocked_for_a_moment() {
    let (_standin, client) = start(quiet());
    assert_eq!(client.status("DropCollection", name("c")), fine());
    let (code, reason) = client.create("c", 4, 1);
    let blocked = "Collection already exists and it is in delete state, please wait a second";
    assert_eq!((code, reason.as_str()), (1, blocked));
    let start = Instant::now();
    while client.create("c", 4, 1) != fine() {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn an_insert_of_256_mib_is_taken_and_one_byte_more_is_not() {
    let (_standin, client) = start(StandinOptions {
        discards: true,
        ..quiet()
    });
    assert_eq!(client.create("b", 32768, 3), fine());
    let row = wire::RowRecord {
        binary_data: vec![1; 4096].into(),
        ..Default::default()
    };
    let mut request = wire::InsertParam {
        collection_name: "b".to_owned(),
        row_record_array: vec![row; 65536],
        ..Default::default()
    };
    let reply: wire::VectorIds = client.call("Insert", request.clone()).unwrap();
    assert_eq!(reply.vector_id_array.len(), 65536);
    request.row_record_array[0].binary_data = vec![1; 4097].into();
    let reply: wire::VectorIds = client.call("Insert", request).unwrap();
    let status = reply.status.unwrap();
    let limit = "The amount of data inserted each time cannot exceed 256 MB";
    assert_eq!((status.error_code, status.reason.as_str()), (11, limit));
    client.flush("b");
    assert_eq!(client.count("b"), 65536);
}

#[test]
fn a_collection_takes_4096_partitions_besides_the_default_one() {
    let (_standin, client) = start(quiet());
    for number in 0..4096 {
        assert_eq!(client.create_partition("c", &number.to_string()), fine());
    }
    let (code, reason) = client.create_partition("c", "one more");
    let limit = "The number of partitions exceeds the upper limit(4096)";
    assert_eq!((code, reason.as_str()), (1, limit));
    assert_eq!(client.status("DropPartition", partition("c", "7")), fine());
    assert_eq!(client.create_partition("c", "one more"), fine());
}
