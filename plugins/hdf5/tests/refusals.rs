// SPDX-License-Identifier: Apache-2.0
//! What can't be read is refused, with the reason: damaged files, data in other files, types
//! that are no vectors.

mod common;

use std::path::Path;

use common::*;
use serde_json::json;

fn refused(path: &Path, vectors: &str, why: &[&str]) {
    let error = read_error(json!({ "path": path, "vectors": vectors, "columns": "none" }));
    for why in why {
        assert!(error.contains(why), "{vectors}: `{why}` in: {error}");
    }
    assert!(
        error.contains(path.file_name().unwrap().to_str().unwrap()),
        "{error}"
    );
}

#[test]
fn datasets_that_are_no_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['flat'] = np.zeros(4)
f['cube'] = np.zeros((4, 2, 2))
f['scalar'] = 3.5
f['null'] = h5py.Empty('f4')
f['narrow'] = np.zeros((4, 0))
f['wide'] = np.zeros((1, 2**20 + 1), 'f4')
f['text'] = np.array([[b'a', b'b']])
f['compound'] = np.zeros((4, 2), [('a', 'f4'), ('b', 'i4')])
f['complex'] = np.zeros((4, 2), 'c8')
f.create_dataset('array', (4, 2), np.dtype('(3,)f4'))
f['arrays'] = np.zeros((4, 2), np.dtype([('a', 'f4', (3,))]))
f['opaque'] = np.zeros((4, 2), 'V5')
f['enum'] = np.zeros((4, 2), h5py.enum_dtype({'A': 0, 'B': 1}))
f.create_dataset('refs', (4, 2), h5py.ref_dtype)
f.create_dataset('ragged', (4, 2), h5py.vlen_dtype('f4'))
f['group/x'] = np.zeros((4, 2))",
    );
    for (name, why) in [
        ("flat", "4 float64, wanted rows x dimension"),
        ("cube", "4 x 2 x 2 float64, wanted rows x dimension"),
        ("scalar", "single value"),
        ("null", "single value"),
        ("narrow", "wanted a dimension of 1 to 1048576"),
        ("wide", "1 x 1048577 float32, wanted a dimension"),
        ("text", "wanted numbers"),
        ("compound", "wanted numbers"),
        ("complex", "wanted numbers"),
        ("arrays", "wanted numbers"),
        ("opaque", "wanted numbers"),
        ("enum", "wanted numbers"),
        ("group", "there is no dataset `/group`"),
        ("group/y", "there is no dataset `/group/y`"),
        ("flat/x", "there is no dataset `/flat/x`"),
        ("/", "names no dataset"),
    ] {
        refused(&path, name, &[why]);
    }
    for name in ["array", "refs", "ragged"] {
        refused(&path, name, &[name]);
    }
    let error = read_error(json!({ "path": path }));
    assert!(
        error.contains("there is no dataset `/embeddings`"),
        "{error}"
    );
    assert!(
        error.contains("`/cube` (4 x 2 x 2 float64)") && error.contains("`/group/x`"),
        "{error}"
    );
    assert!(error.contains("option"), "{error}");
}

#[test]
fn data_in_other_files_are_never_opened() {
    let folder = tempfile::tempdir().unwrap();
    let other = made(
        folder.path(),
        "other.h5",
        "f['x'] = np.ones((4, 2)); f['g/x'] = np.ones((4, 2))",
    );
    std::fs::write(folder.path().join("raw"), [0; 64]).unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['link'] = h5py.ExternalLink('other.h5', '/x')
f['group'] = h5py.ExternalLink('other.h5', '/g')
f['soft'] = h5py.SoftLink('/group/x')
f['plain'] = np.zeros((4, 2))
f.create_dataset('raw', (4, 2), 'f8', external=[(sys.argv[1].replace('a.h5', 'raw'), 0, 64)])
l = h5py.VirtualLayout((4, 2), 'f8'); l[:] = h5py.VirtualSource('other.h5', 'x', (4, 2))
f.create_virtual_dataset('virtual', l)",
    );
    refused(&path, "link", &["external link"]);
    refused(&path, "group/x", &["external link"]);
    refused(&path, "soft", &["soft link", "external links"]);
    refused(&path, "raw", &["other files"]);
    refused(&path, "virtual", &["other files"]);
    let all = read_all(json!({ "path": path, "vectors": "plain" }), 1 << 20).unwrap();
    assert_eq!(all[0].1[0].num_rows(), 4);
    // They are listed without being opened, and one beside the vectors is no column.
    std::fs::remove_file(other).unwrap();
    refused(
        &path,
        "nothing",
        &[
            "`/link` (external link)",
            "`/virtual` (virtual)",
            "`/soft` (soft link)",
        ],
    );
}

