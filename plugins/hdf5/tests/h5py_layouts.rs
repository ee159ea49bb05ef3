// SPDX-License-Identifier: Apache-2.0
//! Files made by h5py are read as they are meant: names, places, layouts.

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray};
use common::*;
use serde_json::{Value, json};

/// Reads a column of a file whole.
fn column(path: &Path, mut options: Value, name: &str) -> ArrayRef {
    options["path"] = json!(path);
    let (_, batches) = read_one(options, 1 << 24).unwrap();
    assert_eq!(batches.len(), 1);
    batches[0].column_by_name(name).unwrap().clone()
}

fn elem(path: &Path, options: &Value) -> String {
    let mut options = options.clone();
    options["path"] = json!(path);
    let (dataset, _) = read_one(options, 1 << 24).unwrap();
    meta(&dataset, "vector")["elem"].clone()
}

/// The elements of vectors as f64, row after row.
fn floats(vectors: &ArrayRef) -> Vec<f64> {
    let values = vectors.as_fixed_size_list().values();
    macro_rules! widen {
        ($($t:ty),+) => {
            $(if let Some(values) = values.as_primitive_opt::<$t>() {
                return values.values().iter().map(|v| f64::from(*v)).collect();
            })+
        };
    }
    use arrow_array::types::{Float16Type, Int8Type, UInt8Type};
    widen!(Float16Type, Float32Type, Float64Type, Int8Type, UInt8Type);
    panic!("{}", values.data_type());
}

#[test]
fn ann_benchmarks_files() {
    let folder = tempfile::tempdir().unwrap();
    let common = "f['test'] = np.zeros((2, 8), 'f4'); f['neighbors'] = np.zeros((2, 5), 'i4'); f['distances'] = np.zeros((2, 5), 'f4')";
    for (distance, metric) in [
        ("euclidean", "l2"),
        ("angular", "cosine"),
        ("hamming", "hamming"),
    ] {
        let path = made(
            folder.path(),
            &format!("{distance}.hdf5"),
            &format!(
                "f['train'] = np.arange(40).reshape(5, 8).astype('?' if '{distance}' == 'hamming' else 'f4') 
{common}
f.attrs['distance'] = '{distance}'; f.attrs['type'] = 'dense'; f.attrs['dimension'] = 8; f.attrs['point_type'] = 'float'"
            ),
        );
        let (dataset, batches) = read_one(json!({ "path": path }), 1 << 20).unwrap();
        assert_eq!(dataset.descriptor.collection, distance);
        let vector = meta(&dataset, "vector");
        assert_eq!(vector["metric"], metric);
        if distance == "hamming" {
            assert_eq!((&*vector["elem"], &*vector["bit_order"]), ("bit", "msb"));
            let wanted: ArrayRef = Arc::new(FixedSizeBinaryArray::new(
                1,
                vec![0x7Fu8, 255, 255, 255, 255].into(),
                None,
            ));
            assert_eq!(batches[0].column(0), &wanted);
        } else {
            assert_eq!(
                floats(batches[0].column(0)),
                (0..40).map(f64::from).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn binary_vectors_of_milvusdm_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "x = np.arange(12, dtype='u1').reshape(3, 4)
f.create_dataset('embeddings', data=x, dtype='u1')
f.create_dataset('ids', data=[5, 6, 7])
f['numbers'] = x",
    );
    let (dataset, batches) = read_one(json!({ "path": path, "columns": "none" }), 1 << 20).unwrap();
    let vector = meta(&dataset, "vector");
    assert_eq!(
        (&*vector["kind"], &*vector["dim"], &*vector["bit_order"]),
        ("binary", "32", "unknown")
    );
    assert_eq!(
        batches[0].column(1).as_fixed_size_binary().value(1),
        [4, 5, 6, 7]
    );
    assert_eq!(elem(&path, &json!({ "binary": "no" })), "u8");
    assert_eq!(elem(&path, &json!({ "vectors": "numbers" })), "u8");
    assert_eq!(
        elem(&path, &json!({ "vectors": "numbers", "binary": "yes" })),
        "bit"
    );
    assert_eq!(
        elem(&path, &json!({ "vectors": "numbers", "metric": "JACCARD" })),
        "bit"
    );
    // Rows are appended to such a file as to our own.
    let bits = milvusdm_plugin_api::model::VectorType::binary(
        32,
        milvusdm_plugin_api::model::BitOrder::Unknown,
    );
    let new = batch(&bits, Some(&arrow_schema::DataType::Int64), 2, false);
    python(
        "with h5py.File(sys.argv[1], 'a') as f:\n    del f['numbers']",
        &[&path],
    );
    let spec = spec("c", None, Some(2), milvusdm_plugin_api::Mode::Append);
    let ack = write(json!({ "path": path }), spec, &new, 2).unwrap();
    assert_eq!(ack.rows_total, Some(5));
    let ids = column(&path, json!({}), "id");
    assert_eq!(ids.as_primitive::<Int64Type>().values()[..3], [5, 6, 7]);
}

#[test]
fn places_and_links_inside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    python(
        "with h5py.File(sys.argv[1], 'w', userblock_size=1024) as f:
    f['deep/er/x'] = np.arange(6.0).reshape(3, 2)
    f['hard'] = f['deep/er/x']
    f['soft'] = h5py.SoftLink('/deep/er/x')
    f['loop/self'] = f['/']
    f['compact'] = 0
    p = h5py.h5p.create(h5py.h5p.DATASET_CREATE); p.set_layout(h5py.h5d.COMPACT)
    d = h5py.h5d.create(f.id, b'small', h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3, 2)), p)
    d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(6.0).reshape(3, 2))",
        &[&path],
    );
    let wanted: Vec<f64> = (0..6).map(f64::from).collect();
    for vectors in [
        "/deep/er/x",
        "deep/er/x",
        "/hard",
        "/soft",
        "/loop/self/deep/er/x",
        "/small",
        "//deep/./er/x",
    ] {
        let got = column(
            &path,
            json!({ "vectors": vectors, "columns": "none" }),
            "vector",
        );
        assert_eq!(floats(&got), wanted, "{vectors}");
    }
}

