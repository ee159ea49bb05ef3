#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares HDF5 files that milvusdm wrote with what is known of the Faiss files they came from.

    compare_golden.py GOLDEN OUT original|stored NAME ...

OUT/NAME.h5 is opened with h5py and compared with GOLDEN/NAME.json: ids, vectors bit by bit or
within the stated tolerance, order, and the root attributes. `stored` compares with the vectors
before any transform is inverted. Prints a line for each difference and exits 1 if there is one.
"""
import json
import struct
import sys

import h5py
import numpy as np

METRICS = {"L2": "l2", "INNER_PRODUCT": "ip", "L1": "l1", "Linf": "linf", "Lp": "lp", "Canberra": "canberra"}


def expected_vectors(golden, space):
    part = golden["inner"] if space == "stored" and golden.get("inner") else golden
    dim = part.get("d", golden["d"])
    raw = b"".join(bytes.fromhex(row) for row in part["vectors"])
    if golden["kind"] == "binary":
        return np.frombuffer(raw, np.uint8).reshape(-1, dim // 8), dim
    return np.frombuffer(raw, "<f4").reshape(-1, dim), dim


def tolerance(golden, space):
    if space == "stored" and golden.get("inner"):
        return None  # stored vectors are compared bit by bit
    stated = golden["tolerance"]
    return None if stated["type"] == "bitexact" else stated["atol"]


def rows_as_bytes(ids, vectors):
    return sorted(struct.pack("<q", i) + row.tobytes() for i, row in zip(ids, vectors))


def attribute_differences(golden, file, dim):
    wanted = {"milvusdm_format": 1, "collection": golden["name"], "dim": dim}
    if golden["kind"] == "binary":
        # Faiss' binary indexes measure Hamming distance, whatever their header says.
        wanted["metric"] = "hamming"
    else:
        wanted["metric"] = METRICS[golden["metric"]]
    for name, value in wanted.items():
        found = file.attrs.get(name)
        if found != value:
            yield f"attribute {name} is {found!r}, wanted {value!r}"
    for name in ("collection", "metric"):
        if name in file.attrs and not isinstance(file.attrs[name], str):
            yield f"attribute {name} is no UTF-8 string"
    if golden["kind"] == "binary" and file.attrs.get("bit_order") not in ("msb", "lsb", "unknown"):
        yield f"attribute bit_order is {file.attrs.get('bit_order')!r}"


def differences(golden, file, space):
    wanted, dim = expected_vectors(golden, space)
    yield from attribute_differences(golden, file, dim)
    if set(file) != {"embeddings", "ids"}:
        yield f"datasets are {sorted(file)}"
        return
    ids, vectors = file["ids"][()], file["embeddings"][()]
    wanted_ids = np.array(golden["ids"], np.int64)
    if file["ids"].dtype != np.dtype("<i8"):
        yield f"ids are {file['ids'].dtype}"
    if vectors.shape != wanted.shape:
        yield f"shape is {vectors.shape}, wanted {wanted.shape}"
        return
    if golden["kind"] == "binary" and vectors.dtype != np.uint8:
        yield f"bits are {vectors.dtype}"
    if golden["kind"] == "float":
        vectors = vectors.astype("<f4")
    atol = tolerance(golden, space)
    if golden["order"] == "unordered":
        if atol is not None:
            yield "an unordered file with a tolerance can't be compared"
        elif rows_as_bytes(ids, vectors) != rows_as_bytes(wanted_ids, wanted):
            yield "rows differ (compared without order)"
        return
    if not np.array_equal(ids, wanted_ids):
        yield "ids differ"
    if atol is None:
        if vectors.tobytes() != wanted.tobytes():
            row = next(n for n in range(len(vectors)) if vectors[n].tobytes() != wanted[n].tobytes())
            yield f"row {row} differs: {vectors[row][:4]}, wanted {wanted[row][:4]}"
    elif not np.allclose(vectors, wanted, rtol=0, atol=atol, equal_nan=True):
        yield f"largest difference is {np.nanmax(np.abs(vectors - wanted))}, wanted at most {atol}"


def main(folder, out, space, names):
    failed = False
    for name in names:
        with open(f"{folder}/{name}.json") as text:
            golden = json.load(text)
        with h5py.File(f"{out}/{name}.h5", "r") as file:
            for difference in differences(golden, file, space):
                failed = True
                print(f"{name} ({golden['factory']}): {difference}")
    print(f"compared {len(names)} files")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) < 5 or sys.argv[3] not in ("original", "stored"):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
