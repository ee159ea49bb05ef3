#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what milvusdm wrote with the arrays that `write_layouts.py` left.

    compare_layouts.py FOLDER OUT

OUT/NAME.h5 must hold the rows of FOLDER/NAME.npz in the same types, bit by bit.
"""
import json
import sys

import h5py
import numpy as np


def same(found, wanted):
    if wanted.dtype.kind == "U":
        return [text.decode() for text in found] == list(wanted)
    return found.dtype == wanted.dtype.newbyteorder("<") and found.tobytes() == wanted.astype(found.dtype).tobytes()


def differences(case, file, wanted):
    names = {"vectors": "embeddings"}
    expected = {names.get(name, name) for name in wanted.files}
    if set(file) != expected:
        yield f"datasets are {sorted(file)}, wanted {sorted(expected)}"
        return
    for name in wanted.files:
        found = file[names.get(name, name)][()]
        if found.shape != wanted[name].shape:
            yield f"{name} has shape {found.shape}, wanted {wanted[name].shape}"
        elif not same(found, wanted[name]):
            yield f"{name} differs: {found.dtype} {found[:1]}, wanted {wanted[name].dtype} {wanted[name][:1]}"
    for name, value in case["attributes"].items():
        if file.attrs.get(name) != value:
            yield f"attribute {name} is {file.attrs.get(name)!r}, wanted {value!r}"


def main(folder, out):
    with open(f"{folder}/cases.json") as text:
        cases = [case for case in json.load(text) if "rows" in case]
    failed = False
    for case in cases:
        with h5py.File(f"{out}/{case['name']}.h5") as file, np.load(f"{folder}/{case['name']}.npz") as wanted:
            for difference in differences(case, file, wanted):
                failed = True
                print(f"{case['name']}: {difference}")
    print(f"compared {len(cases)} files")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
