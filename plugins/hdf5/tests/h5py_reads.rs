// SPDX-License-Identifier: Apache-2.0
//! What is written opens in h5py with the right names, types, shapes, attributes and values.

mod common;

use arrow_schema::DataType;
use common::*;
use milvusdm_plugin_api::Mode;
use milvusdm_plugin_api::model::{BitOrder, Elem, VectorType};
use serde_json::json;

/// Prints every dataset's name, type, shape, chunks and packing, then the attributes.
const DESCRIBE: &str = "
with h5py.File(sys.argv[1]) as f:
    for n in sorted(f):
        d = f[n]
        s = h5py.check_string_dtype(d.dtype)
        t = f'string {s.encoding} {s.length}' if s else str(d.dtype)
        print(n, t, d.shape, d.chunks, d.compression, d.compression_opts, d.shuffle)
    for n in sorted(f.attrs):
        print(n, type(f.attrs[n]).__name__, repr(f.attrs[n]))
";

fn described(path: &std::path::Path) -> Vec<String> {
    python(DESCRIBE, &[path])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_plain_file_is_what_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let vector = VectorType::dense(Elem::F32, 3).with_metric(Some("ip"));
    let batch = batch(&vector, Some(&DataType::Int64), 10, true);
    let spec = spec("fäces", Some("p"), Some(10), Mode::Fail);
    write(json!({ "path": path }), spec, &batch, 4).unwrap();
    assert_eq!(
        described(&path),
        [
            "a bool bool (10,) None None None False",
            "embeddings float32 (10, 3) None None None False",
            "f16 float16 (10,) None None None False",
            "f32 float32 (10,) None None None False",
            "f64 float64 (10,) None None None False",
            "i16 int16 (10,) None None None False",
            "i32 int32 (10,) None None None False",
            "i64 int64 (10,) None None None False",
            "i8 int8 (10,) None None None False",
            "ids int64 (10,) None None None False",
            "text string utf-8 None (10,) None None None False",
            "u16 uint16 (10,) None None None False",
            "u32 uint32 (10,) None None None False",
            "u64 uint64 (10,) None None None False",
            "u8 uint8 (10,) None None None False",
            "ünï string utf-8 None (10,) None None None False",
            "collection str 'fäces'",
            "dim int64 np.int64(3)",
            "metric str 'ip'",
            "milvusdm_format int64 np.int64(1)",
            "partition str 'p'",
        ]
    );
}

#[test]
fn packing_and_chunks_are_those_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let vector = VectorType::binary(12, BitOrder::Lsb);
    let batch = batch(&vector, Some(&DataType::UInt64), 10, false);
    for (compression, shuffle, wanted) in [
        ("gzip:7", true, "(4,) gzip 7 True"),
        ("lzf", false, "(4,) lzf None False"),
        ("none", false, "(4,) None None False"),
    ] {
        let options =
            json!({"path": path, "compression": compression, "shuffle": shuffle, "chunk_rows": 4});
        write(options, spec("c", None, None, Mode::Overwrite), &batch, 3).unwrap();
        let lines = described(&path);
        assert_eq!(
            lines[0],
            format!(
                "embeddings uint8 (10, 2) {}",
                wanted.replace("(4,)", "(4, 2)")
            )
        );
        assert_eq!(lines[1], format!("ids uint64 (10,) {wanted}"));
        let attributes = [
            "bit_order str 'lsb'",
            "collection str 'c'",
            "dim int64 np.int64(12)",
            "milvusdm_format int64 np.int64(1)",
        ];
        assert_eq!(lines[2..], attributes);
    }
}

#[test]
fn h5py_reads_the_values_that_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let vector = VectorType::dense(Elem::F16, 7);
    let batch = batch(&vector, Some(&DataType::Utf8), 3000, true);
    let paths: Vec<_> = [
        json!({}),
        json!({"compression": "gzip", "chunk_rows": 128}),
        json!({"compression": "lzf"}),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, mut options)| {
        let path = folder.path().join(format!("{i}.h5"));
        options["path"] = json!(path);
        let rows = (i == 0).then_some(3000);
        write(options, spec("c", None, rows, Mode::Fail), &batch, 500).unwrap();
        path
    })
    .collect();
    // h5py copies each into a file of its own making; both must read the same.
    for path in paths {
        let copy = folder.path().join("copy.h5");
        python(
            "with h5py.File(sys.argv[1]) as a, h5py.File(sys.argv[2], 'w') as b:
    for n in a:
        s = h5py.check_string_dtype(a[n].dtype)
        v = a[n].asstr()[:] if s else a[n][:]
        b.create_dataset(n, data=v, dtype=h5py.string_dtype() if s else None)
    for n in a.attrs:
        b.attrs[n] = a.attrs[n]",
            &[&path, &copy],
        );
        let (dataset, batches) = read_one(json!({ "path": copy }), 1 << 24).unwrap();
        assert_eq!(dataset.schema, batch.schema());
        assert_rows(&batches, &batch);
    }
}
