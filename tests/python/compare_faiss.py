#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what milvusdm wrote with the arrays that `write_faiss.py` left, by id.

    compare_faiss.py FOLDER OUT
"""
import json
import sys

import h5py
import numpy as np


def differences(case, file, wanted):
    ids, vectors = file["ids"][()], file["embeddings"][()]
    if vectors.dtype != np.uint8:
        vectors = vectors.astype(np.float32)
    if ids.shape != wanted["ids"].shape or vectors.shape != wanted["vectors"].shape:
        yield f"shapes are {ids.shape} and {vectors.shape}, wanted {wanted['vectors'].shape}"
        return
    order, wanted_order = np.argsort(ids), np.argsort(wanted["ids"])
    if not np.array_equal(ids[order], wanted["ids"][wanted_order]):
        yield "ids differ"
        return
    found, expected = vectors[order], wanted["vectors"][wanted_order]
    if case["tolerance"] == 0:
        if found.tobytes() != expected.tobytes():
            yield f"vectors differ: {found[0][:4]}, wanted {expected[0][:4]}"
    elif not np.allclose(found, expected, rtol=0, atol=case["tolerance"]):
        yield f"largest difference is {np.abs(found - expected).max()}, wanted at most {case['tolerance']}"


def main(folder, out):
    with open(f"{folder}/cases.json") as text:
        cases = json.load(text)
    failed = False
    for case in cases:
        with h5py.File(f"{out}/{case['name']}.h5") as file, np.load(f"{folder}/{case['name']}.npz") as wanted:
            for difference in differences(case, file, wanted):
                failed = True
                print(f"{case['name']} ({case['factory']}): {difference}")
    print(f"compared {len(cases)} files")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
