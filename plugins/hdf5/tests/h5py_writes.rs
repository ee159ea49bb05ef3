// SPDX-License-Identifier: Apache-2.0
//! Files made by h5py are read as they are meant: types and storage.

mod common;

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, UInt64Array};
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
fn every_number_type_in_either_byte_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "x = np.arange(60).reshape(20, 3)
for t in ['f2', 'f4', 'f8', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'u8']:
    for o in '<>':
        f.create_dataset(f'{o}{t}', data=(x - 30 if t[0] != 'u' else x).astype(o + t))
        f.create_dataset(f'{o}{t}z', data=(x - 30 if t[0] != 'u' else x).astype(o + t), chunks=(7, 2), compression='gzip', shuffle=True)",
    );
    let unsigned: Vec<f64> = (0..60).map(f64::from).collect();
    let signed: Vec<f64> = (-30..30).map(f64::from).collect();
    for (stored, read) in [
        ("f2", "f16"),
        ("f4", "f32"),
        ("f8", "f64"),
        ("i1", "i8"),
        ("u1", "u8"),
        ("i2", "f32"),
        ("u2", "f32"),
        ("i4", "f64"),
        ("u4", "f64"),
        ("i8", "f64"),
        ("u8", "f64"),
    ] {
        for name in [
            format!("<{stored}"),
            format!(">{stored}"),
            format!("<{stored}z"),
            format!(">{stored}z"),
        ] {
            let options = json!({ "vectors": name, "wide_ints": "f64" });
            assert_eq!(elem(&path, &options), read, "{name}");
            let wanted = if stored.starts_with('u') {
                &unsigned
            } else {
                &signed
            };
            assert_eq!(floats(&column(&path, options, "vector")), *wanted, "{name}");
        }
    }
    let refused = read_error(json!({ "path": path, "vectors": "<i8" }));
    assert!(
        refused.contains("int64") && refused.contains("wide_ints"),
        "{refused}"
    );
}

#[test]
fn special_floats_keep_their_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "b = np.array([0x7FC00001, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x7F7FFFFF], 'u4').reshape(3, 2)
f['train'] = b.view('<f4')
f['big'] = b.view('<f4').astype('>f4')
h = np.arange(65536, dtype='u2').reshape(256, 256)
f['half'] = h.view('<f2')
f['bighalf'] = h.byteswap().view('>f2')",
    );
    let bits: Vec<u32> = [
        0x7FC0_0001,
        0x7F80_0000,
        0xFF80_0000,
        0x8000_0000,
        1,
        0x7F7F_FFFF,
    ]
    .to_vec();
    for name in ["train", "big"] {
        let vectors = column(&path, json!({ "vectors": name }), "vector");
        let values = vectors
            .as_fixed_size_list()
            .values()
            .as_primitive::<Float32Type>()
            .clone();
        assert_eq!(
            values
                .values()
                .iter()
                .map(|v| v.to_bits())
                .collect::<Vec<_>>(),
            bits,
            "{name}"
        );
    }
    let half = column(&path, json!({ "vectors": "half" }), "vector");
    let values = half.as_fixed_size_list().values();
    let values = values
        .as_primitive::<arrow_array::types::Float16Type>()
        .values();
    assert!(
        values
            .iter()
            .enumerate()
            .all(|(i, v)| usize::from(v.to_bits()) == i)
    );
    let big = column(&path, json!({ "vectors": "bighalf" }), "vector");
    let (half, big) = (floats(&half), floats(&big));
    assert!(
        half.iter()
            .zip(&big)
            .all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
    );
}

