// SPDX-License-Identifier: Apache-2.0
//! Faults befall the calls they are meant for, and do neither more nor less than they say.

mod common;

use std::time::{Duration, Instant};

use common::{Client, fine, insertion, quiet};
use milvusdm_proto::milvus1 as wire;
use milvusdm_standin::{Standin, StandinOptions};
use tonic::{Code, Status};

fn start(faults: &[&str]) -> (Standin, Client) {
    let standin = Standin::start(StandinOptions {
        faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        ..quiet()
    })
    .unwrap();
    let client = Client::of(&standin);
    assert_eq!(client.create("c", 4, 1), fine());
    (standin, client)
}

fn insert(client: &Client, ids: &[i64]) -> Result<wire::VectorIds, Status> {
    client.call("Insert", insertion("c", "", ids))
}

fn rows(standin: &Standin) -> u64 {
    standin.collection("c").unwrap().partitions[0].unflushed_rows
}

#[test]
fn an_insert_with_a_certain_id_is_refused_and_others_are_taken() {
    let (standin, client) = start(&["insert:id=5=refuse(11):no fives"]);
    assert_eq!(client.insert("c", "", &[1, 2]), fine());
    let refused = (11, "no fives".to_owned());
    assert_eq!(client.insert("c", "", &[4, 5, 6]), refused);
    assert_eq!(client.insert("c", "", &[4, 6]), fine());
    assert_eq!(rows(&standin), 4);
}

#[test]
fn an_insert_with_a_float_that_is_no_number_is_refused() {
    let (standin, client) = start(&["insert:nan=refuse:not a number"]);
    let mut request = insertion("c", "", &[1, 2]);
    request.row_record_array[1].float_data[3] = f32::NAN;
    let reply: wire::VectorIds = client.call("Insert", request).unwrap();
    assert_eq!(reply.status.unwrap().reason, "not a number");
    assert_eq!(reply.vector_id_array, [1, 2]);
    assert_eq!(rows(&standin), 0);
}

#[test]
fn a_connection_that_is_cut_before_leaves_no_rows_and_one_cut_after_leaves_them() {
    let (standin, client) = start(&["insert@1=drop-before", "insert@2=drop-after"]);
    insert(&client, &[1]).unwrap_err();
    assert_eq!(rows(&standin), 0);
    insert(&client, &[2]).unwrap_err();
    assert_eq!(rows(&standin), 1);
    insert(&client, &[3]).unwrap();
    assert_eq!(rows(&standin), 2);
}

#[test]
fn an_unavailable_server_does_nothing_and_says_it_in_the_status_of_grpc() {
    let (standin, client) = start(&["insert@2=unavailable:try again"]);
    insert(&client, &[1]).unwrap();
    let status = insert(&client, &[2]).unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "try again")
    );
    assert_eq!(rows(&standin), 1);
}

#[test]
fn a_stalled_call_gets_no_reply_while_others_do() {
    let (standin, client) = start(&["insert=stall"]);
    std::thread::scope(|scope| {
        let stalled = scope.spawn(|| insert(&client, &[1]));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!stalled.is_finished());
        assert_eq!(Client::of(&standin).count("c"), 0);
        standin.clear_faults();
        insert(&Client::of(&standin), &[2]).unwrap();
        assert_eq!(rows(&standin), 1);
        standin.stop();
        stalled.join().unwrap().unwrap_err();
    });
}

#[test]
fn a_server_that_dies_cuts_everything_and_is_gone() {
    let (standin, client) = start(&["insert@1=die-after"]);
    insert(&client, &[1]).unwrap_err();
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", standin.port())).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(rows(&standin), 1);
    standin.wait();
}

#[test]
fn faults_can_be_set_while_it_runs_and_befall_any_call() {
    let (standin, client) = start(&[]);
    standin.fail("*@2=delay:100".parse().unwrap());
    standin.fail("*@3+=unimplemented".parse().unwrap());
    let start = Instant::now();
    client.count("c");
    client.count("c");
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(
        insert(&client, &[1]).unwrap_err().code(),
        Code::Unimplemented
    );
    standin.clear_faults();
    insert(&client, &[1]).unwrap();
}
