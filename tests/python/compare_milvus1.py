#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what h5py, or the real client of Milvus 1.1, reads against the description of a golden
directory, bit for bit.

    compare_milvus1.py h5 GOLDEN/expected.json PART FOLDER
    compare_milvus1.py server GOLDEN/expected.json PART PORT

PART is the member of the description: `collections`, `after_recovery`. Prints how many partitions
and rows it compared.
"""

import json
import os
import sys

import numpy as np


def described(path, part):
    """Rows by (collection, partition): pairs of id and bytes, in the order of ids."""
    with open(path, encoding="utf-8") as file:
        collections = json.load(file)[part]
    rows = {
        (name, tag): sorted(zip(found["ids"], map(packed, found["vectors"])))
        for name, about in collections.items()
        for tag, found in about["partitions"].items()
    }
    return collections, rows


def packed(vector):
    if isinstance(vector, str):
        return bytes.fromhex(vector)
    return np.array(vector, "<f4").tobytes()


def same(name, found, wanted):
    if found != wanted:
        sys.exit(f"{name}: found {str(found)[:2000]}\nwanted {str(wanted)[:2000]}")


def h5(path, part, folder):
    import h5py

    collections, wanted = described(path, part)
    for parent, _, names in os.walk(folder):
        for name in names:
            file_name = os.path.join(parent, name)
            with h5py.File(file_name) as file:
                about = collections[file.attrs["collection"]]
                name = (file.attrs["collection"], file.attrs.get("partition", "_default"))
                same(name, int(file.attrs["dim"]), about["dimension"])
                same(name, file.attrs["metric"], about["metric_type"].lower())
                vectors, ids = file["embeddings"][()], file["ids"][()]
            same(name, ids.dtype.str, "<i8")
            same(name, vectors.dtype.str, "|u1" if about["metric_type_code"] > 2 else "<f4")
            rows = zip(ids.tolist(), (vector.tobytes() for vector in vectors))
            same(name, sorted(rows), wanted.pop(name))
    same("partitions without a file", list(wanted), [])


def good(result):
    """The value of a call that went well; calls give a status, or a status and a value."""
    status, value = result if isinstance(result, tuple) else (result, None)
    assert status.OK(), status
    return value


def server(path, part, port):
    from milvus import Milvus

    client = Milvus("127.0.0.1", port)
    collections, wanted = described(path, part)
    same("collections", sorted(good(client.list_collections())), sorted(collections))
    for name, about in collections.items():
        schema = good(client.get_collection_info(name))
        same(name, schema.dimension, about["dimension"])
        same(name, schema.index_file_size, about["index_file_size"])
        same(name, int(schema.metric_type), about["metric_type_code"])
        index = good(client.get_index_info(name))
        same(name, int(index.index_type), about["index"]["type_code"])
        same(name, index.params, about["index"]["params"])
        tags = [partition.tag for partition in good(client.list_partitions(name))]
        same(name, sorted(tags), sorted(about["partitions"]))
        rows = {tag: wanted[name, tag] for tag in tags}
        same(name, good(client.count_entities(name)), sum(map(len, rows.values())))
        segments(client, name, rows)
        for tag, wanted_rows in rows.items():
            by_id(client, name, tag, wanted_rows)
    client.close()


def segments(client, name, rows):
    """Every id is in a segment of its partition, as often as it should be."""
    for partition in good(client.get_collection_stats(name))["partitions"]:
        tag, ids = partition["tag"], []
        for segment in partition["segments"] or []:
            ids += good(client.list_id_in_segment(name, segment["name"]))
        same((name, tag), sorted(ids), [id for id, _ in rows[tag]])
        same((name, tag), partition["row_count"], len(ids))


def by_id(client, name, tag, rows):
    # The server knows no rows under the default partition's name, and this client no negative ids.
    tag = None if tag == "_default" else tag
    rows = [row for row in rows if row[0] >= 0]
    for start in range(0, len(rows), 1000):
        part = rows[start:start + 1000]
        found = good(client.get_entity_by_id(name, [id for id, _ in part], partition_tag=tag))
        found = [row if isinstance(row, bytes) else np.array(row, "<f4").tobytes() for row in found]
        same((name, tag), list(zip((id for id, _ in part), found)), part)


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("h5", "server"):
        sys.exit(__doc__)
    how, path, part, where = sys.argv[1:]
    {"h5": h5, "server": server}[how](path, part, where)
    _, rows = described(path, part)
    print(f"compared {len(rows)} partitions, {sum(map(len, rows.values()))} rows")
