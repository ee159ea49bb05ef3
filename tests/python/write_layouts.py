#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes HDF5 files with h5py in as many layouts as people have, and what is in them.

    write_layouts.py FOLDER

FOLDER/cases.json lists the cases: name, options of the source, and either `rows` with the
expected arrays in FOLDER/NAME.npz (`vectors`, `ids` if there are ids, other columns under their
names), or `refused` with words that the message must hold.
"""
import json
import sys

import h5py
import numpy as np

CASES = []
ROWS, DIM = 137, 12


def values(dtype=np.float32, rows=ROWS, dim=DIM, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal((rows, dim)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, (rows, dim), dtype=dtype.newbyteorder("="), endpoint=True).astype(dtype)


def ids_of(rows=ROWS):
    return np.arange(rows, dtype=np.int64) * -7 + 2**40


class Case:
    """One file: `with Case(folder, name) as case: case.file[...] = ...; case.rows(...)`."""

    def __init__(self, folder, name, options=None, **settings):
        self.folder, self.name, self.options = folder, name, options or {}
        self.path = f"{folder}/{name}.h5"
        self.file = h5py.File(self.path, "w", **settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def rows(self, vectors, ids=None, attributes=None, **columns):
        arrays = {"vectors": vectors, **columns}
        if ids is not None:
            arrays["ids"] = ids
        np.savez(f"{self.folder}/{self.name}.npz", **arrays)
        CASES.append({"name": self.name, "options": self.options, "rows": len(vectors), "attributes": attributes or {}})

    def refused(self, *words):
        CASES.append({"name": self.name, "options": self.options, "refused": list(words)})


def element_types(folder):
    # What holds every value: 16-bit integers fit a single, 32-bit ones a double.
    carried = {"f2": "f2", "f4": "f4", "f8": "f8", "i1": "i1", "u1": "u1", "i2": "f4", "u2": "f4", "i4": "f8", "u4": "f8"}
    for stored, wanted in carried.items():
        for order in "<>" if stored[1] != "1" else "<":
            name = f"type_{stored}_{'little' if order == '<' else 'big'}"
            with Case(folder, name, {"vectors": "/data", "binary": "no"}) as case:
                vectors = values(np.dtype(stored).newbyteorder(order))
                case.file["data"] = vectors
                case.rows(vectors.astype("<" + wanted))
    for stored in ("i8", "u8"):
        vectors = values(stored) % 2**50
        with Case(folder, f"type_{stored}_refused") as case:
            case.file["embeddings"] = vectors
            case.refused("64", "wide_ints")
        with Case(folder, f"type_{stored}_allowed", {"wide_ints": "f64"}) as case:
            case.file["embeddings"] = vectors
            case.rows(vectors.astype("<f8"))


def storages(folder):
    filters = {
        "chunked": {},
        "gzip1": {"compression": "gzip", "compression_opts": 1},
        "gzip9_shuffle": {"compression": "gzip", "compression_opts": 9, "shuffle": True},
        "lzf": {"compression": "lzf"},
        "lzf_shuffle": {"compression": "lzf", "shuffle": True},
        "fletcher32": {"fletcher32": True},
        "gzip_shuffle_fletcher32": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    }
    for name, settings in filters.items():
        for chunks in ((50, DIM), (7, 5), (ROWS, DIM), (1, DIM)):
            with Case(folder, f"storage_{name}_{chunks[0]}x{chunks[1]}") as case:
                vectors, ids = values(seed=chunks[0]), ids_of()
                case.file.create_dataset("embeddings", data=vectors, chunks=chunks, **settings)
                case.file.create_dataset("ids", data=ids, chunks=(31,), **settings)
                case.rows(vectors, ids)
    with Case(folder, "storage_contiguous") as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of()
        case.rows(values(), ids_of())
    with Case(folder, "storage_compact") as case:
        vectors = values(rows=5)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(vectors.shape)
        dataset = h5py.h5d.create(case.file.id, b"embeddings", h5py.h5t.IEEE_F32LE, space, plist)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, vectors)
        case.rows(vectors)
    for name, settings in {
        "growing_both": {"maxshape": (None, None), "chunks": (20, 5)},
        "growing_rows": {"maxshape": (None, DIM), "chunks": (20, DIM)},
        "fixed": {"chunks": (20, DIM)},
        "single_chunk": {"chunks": (ROWS, DIM), "compression": "gzip"},
    }.items():
        # Newer layouts need HDF5 2, which this build does not have.
        with Case(folder, f"latest_{name}", libver=("v114", "v114")) as case:
            case.file.create_dataset("embeddings", data=values(), **settings)
            case.rows(values())
    with Case(folder, "storage_userblock", userblock_size=512) as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of()
        case.rows(values(), ids_of())
    with Case(folder, "storage_grown_after") as case:
        dataset = case.file.create_dataset("embeddings", data=values()[:100], maxshape=(None, DIM), chunks=(30, DIM))
        dataset.resize(ROWS, axis=0)
        dataset[100:] = values()[100:]
        case.rows(values())


def id_types(folder):
    for dtype in ("i4", "u4", "i8", "u2", ">i8", ">i4"):
        name = dtype.replace(">", "big_")
        with Case(folder, f"ids_{name}") as case:
            ids = np.arange(ROWS, dtype=dtype) * 3
            case.file["embeddings"], case.file["ids"] = values(), ids
            case.rows(values(), ids.astype("<i8"))
    with Case(folder, "ids_u8") as case:
        ids = np.arange(ROWS, dtype="u8") + np.uint64(2**63 + 5)
        case.file["embeddings"], case.file["ids"] = values(), ids
        case.rows(values(), ids)
    with Case(folder, "ids_absent") as case:
        case.file["embeddings"] = values()
        case.rows(values())
    with Case(folder, "ids_named", {"vectors": "/my/vectors", "ids": "/my/keys"}) as case:
        case.file["my/vectors"], case.file["my/keys"] = values(), ids_of()
        case.rows(values(), ids_of())
    with Case(folder, "ids_not_wanted", {"ids": "none"}) as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of()
        case.rows(values())
    with Case(folder, "ids_short") as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of(ROWS - 1)
        case.refused("ids", str(ROWS), str(ROWS - 1))
    with Case(folder, "ids_floats") as case:
        case.file["embeddings"], case.file["ids"] = values(), np.arange(ROWS, dtype="f4")
        case.refused("ids", "float32")
    with Case(folder, "ids_missing", {"ids": "/keys"}) as case:
        case.file["embeddings"] = values()
        case.refused("/keys")


def known_layouts(folder):
    with Case(folder, "ann_benchmarks") as case:
        vectors = values(rows=60, dim=20)
        case.file.attrs["distance"] = "angular"
        case.file["train"], case.file["test"] = vectors, vectors[:5]
        case.file["neighbors"] = np.zeros((5, 10), np.int32)
        case.file["distances"] = np.zeros((5, 10), np.float32)
        case.rows(vectors, attributes={"metric": "cosine"})
    with Case(folder, "milvusdm_1") as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of()
        case.rows(values(), ids_of())
    with Case(folder, "bits") as case:
        bits = values("u1", dim=8)
        case.file["embeddings"], case.file["ids"] = bits, ids_of()
        case.rows(bits, ids_of(), attributes={"dim": 64})
    with Case(folder, "columns") as case:
        case.file["embeddings"], case.file["ids"] = values(), ids_of()
        price = np.linspace(-1, 1, ROWS)
        sold = np.arange(ROWS) % 3 == 0
        count = np.arange(ROWS, dtype=np.uint16)
        case.file["price"], case.file["sold"], case.file["count"] = price, sold, count
        title = [f"no. {n} \u00e9\u4e2d" for n in range(ROWS)]
        case.file.create_dataset("title", data=title, dtype=h5py.string_dtype())
        case.rows(values(), ids_of(), price=price, sold=sold, count=count, title=np.array(title))
    with Case(folder, "soft_link") as case:
        case.file["deep/er/vectors"] = values()
        case.file["embeddings"] = h5py.SoftLink("/deep/er/vectors")
        case.rows(values())


def sizes(folder):
    for name, rows, dim in (("none", 0, DIM), ("one", 1, 1), ("wide", 2, 70_000), ("thin", 5000, 1)):
        with Case(folder, f"size_{name}") as case:
            case.file["embeddings"], case.file["ids"] = values(rows=rows, dim=dim), ids_of(rows)
            case.rows(values(rows=rows, dim=dim), ids_of(rows))
    special = np.array([[np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38]], dtype=np.float32)
    with Case(folder, "special_values") as case:
        case.file["embeddings"] = special
        case.rows(special)


def refused(folder):
    def one(name, words, write, options=None):
        with Case(folder, f"refused_{name}", options) as case:
            write(case.file)
            case.refused(*words)

    one("no_vectors", ["embeddings", "/other"], lambda f: f.create_dataset("other", data=values()))
    one("flat", ["137", "dimension"], lambda f: f.create_dataset("embeddings", data=values()[:, 0]))
    one("cube", ["embeddings"], lambda f: f.create_dataset("embeddings", data=np.zeros((3, 4, 5), "f4")))
    one("scalar", ["embeddings"], lambda f: f.create_dataset("embeddings", data=1.0))
    one("group", ["embeddings"], lambda f: f.create_group("embeddings"))
    one("compound", ["embeddings"], lambda f: f.create_dataset("embeddings", shape=(3, 2), dtype=[("a", "f4"), ("b", "i4")]))
    one("complex", ["embeddings"], lambda f: f.create_dataset("embeddings", data=np.zeros((3, 4), "c8")))
    one("no_dimension", ["dimension"], lambda f: f.create_dataset("embeddings", data=np.zeros((3, 0), "f4")))
    one("dangling", ["embeddings"], lambda f: f.__setitem__("embeddings", h5py.SoftLink("/nowhere")))
    one("external_link", ["embeddings"], lambda f: f.__setitem__("embeddings", h5py.ExternalLink("other.h5", "/x")))
    one("never_written", ["never written"], lambda f: f.create_dataset("embeddings", (5, 4), "f4"))
    one("named_missing", ["/nope"], lambda f: f.create_dataset("embeddings", data=values()), {"vectors": "/nope"})

    def external_storage(file):
        file.create_dataset("embeddings", (4, 4), "f4", external=[("raw.bin", 0, 64)])

    def virtual(file):
        layout = h5py.VirtualLayout((4, 4), "f4")
        layout[:] = h5py.VirtualSource("elsewhere.h5", "data", (4, 4))
        file.create_virtual_dataset("embeddings", layout)

    def holes(file):
        dataset = file.create_dataset("embeddings", (100, 4), "f4", chunks=(10, 4))
        dataset[:10] = 1

    one("external_storage", ["external"], external_storage)
    one("virtual", ["virtual"], virtual)
    one("holes", ["chunks"], holes)
    with Case(folder, "holes_filled", {"unwritten": "fill"}) as case:
        holes(case.file)
        filled = np.zeros((100, 4), np.float32)
        filled[:10] = 1
        case.rows(filled)


def main(folder):
    for write in (element_types, storages, id_types, known_layouts, sizes, refused):
        write(folder)
    with open(f"{folder}/cases.json", "w") as text:
        json.dump(CASES, text, indent=1)
    print(f"wrote {len(CASES)} files")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
