#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Changes rows of a collection as its users do, with the real client of Milvus 1.1.

    change_milvus1.py PORT COLLECTION drop|double|flip|rename ID
    change_milvus1.py PORT COLLECTION swap ID OTHER
"""
import sys

import numpy as np
from milvus import Milvus


def main(port, name, what, *ids):
    client = Milvus("127.0.0.1", port)

    def good(result):
        status, value = result if isinstance(result, tuple) else (result, None)
        assert status.OK(), status
        return value

    ids = [int(i) for i in ids]
    vectors = [np.float32(v) for v in good(client.get_entity_by_id(name, ids))]
    if what != "double":
        good(client.delete_entity_by_id(name, ids))
        good(client.flush([name]))
    if what == "flip":
        vectors[0].view(np.uint8)[5] ^= 1
    elif what == "swap":
        vectors.reverse()
    elif what == "rename":
        ids = [999_999]
    if what != "drop":
        good(client.insert(name, [v.tolist() for v in vectors], ids))
    good(client.flush([name]))


main(*sys.argv[1:])