#[test]
fn links_that_lead_nowhere_or_in_circles() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['a'] = h5py.SoftLink('/b'); f['b'] = h5py.SoftLink('/a'); f['gone'] = h5py.SoftLink('/nowhere')
f['g/up'] = f['/']; f['g/g'] = f['g']",
    );
    for name in ["a", "gone", "g/up/g/up/g/x"] {
        refused(&path, name, &[name]);
    }
    refused(&path, &"g/".repeat(100), &["deeper than 32 groups"]);
}

#[test]
fn rows_that_were_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f.create_dataset('late', (1000, 2), 'f4', fillvalue=7)
d = f.create_dataset('holes', (1000, 2), 'f4', chunks=(10, 2), fillvalue=7); d[:100] = 1; d[500:] = 1
d = f.create_dataset('packed', (1000, 2), 'f4', chunks=(10, 2), compression='gzip'); d[:10] = 1
f.create_dataset('huge', (2**55, 2), 'f4', chunks=(10, 2))
f.create_dataset('vast', (2**63 - 1, 2**20), 'f8', chunks=(10, 2))
f.create_dataset('vaster', (2**40, 2), 'f4')
f['empty'] = np.zeros((0, 3), 'f4')",
    );
    for name in ["late", "holes", "packed", "huge", "vaster"] {
        refused(&path, name, &["never written", "unwritten: fill"]);
    }
    refused(&path, "vast", &["more than can be addressed"]);
    for (name, rows) in [
        ("late", 1000),
        ("holes", 1000),
        ("packed", 1000),
        ("empty", 0),
    ] {
        let options =
            json!({ "path": path, "vectors": name, "unwritten": "fill", "columns": "none" });
        let all = read_all(options, 1 << 20).unwrap();
        let read: usize = all[0].1.iter().map(|b| b.num_rows()).sum();
        assert_eq!(read, rows, "{name}");
    }
    let source =
        source(json!({ "path": path, "vectors": "huge", "unwritten": "fill", "columns": "none" }))
            .unwrap();
    let key = source.datasets().unwrap().remove(0).key;
    assert!(source.splits(&key).unwrap().len() < 70_000);
}

#[test]
fn filters_and_chunks_that_are_not_carried() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f.create_dataset('big', (4096, 4096), 'f4', chunks=(4096, 4096), compression='gzip')[:] = 0
p = h5py.h5p.create(h5py.h5p.DATASET_CREATE); p.set_chunk((4, 2)); p.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
h5py.h5d.create(f.id, b'zstd', h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 2)), p)",
    );
    refused(
        &path,
        "big",
        &["67108864 bytes", "33554432", "max_chunk_mib"],
    );
    refused(&path, "zstd", &["32015 (zstd)", "h5repack"]);
    let options = json!({ "path": path, "vectors": "big", "columns": "none", "max_chunk_mib": 64 });
    assert_eq!(read_all(options, 1 << 20).unwrap()[0].1.len(), 64);
}

#[test]
fn attributes_that_contradict_the_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str, data: &str, attributes: &str| {
        made(
            folder.path(),
            name,
            &format!("f['embeddings'] = {data}\nf.attrs['milvusdm_format'] = 1\n{attributes}"),
        )
    };
    let floats = "np.zeros((3, 4), 'f4')";
    let bytes = "np.zeros((3, 4), 'u1')";
    for (i, (data, attributes, why)) in [
        (floats, "f.attrs['dim'] = 5", "`dim` is 5"),
        (floats, "f.attrs['dim'] = 2.5", "`dim` is float64"),
        (floats, "f.attrs['dim'] = [4, 4]", "holds 2 values"),
        (floats, "f.attrs['metric'] = 3", "`metric` is int64"),
        (
            floats,
            "f.attrs['collection'] = np.bytes_(b'\\xff')",
            "not UTF-8",
        ),
        (floats, "f.attrs['milvusdm_format'] = 2", "update milvusdm"),
        (
            floats,
            "f.attrs['milvusdm_format'] = 'x'",
            "`milvusdm_format` is string",
        ),
        (
            bytes,
            "f.attrs['bit_order'] = 'big'; f.attrs['dim'] = 32",
            "`bit_order` is `big`",
        ),
        (
            bytes,
            "f.attrs['bit_order'] = 'msb'; f.attrs['dim'] = 33",
            "33",
        ),
        (
            "np.full((3, 4), 255, 'u1')",
            "f.attrs['bit_order'] = 'msb'; f.attrs['dim'] = 31",
            "beyond its dimension 31",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let error = read_error(json!({ "path": own(&format!("{i}.h5"), data, attributes) }));
        assert!(error.contains(why), "{error}");
    }
    let path = own(
        "order.h5",
        bytes,
        "f.attrs['bit_order'] = 'msb'; f.attrs['dim'] = 32",
    );
    let error = read_error(json!({ "path": path, "bit_order": "lsb" }));
    assert!(error.contains("the file says `msb`"), "{error}");
    let error = read_error(json!({ "path": own("f.h5", floats, ""), "binary": "yes" }));
    assert!(error.contains("option `binary`"), "{error}");
}

