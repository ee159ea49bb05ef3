#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes index files with real Faiss in shapes and nestings that nobody picked by hand.

    write_faiss.py FOLDER SEED

FOLDER/cases.json lists the cases: name, options of the source, and either the expected arrays in
FOLDER/NAME.npz with a tolerance (0: bit by bit), or nothing but that it must be refused. Rows are
compared by id, since lists have an order of their own.
"""
import json
import sys

import faiss
import numpy as np

CASES = []

# Exact: what was added comes back bit by bit.
EXACT = [
    "Flat", "IDMap,Flat", "IDMap2,Flat", "HNSW{m},Flat", "IDMap,HNSW{m},Flat", "NSG{m},Flat",
    "IVF{n},Flat", "IVF{n}_HNSW8,Flat", "IDMap,IVF{n},Flat", "IMI2x3,Flat", "PQ4x4,RFlat", "IVF{n},PQ4x4,RFlat",
    "FlatL2Panorama{p}", "IVF{n},FlatPanorama{p}", "IVF{n}(IVF2,Flat),Flat", "IVF{n}(PCA4,Flat),Flat",
]
# Orthonormal transforms: inverted to about the precision of a single.
NEAR = ["PCA{d},Flat", "RR{d},Flat", "OPQ4_{d},Flat", "PCA{d},IVF{n},Flat", "IDMap,RR{d},Flat", "RR{d},HNSW{m},Flat"]
# Codes that hold what they hold: the decoding is exact.
CODES = ["SQfp16", "SQbf16", "HNSW{m},SQfp16"]
# Decoded as Faiss decodes them.
LOSSY = [
    "SQ8", "SQ6", "SQ4", "IVF{n},SQ8", "IVF{n},SQ4", "PQ4x4", "PQ4x8", "PQ4x5", "IVF{n},PQ4x4", "IVF{n},PQ4x8",
    "HNSW{m},SQ8", "RQ3x4", "LSQ3x4", "IVF{n},RQ3x4", "PRQ2x3x4", "PCA4,Flat", "PCA4,SQ8", "IDMap,PQ4x4", "IVF{n},SQfp16",
    "IVF{n},LSQ3x4", "IVF{n},PRQ2x2x4", "HNSW{m},PQ4x4",
]
BINARY = ["BFlat", "BIDMap,BFlat", "BIVF{n}", "BHNSW{m}", "BHash6", "BHash2x6"]


def bf16(vectors):
    bits = vectors.view(np.uint32)
    # Faiss rounds half up, by adding half of the last place that stays.
    return ((bits + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)


def fill(factory, rng):
    numbers = {"m": int(rng.integers(4, 12)) * 2, "n": int(rng.integers(1, 9)), "d": "{d}", "p": int(rng.integers(1, 6))}
    return factory.format(**numbers)


def ids_for(index, rows, rng):
    """Ids as a person may give them: any order, negative, large, each once."""
    return rng.permutation(rows * 3)[:rows].astype(np.int64) * 1_000_003 - 2**40


def takes_ids(factory):
    return "IDMap" in factory or (factory.startswith("IVF") and "RFlat" not in factory)


def build(factory, rng):
    dim = int(rng.integers(2, 12)) * 4
    rows = int(rng.integers(700, 1000))
    factory = fill(factory, rng).format(d=dim)
    metric = faiss.METRIC_L2 if rng.random() < 0.7 or "Panorama" in factory or "IMI" in factory else faiss.METRIC_INNER_PRODUCT
    vectors = rng.standard_normal((rows, dim)).astype(np.float32)
    index = faiss.index_factory(dim, factory, metric)
    index.train(vectors)
    ids = np.arange(rows)
    if takes_ids(factory):
        ids = ids_for(index, rows, rng)
        index.add_with_ids(vectors, ids)
    elif factory.startswith("NSG"):
        index.add(vectors)  # the graph is built once
    else:
        index.add(vectors[: rows // 2])
        index.add(vectors[rows // 2 :])
    return index, factory, vectors, ids


def decoded(index, ids):
    index = faiss.clone_index(index)
    inner = faiss.downcast_index(index)
    if isinstance(inner, faiss.IndexIDMap):
        return faiss.downcast_index(inner.index).reconstruct_n(0, index.ntotal)
    if isinstance(inner, faiss.IndexIVF):
        inner.set_direct_map_type(faiss.DirectMap.Hashtable)
        return np.stack([inner.reconstruct(int(i)) for i in ids])
    return index.reconstruct_n(0, index.ntotal)


def write(folder, kind, factory, rng):
    index, full, vectors, ids = build(factory, rng)
    tolerance, options = 0.0, {}
    if kind == "near":
        tolerance = 2e-5
    elif kind == "codes":
        # Faiss rounds to half precision in its own way; how it rounds to bfloat16 is known.
        vectors = bf16(vectors) if factory == "SQbf16" else decoded(index, ids)
    elif kind == "lossy":
        vectors, tolerance, options = decoded(index, ids), 1e-4, {"lossy": "allow"}
    name = f"{kind}_{len(CASES):03}"
    faiss.write_index(index, f"{folder}/{name}.index")
    np.savez(f"{folder}/{name}.npz", vectors=vectors, ids=ids)
    CASES.append({"name": name, "factory": full, "options": options, "rows": len(ids), "tolerance": tolerance})


def write_binary(folder, factory, rng):
    bytes_each, rows = int(rng.integers(1, 40)), int(rng.integers(700, 1000))
    full = fill(factory, rng)
    vectors = rng.integers(0, 256, (rows, bytes_each)).astype(np.uint8)
    ids = np.arange(rows)
    inner = full.removeprefix("BIDMap,")
    index = faiss.index_binary_factory(bytes_each * 8, inner)
    if inner != full:
        index = faiss.IndexBinaryIDMap(index)
    if not index.is_trained:
        index.train(vectors)
    if inner != full or full.startswith("BIVF"):
        ids = ids_for(index, rows, rng)
        index.add_with_ids(vectors, ids)
    else:
        index.add(vectors)
    name = f"binary_{len(CASES):03}"
    faiss.write_index_binary(index, f"{folder}/{name}.index")
    np.savez(f"{folder}/{name}.npz", vectors=vectors, ids=ids)
    CASES.append({"name": name, "factory": full, "options": {}, "rows": rows, "tolerance": 0.0})


def main(folder, seed):
    rng = np.random.default_rng(seed)
    faiss.omp_set_num_threads(1)
    for kind, factories in (("exact", EXACT), ("near", NEAR), ("codes", CODES), ("lossy", LOSSY)):
        for factory in factories:
            write(folder, kind, factory, rng)
    for factory in BINARY:
        write_binary(folder, factory, rng)
    with open(f"{folder}/cases.json", "w") as text:
        json.dump(CASES, text, indent=1)
    print(f"wrote {len(CASES)} files")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], int(sys.argv[2]))
