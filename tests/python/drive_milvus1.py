# SPDX-License-Identifier: Apache-2.0
"""Does with the real client of Milvus 1.1 what its users do, and checks what comes back.

    drive_milvus1.py PORT
"""

import sys

import numpy as np
from milvus import IndexType, MetricType, Milvus

client = Milvus("127.0.0.1", sys.argv[1])
random = np.random.default_rng(7)


def good(result):
    """The value of a call that went well; calls give a status, or a status and a value."""
    status, value = result if isinstance(result, tuple) else (result, None)
    assert status.OK(), status
    return value


def bad(result, words):
    status = result[0] if isinstance(result, tuple) else result
    assert not status.OK() and words in status.message, status


def create(name, dimension, metric):
    good(
        client.create_collection(
            {
                "collection_name": name,
                "dimension": dimension,
                "index_file_size": 64,
                "metric_type": metric,
            }
        )
    )


def segments(name):
    stats = good(client.get_collection_stats(name))
    return {
        segment["name"]: partition["tag"]
        for partition in stats["partitions"]
        for segment in partition["segments"] or []
    }


def floats():
    vectors = random.random((300, 16), dtype=np.float32)
    create("floats", 16, MetricType.L2)
    assert good(client.has_collection("floats"))
    assert good(client.list_collections()) == ["floats"]
    schema = good(client.get_collection_info("floats"))
    assert (schema.dimension, schema.index_file_size) == (16, 64), schema
    assert schema.metric_type == MetricType.L2, schema

    good(client.create_partition("floats", "late"))
    assert good(client.has_partition("floats", "late"))
    assert [p.tag for p in good(client.list_partitions("floats"))] == ["_default", "late"]
    bad(client.create_partition("floats", "late"), "Duplicate partition")

    ids = list(range(1000, 1300))
    assert good(client.insert("floats", vectors[:200], ids[:200])) == ids[:200]
    late = client.insert("floats", vectors[200:], ids[200:], partition_tag="late")
    assert good(late) == ids[200:]
    bad(client.insert("floats", vectors[:1]), "user-defined")
    bad(client.insert("floats", vectors[:1, :8], [1]), "dimension")
    good(client.flush(["floats"]))
    assert good(client.count_entities("floats")) == 300

    listed = {}
    for name, tag in segments("floats").items():
        listed.setdefault(tag, []).extend(good(client.list_id_in_segment("floats", name)))
    assert listed == {"_default": ids[:200], "late": ids[200:]}, listed

    found = good(client.get_entity_by_id("floats", [1299, 5, 1000]))
    assert np.array_equal(np.float32(found[0]), vectors[299])
    assert len(found[1]) == 0
    assert np.array_equal(np.float32(found[2]), vectors[0])
    found = good(client.get_entity_by_id("floats", [1000, 1200], partition_tag="late"))
    assert [len(vector) for vector in found] == [0, 16]

    queries = random.random((4, 16), dtype=np.float32)
    hits = good(client.search("floats", 5, queries, params={"nprobe": 8}))
    distances = ((queries[:, None] - vectors[None]) ** 2).sum(axis=2)
    wanted = np.argsort(distances, axis=1)[:, :5]
    assert np.array_equal(np.array(hits.id_array) - 1000, wanted)
    assert np.allclose(hits.distance_array, np.take_along_axis(distances, wanted, 1), rtol=1e-4)
    hits = good(client.search("floats", 5, queries, ["late"], params={"nprobe": 8}))
    assert min(map(min, hits.id_array)) >= 1200

    good(client.delete_entity_by_id("floats", [1000, 1250]))
    good(client.flush(["floats"]))
    assert good(client.count_entities("floats")) == 298
    assert len(good(client.get_entity_by_id("floats", [1000]))[0]) == 0
    good(client.compact("floats"))

    good(client.create_index("floats", IndexType.IVF_FLAT, {"nlist": 64}))
    index = good(client.get_index_info("floats"))
    assert (index.index_type, index.params) == (IndexType.IVF_FLAT, {"nlist": 64}), index
    bad(client.create_index("floats", IndexType.IVF_FLAT, {"nlist": 0}), "nlist")
    good(client.drop_index("floats"))
    assert good(client.get_index_info("floats")).index_type == IndexType.FLAT
    good(client.load_collection("floats"))

    good(client.drop_partition("floats", "late"))
    assert good(client.count_entities("floats")) == 199
    good(client.drop_collection("floats"))
    assert not good(client.has_collection("floats"))
    bad(client.count_entities("floats"), "does not exist")


def bits():
    packed = random.integers(0, 256, (100, 8), dtype=np.uint8)
    rows = [bytes(row) for row in packed]
    unpacked = np.unpackbits(packed, axis=1).astype(bool)
    common = (unpacked[:1] & unpacked).sum(axis=1)
    union = (unpacked[:1] | unpacked).sum(axis=1)
    wanted = {
        MetricType.HAMMING: (unpacked[:1] ^ unpacked).sum(axis=1),
        MetricType.JACCARD: 1 - common / union,
        MetricType.TANIMOTO: -np.log2(common / union),
    }
    for metric, distances in wanted.items():
        name = metric.name.lower()
        create(name, 64, metric)
        ids = good(client.insert(name, rows))
        assert len(set(ids)) == 100
        good(client.flush([name]))
        assert good(client.count_entities(name)) == 100
        assert good(client.get_entity_by_id(name, ids[:3])) == rows[:3]
        hits = good(client.search(name, 10, rows[:1], params={"nprobe": 8}))
        assert hits.id_array[0][0] == ids[0]
        assert np.allclose(hits.distance_array[0], np.sort(distances)[:10], atol=1e-5)
        good(client.create_index(name, IndexType.IVF_FLAT, {"nlist": 16}))
        assert good(client.get_index_info(name)).index_type == IndexType.IVF_FLAT
        bad(client.create_index(name, IndexType.HNSW, {"M": 16, "efConstruction": 100}), "index type")
        good(client.drop_collection(name))


assert good(client.server_version()) == "1.1.0"
assert good(client.server_status()) == "OK"
floats()
bits()
client.close()
print("done")