#[test]
fn every_storage_that_h5py_has() {
    let folder = tempfile::tempdir().unwrap();
    let program = "x = np.arange(5000 * 6, dtype='f4').reshape(5000, 6)
i = np.arange(5000, dtype='i8') * 3
for name, how in {
    'contiguous': {}, 'chunked': dict(chunks=(100, 6)), 'narrow': dict(chunks=(33, 4)),
    'gzip': dict(compression='gzip'), 'gzip9': dict(compression=9, shuffle=True, chunks=(1000, 6)),
    'lzf': dict(compression='lzf'), 'lzfs': dict(compression='lzf', shuffle=True, fletcher32=True),
    'sums': dict(fletcher32=True), 'scaled': dict(scaleoffset=2), 'grown': dict(maxshape=(None, 6)),
    'both': dict(maxshape=(None, None), compression='gzip'),
}.items():
    g = f.create_group(name)
    g.create_dataset('x', data=x, **how)
    how.pop('chunks', None); how.pop('maxshape', None)
    if name == 'scaled': how = dict(scaleoffset=0)
    g.create_dataset('ids', data=i, **how)";
    for libver in ["earliest", "v110", "v114"] {
        let path = folder.path().join(format!("{libver}.h5"));
        let program = program.replace('\n', "\n    ");
        let program = format!(
            "with h5py.File(sys.argv[1], 'w', libver=('{libver}', 'v114')) as f:\n    {program}"
        );
        python(&program, &[&path]);
        let x: Vec<f64> = (0..30_000).map(f64::from).collect();
        for name in [
            "contiguous",
            "chunked",
            "narrow",
            "gzip",
            "gzip9",
            "lzf",
            "lzfs",
            "sums",
            "scaled",
            "grown",
            "both",
        ] {
            let options = json!({ "path": path, "vectors": format!("/{name}/x") });
            for batch_bytes in [1000, 40_000, 1 << 24] {
                let (_, batches) = read_one(options.clone(), batch_bytes).unwrap();
                let (mut vectors, mut ids): (Vec<f64>, Vec<i64>) = Default::default();
                for batch in &batches {
                    let at_most = (batch_bytes / 32).max(1) as usize;
                    assert!(
                        batch.num_rows() <= at_most,
                        "{name}: {} rows",
                        batch.num_rows()
                    );
                    vectors.extend(floats(batch.column(1)));
                    ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
                }
                assert!(vectors == x, "{libver} {name} {batch_bytes}");
                assert!(
                    ids.iter().enumerate().all(|(i, id)| *id == i as i64 * 3),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn ids_of_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['x'] = np.zeros((4, 2), 'f4')
f['u8'] = np.array([0, 1, 2**63, 2**64 - 1], 'u8')
f['i2'] = np.array([-1, 2, 3, 4], '>i2')
f['u4'] = np.array([0, 1, 2, 2**32 - 1], 'u4')
f['flat'] = np.array([[1], [2], [3], [4]], 'i8')
f['S'] = np.array([b'a', b'', b'ccc', b'dd'])
f.create_dataset('vlen', data=['ä', '', 'c' * 3000, 'd'], dtype=h5py.string_dtype())
f.create_dataset('fixed', data=[v.encode() for v in ['ä', '', 'ccc', 'd']], dtype=h5py.string_dtype('utf-8', 20))
f.create_dataset('ascii', data=['a', '', 'c', 'd'], dtype=h5py.string_dtype('ascii'), chunks=(2,), compression='gzip')
f['f8'] = np.zeros(4)
f['wide'] = np.zeros((4, 2), 'i8')
f['short'] = np.zeros(3, 'i8')",
    );
    let read = |name: &str| {
        column(
            &path,
            json!({"vectors": "x", "ids": name, "columns": "none"}),
            "id",
        )
    };
    let same = |name: &str, wanted: ArrayRef| assert_eq!(&read(name), &wanted, "{name}");
    same(
        "u8",
        Arc::new(UInt64Array::from(vec![0, 1, 1 << 63, u64::MAX])),
    );
    same("i2", Arc::new(Int64Array::from(vec![-1, 2, 3, 4])));
    same(
        "u4",
        Arc::new(Int64Array::from(vec![0, 1, 2, u32::MAX.into()])),
    );
    same("flat", Arc::new(Int64Array::from(vec![1, 2, 3, 4])));
    same("S", Arc::new(StringArray::from(vec!["a", "", "ccc", "dd"])));
    same(
        "vlen",
        Arc::new(StringArray::from(vec!["ä", "", &"c".repeat(3000), "d"])),
    );
    same(
        "fixed",
        Arc::new(StringArray::from(vec!["ä", "", "ccc", "d"])),
    );
    same(
        "ascii",
        Arc::new(StringArray::from(vec!["a", "", "c", "d"])),
    );
    for (name, why) in [
        ("f8", "4 float64"),
        ("wide", "4 x 2 int64"),
        ("short", "3 rows, the vectors 4"),
        ("none/x", "no dataset"),
    ] {
        let error =
            read_error(json!({"path": path, "vectors": "x", "ids": name, "columns": "none"}));
        assert!(error.contains(why), "{error}");
    }
    let (dataset, _) = read_one(
        json!({"path": path, "vectors": "x", "columns": "none"}),
        100,
    )
    .unwrap();
    assert_eq!(dataset.schema.fields().len(), 1, "no dataset `ids`, no ids");
}

#[test]
fn columns_beside_the_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['embeddings'] = np.zeros((3, 2), 'f4')
f['ids'] = np.array([1, 2, 3])
f['vector'] = np.array([1.5, 2.5, 3.5])
f['ok'] = np.array([True, False, True])
f['name'] = ['a', 'b', 'ç']
f['sub/other'] = np.array([7, 8, 9], 'u2')
f['matrix'] = np.zeros((3, 3))",
    );
    let (dataset, batches) = read_one(json!({ "path": path }), 1 << 20).unwrap();
    let names: Vec<_> = dataset
        .schema
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(names, ["id", "embeddings", "name", "ok", "vector"]);
    assert_eq!(batches[0].column(2).as_string::<i32>().value(2), "ç");
    assert!(!batches[0].column(3).as_boolean().value(1));
    let (dataset, batches) = read_one(
        json!({"path": path, "ids": "none", "columns": ["/sub/other"]}),
        1 << 20,
    )
    .unwrap();
    assert_eq!(dataset.schema.fields().len(), 2);
    assert_eq!(
        batches[0].column(1).to_data().buffers()[0].as_slice()[..2],
        [7, 0]
    );
    let tree = source(json!({ "path": path })).unwrap().inspect().unwrap();
    let text = format!("{tree:?}");
    assert!(
        text.contains("`/matrix` (3 x 3 float64), not read"),
        "{text}"
    );
}

#[test]
fn what_only_hdf5_2_reads_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let write = |libver: &str| {
        let program = format!(
            "with h5py.File(sys.argv[1], 'w', libver={libver}) as f:
    f.create_dataset('train', data=np.ones((100, 4), 'f4'), chunks=(10, 4), compression='gzip')"
        );
        python(&program, &[&path]);
    };
    write("'latest'");
    let error = read_error(json!({ "path": path }));
    for part in [
        "bad version number",
        "`h5repack --high=4` of HDF5 2",
        "`libver=('earliest', 'v114')`",
    ] {
        assert!(error.contains(part), "`{part}` in: {error}");
    }
    write("('earliest', 'v114')");
    assert_eq!(
        read_one(json!({ "path": path }), 1 << 20).unwrap().1.len(),
        1
    );
}
