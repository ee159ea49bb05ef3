# SPDX-License-Identifier: Apache-2.0
"""write_large_chunks.py OUT: 128 MiB of random vectors in compressed chunks of 16 MiB."""
import sys

import h5py
import numpy as np

ROWS, DIM, CHUNK = 262_144, 128, 32_768

with h5py.File(sys.argv[1], "w") as file:
    vectors = file.create_dataset(
        "embeddings", (ROWS, DIM), "f4", chunks=(CHUNK, DIM), compression=1
    )
    random = np.random.default_rng(1)
    for first in range(0, ROWS, CHUNK):
        vectors[first : first + CHUNK] = random.random((CHUNK, DIM), dtype="f4")