#[test]
fn columns_that_do_not_fit_the_vectors() {
    let folder = tempfile::tempdir().unwrap();
    for (i, (column, why)) in [
        ("f['c'] = np.zeros(3)", "`/c` have 3 rows, the vectors 4"),
        ("f['c'] = np.zeros(4, [('a', 'f4')])", "column `c`"),
        (
            "f['c'] = np.zeros((4, 2)); f['ids'] = np.zeros((4, 2), 'i8')",
            "ids `/ids`",
        ),
        ("f['c'] = np.array([b'a', b'\\xff', b'', b''])", "not UTF-8"),
        (
            "f['id'] = np.zeros(4); f['ids'] = np.zeros(4, 'i8'); f['x'] = h5py.SoftLink('/id')",
            "",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = made(
            folder.path(),
            &format!("{i}.h5"),
            &format!("f['embeddings'] = np.zeros((4, 2))\n{column}"),
        );
        match why {
            "" => assert_eq!(read_all(json!({ "path": path }), 1 << 20).unwrap().len(), 1),
            why => {
                let error = read_error(json!({ "path": path }));
                assert!(error.contains(why), "{error}");
                assert!(
                    read_all(
                        json!({ "path": path, "columns": "none", "ids": "none" }),
                        1 << 20
                    )
                    .is_ok()
                );
            }
        }
    }
}

#[test]
fn files_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.h5"), "").unwrap();
    std::fs::write(path("text.h5"), "a text\n".repeat(1000)).unwrap();
    std::fs::write(path("signature.h5"), b"\x89HDF\r\n\x1a\n").unwrap();
    for name in ["empty.h5", "text.h5", "signature.h5"] {
        let error = read_error(json!({ "path": path(name) }));
        assert!(
            error.contains("opening an HDF5 file") && error.contains(name),
            "{error}"
        );
    }
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("pipe.h5"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let error = read_error(json!({ "path": path("pipe.h5") }));
    assert!(error.contains("regular file"), "{error}");
    let error = read_error(json!({ "path": path("none.h5") }));
    assert!(error.contains("none.h5"), "{error}");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in good_files(folder.path()) {
        let whole = std::fs::read(&path).unwrap();
        let cut = folder.path().join("cut.h5");
        for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            std::fs::write(&cut, &whole[..length]).unwrap();
            assert!(
                read_all(json!({ "path": cut }), 1 << 20).is_err(),
                "{} at {length}",
                path.display()
            );
        }
    }
}

/// What a lost block of a disk looks like; the library would not come back from some of these.
#[test]
fn a_block_of_zeros_among_strings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "f['train'] = np.zeros((3000, 1), 'f4')
f.create_dataset('ids', data=[f'id number {i} of many' for i in range(3000)], dtype=h5py.string_dtype())",
    );
    let whole = std::fs::read(&path).unwrap();
    let heaps: Vec<usize> = (0..whole.len() - 4)
        .filter(|i| &whole[*i..*i + 4] == b"GCOL")
        .collect();
    assert!(!heaps.is_empty());
    for heap in heaps {
        for (from, bytes) in [(16, 4080), (8, 8), (16 + 40 * 7, 16), (0, 4), (2048, 1024)] {
            let mut bad = whole.clone();
            bad[heap + from..heap + from + bytes].fill(0);
            std::fs::write(&path, bad).unwrap();
            let error = read_error(json!({ "path": path }));
            assert!(error.contains("heap of strings is damaged"), "{error}");
            assert!(error.contains(&format!("offset: {heap}")), "{error}");
            assert!(error.contains("row"), "{error}");
        }
    }
}

#[test]
fn a_chunk_outside_the_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = made(
        folder.path(),
        "a.h5",
        "d = f.create_dataset('train', data=np.arange(64, dtype='f4').reshape(16, 4), chunks=(16, 4))
p = d.id.get_chunk_info(0).byte_offset
f.attrs['at'] = p",
    );
    let bytes = std::fs::read(&path).unwrap();
    let at = python(
        "with h5py.File(sys.argv[1]) as f: print(f.attrs['at'])",
        &[&path],
    );
    let address: u64 = at.trim().parse().unwrap();
    let known = address.to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 8)
        .filter(|i| bytes[*i..*i + 8] == known)
        .collect();
    let mut is_refused = false;
    for place in places {
        let mut bad = bytes.clone();
        bad[place..place + 8].copy_from_slice(&(1u64 << 40).to_le_bytes());
        std::fs::write(&path, bad).unwrap();
        if let Err(error) = read_all(json!({ "path": path }), 1 << 20) {
            is_refused |= error.to_string().contains("at offset 1099511627776");
        }
    }
    assert!(is_refused);
}
