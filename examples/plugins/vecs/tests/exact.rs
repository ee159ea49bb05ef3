// SPDX-License-Identifier: Apache-2.0
//! What the small files hold arrives value by value, and options do what their page says.
#![allow(missing_docs)]

mod common;

use common::{Place, data, file_of, open, read, request};
use milvusdm_plugin_api::ErrorKind;
use milvusdm_plugin_api::arrow::array::RecordBatch;
use milvusdm_plugin_api::arrow::array::cast::AsArray;
use milvusdm_plugin_api::arrow::array::types::{
    Float32Type, Float64Type, Int32Type, Int64Type, UInt8Type,
};
use serde_json::{Value, json};

fn one_batch(options: &Value) -> RecordBatch {
    let mut batches = read(options, &request(0, 1 << 20)).unwrap();
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    let column = batch.column_by_name("id").unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn floats_arrive_as_they_are() {
    let batch = one_batch(&json!({"path": data("points.fvecs")}));
    assert_eq!(ids(&batch), (0..10).collect::<Vec<_>>());
    let vectors = batch.column_by_name("vector").unwrap().as_fixed_size_list();
    assert_eq!(vectors.value_length(), 4);
    let wanted: Vec<f32> = (0..10)
        .flat_map(|i| (0..4).map(move |j| i as f32 + j as f32 / 4.0))
        .collect();
    assert_eq!(
        vectors.values().as_primitive::<Float32Type>().values(),
        &wanted[..]
    );
}

#[test]
fn odd_floats_keep_their_bits() {
    let odd = [
        f32::NAN,
        -0.0,
        f32::INFINITY,
        f32::from_bits(0xffc0_1234),
        1e-45,
    ];
    let row: Vec<[u8; 4]> = odd.iter().map(|f| f.to_le_bytes()).collect();
    let place = Place::with("odd.fvecs", &file_of(&[row]));
    let batch = one_batch(&place.options(json!({})));
    let vectors = batch.column(1).as_fixed_size_list();
    let values = vectors.values().as_primitive::<Float32Type>().values();
    let bits = |floats: &[f32]| floats.iter().map(|f| f.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(values), bits(&odd));
}

#[test]
fn bytes_arrive_as_they_are_and_ids_count_from_where_they_should() {
    let batch = one_batch(&json!({"path": data("bytes.bvecs"), "first_id": 100}));
    assert_eq!(ids(&batch), (100..112).collect::<Vec<_>>());
    let vectors = batch.column(1).as_fixed_size_list();
    let wanted: Vec<u8> = (0..12u8)
        .flat_map(|i| (0..16).map(move |j| i.wrapping_mul(16) + j))
        .collect();
    assert_eq!(
        vectors.values().as_primitive::<UInt8Type>().values(),
        &wanted[..]
    );
}

#[test]
fn integers_become_what_the_option_says() {
    let wanted: Vec<i32> = (0..5)
        .flat_map(|i| (0..3).map(move |k| (i + k) % 10))
        .collect();
    let at = |integers: &str| {
        let options = json!({"path": data("nearest.ivecs"), "integers": integers, "ids": "none"});
        let batch = one_batch(&options);
        assert_eq!(batch.num_columns(), 1);
        batch.column(0).clone()
    };
    let f32s = at("f32");
    let f32s = f32s
        .as_fixed_size_list()
        .values()
        .as_primitive::<Float32Type>();
    assert!(
        f32s.values()
            .iter()
            .zip(&wanted)
            .all(|(f, i)| *f == *i as f32)
    );
    let f64s = at("f64");
    let f64s = f64s
        .as_fixed_size_list()
        .values()
        .as_primitive::<Float64Type>();
    assert!(
        f64s.values()
            .iter()
            .zip(&wanted)
            .all(|(f, i)| *f == f64::from(*i))
    );
    let lists = at("list");
    let lists = lists.as_list::<i32>();
    assert_eq!(lists.value_offsets(), [0, 3, 6, 9, 12, 15]);
    assert_eq!(
        lists.values().as_primitive::<Int32Type>().values(),
        &wanted[..]
    );
}

#[test]
fn an_integer_that_a_float_would_round_is_refused_with_its_place() {
    let row = |numbers: [i32; 3]| numbers.map(i32::to_le_bytes).to_vec();
    let exact = row([16_777_216, i32::MIN, -16_777_218]);
    let rounded = row([0, 16_777_217, i32::MAX]);
    let place = Place::with("n.ivecs", &file_of(&[exact.clone(), rounded.clone()]));
    let error = read(&place.options(json!({})), &request(0, 1 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("16777217"), "{error}");
    for (key, value) in [("row", "1"), ("element", "1"), ("offset", "24")] {
        assert_eq!(error.context_value(key), Some(value), "{error}");
    }
    assert!(error.to_string().contains("n.ivecs"), "{error}");
    let batch = one_batch(&place.options(json!({"integers": "f64"})));
    let f64s = batch.column(1).as_fixed_size_list().values();
    let wanted: Vec<f64> = [exact, rounded]
        .concat()
        .into_iter()
        .map(|bytes| f64::from(i32::from_le_bytes(bytes)))
        .collect();
    assert_eq!(f64s.as_primitive::<Float64Type>().values(), &wanted[..]);
}

#[test]
fn the_format_may_be_said_where_the_ending_does_not() {
    let bytes = std::fs::read(data("points.fvecs")).unwrap();
    let place = Place::with("points.bin", &bytes);
    let error = open(&place.options(json!({}))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`format`"), "{error}");
    let batch = one_batch(&place.options(json!({"format": "fvecs"})));
    assert_eq!(batch, one_batch(&json!({"path": data("points.fvecs")})));
}

#[test]
fn ids_never_pass_the_largest_one() {
    let at = |first: i64| json!({"path": data("points.fvecs"), "first_id": first});
    assert_eq!(ids(&one_batch(&at(i64::MAX - 9))).last(), Some(&i64::MAX));
    let error = open(&at(i64::MAX - 8)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.context_value("option"), Some("first_id"));
    assert_eq!(ids(&one_batch(&at(i64::MIN))).first(), Some(&i64::MIN));
    let both = json!({"path": data("points.fvecs"), "first_id": 1, "ids": "none"});
    assert_eq!(open(&both).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn files_are_collections_in_the_order_they_are_named() {
    let options = json!({"path": [data("nearest.ivecs"), data("*.?vecs")]});
    let error = open(&options).unwrap_err();
    assert!(error.message().contains("twice"), "{error}");
    let source = open(&json!({"path": data("*.?vecs")})).unwrap();
    let keys: Vec<String> = source
        .datasets()
        .unwrap()
        .into_iter()
        .map(|d| d.key)
        .collect();
    assert_eq!(keys, ["bytes", "nearest", "points"]);
}