#[test]
fn several_files_and_folders_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("in/faces")).unwrap();
    let rows = |name: &str, from: u32, more: &str| {
        made(
            root,
            name,
            &format!(
                "f['train'] = np.arange({from}, {from} + 4, dtype='f4').reshape(2, 2)\n{more}"
            ),
        );
    };
    rows("in/one.h5", 0, "f.attrs['metric'] = 7");
    rows("in/faces/p1.h5", 10, "");
    rows("in/faces/_default.hdf5", 20, "");
    rows(
        "in/named.h5",
        30,
        "f.attrs['collection'] = 'faces'; f.attrs['partition'] = np.bytes_('p1')",
    );
    let all = read_all(json!({ "path": root.join("in") }), 1 << 20).unwrap();
    let found: Vec<_> = all
        .iter()
        .map(|(d, batches)| {
            let vectors: Vec<f64> = batches.iter().flat_map(|b| floats(b.column(0))).collect();
            (
                d.descriptor.full_name(),
                d.descriptor.partition_default,
                vectors[0],
                vectors.len(),
            )
        })
        .collect();
    let name = |name: &str, is_default, first, count| (name.to_owned(), is_default, first, count);
    assert_eq!(
        found,
        [
            name("faces/_default", true, 20.0, 4),
            name("faces/p1", false, 10.0, 8),
            name("one", false, 0.0, 4)
        ]
    );
    let pattern = root.join("in/faces/*");
    let listed = read_all(
        json!({ "path": [root.join("in/one.h5"), pattern] }),
        1 << 20,
    )
    .unwrap();
    assert_eq!(listed.len(), 3);
    rows(
        "in/faces2.h5",
        0,
        "f.attrs['collection'] = 'faces'; f.attrs['partition'] = 'p1'; f['ids'] = [1, 2]",
    );
    let error = read_error(json!({ "path": root.join("in") }));
    assert!(
        error.contains("different columns") && error.contains("faces2.h5"),
        "{error}"
    );
}

#[test]
fn a_file_that_changes_between_plan_and_reading_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(folder.path(), "a.h5", "f['train'] = np.zeros((4, 2), 'f4')");
    let source = source(json!({ "path": path })).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits(&dataset.key).unwrap().remove(0);
    made(folder.path(), "a.h5", "f['train'] = np.ones((4, 2), 'f4')");
    let request = milvusdm_plugin_api::ReadRequest {
        first_row: 0,
        max_batch_bytes: 100,
        max_batch_rows: None,
    };
    let error = source
        .read(&dataset, &split, &request)
        .unwrap_err()
        .to_string();
    assert!(error.contains("changed"), "{error}");
}

#[test]
fn rows_are_passed_over_where_an_earlier_run_had_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['train'] = np.arange(100.0).reshape(50, 2)",
    );
    let source = source(json!({ "path": path })).unwrap();
    let dataset = source.datasets().unwrap().remove(0);
    let split = source.splits(&dataset.key).unwrap().remove(0);
    for first_row in [0, 1, 49, 50] {
        let request = milvusdm_plugin_api::ReadRequest {
            first_row,
            max_batch_bytes: 100,
            max_batch_rows: Some(4),
        };
        let mut reader = source.read(&dataset, &split, &request).unwrap();
        let mut values = Vec::new();
        while let Some(batch) = reader.next().unwrap() {
            assert!(batch.num_rows() <= 4);
            values.extend(floats(batch.column(0)));
        }
        assert_eq!(
            values,
            (first_row * 2..100).map(|v| v as f64).collect::<Vec<_>>()
        );
    }
    let request = milvusdm_plugin_api::ReadRequest {
        first_row: 51,
        max_batch_bytes: 100,
        max_batch_rows: None,
    };
    assert!(source.read(&dataset, &split, &request).is_err());
}
