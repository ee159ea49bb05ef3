#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a data directory as Milvus 1.1 leaves one, with random vectors, in little memory.

    make_milvus1_data.py FOLDER ROWS DIM SEGMENTS [SHARE_DELETED]

One collection `big` with the ids 0 to ROWS - 1. Which rows are deleted is chosen at random, the
same share of each segment.
"""

import os
import sqlite3
import sys

import numpy as np

PART = 65_536
SCHEMA = """
CREATE TABLE Tables (id INTEGER PRIMARY KEY NOT NULL, table_id TEXT UNIQUE NOT NULL, state INTEGER,
  dimension INTEGER, created_on INTEGER, flag INTEGER DEFAULT 0, index_file_size INTEGER,
  engine_type INTEGER, index_params TEXT, metric_type INTEGER, owner_table TEXT,
  partition_tag TEXT, version TEXT, flush_lsn INTEGER);
CREATE TABLE TableFiles (id INTEGER PRIMARY KEY NOT NULL, table_id TEXT, segment_id TEXT,
  engine_type INTEGER, file_id TEXT, file_type INTEGER, file_size INTEGER, row_count INTEGER,
  updated_time INTEGER, created_on INTEGER, date INTEGER, flush_lsn INTEGER);
CREATE TABLE Environment (global_lsn INTEGER DEFAULT 0);
CREATE TABLE Fields (collection_id TEXT, field_name TEXT, field_type INTEGER, field_params TEXT);
"""


def counted(path, length, parts):
    """A file as all of a segment are: the number of its bytes, and these."""
    with open(path, "wb") as file:
        file.write(length.to_bytes(8, "little"))
        for part in parts:
            part.tofile(file)


def segment(folder, name, start, rows, dim, share, rng):
    """Writes a segment; gives how many of its rows are deleted."""
    os.makedirs(folder)
    sizes = (min(PART, rows - done) for done in range(0, rows, PART))
    vectors = (rng.random((size, dim), dtype=np.float32) for size in sizes)
    counted(f"{folder}/{name}.rv", rows * dim * 4, vectors)
    counted(f"{folder}/{name}.uid", rows * 8, [np.arange(start, start + rows, dtype="<i8")])
    deleted = rng.choice(rows, round(rows * share), replace=False).astype("<i4")
    counted(f"{folder}/deleted_docs", deleted.nbytes, [deleted])
    return len(deleted)


def main(folder, rows, dim, segments, share):
    tables = f"{folder}/db/tables/big"
    os.makedirs(tables)
    rng = np.random.default_rng(0)
    meta = sqlite3.connect(f"{folder}/db/meta.sqlite")
    meta.executescript(SCHEMA)
    meta.execute("INSERT INTO Tables VALUES (1,'big',0,?,0,2,?,1,'{}',1,'','','1.1.0',0)", (dim, 1 << 30))
    ends = [rows * number // segments for number in range(segments + 1)]
    for number, (start, end) in enumerate(zip(ends, ends[1:])):
        name = str(1_600_000_000_000_000_000 + number * 1000)
        gone = segment(f"{tables}/{name}", name, start, end - start, dim, share, rng)
        size = (end - start) * (dim * 4 + 8)
        row = (number + 1, name, name, size, end - start - gone)
        meta.execute("INSERT INTO TableFiles VALUES (?,'big',?,1,?,1,?,?,0,0,0,0)", row)
    meta.commit()
    meta.close()


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5]) if len(sys.argv) > 5 else 0.0)
