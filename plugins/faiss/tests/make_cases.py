#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes index files with the installed Faiss, and what is to be read from each.

    make_cases.py FOLDER [SEED [GROUP …]]

Beside each NAME.index stands NAME.json, in the form of the golden files: `ids`, `vectors` (hex of
little-endian floats, or of bytes), `class`, `tolerance`, `order`. What is expected comes from the
vectors that were put in where those are kept, else from Faiss' own decoding. `generated.rs` reads
them.
"""
import json
import os
import sys
import traceback

import faiss
import numpy as np

OUT = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
rng = np.random.default_rng(SEED)
faiss.omp_set_num_threads(1)
cases = []


def data(n, d, integral=False):
    if integral:
        return rng.integers(-100, 100, (n, d)).astype("float32")
    return rng.standard_normal((n, d)).astype("float32")


def vector_to_array(v):
    return faiss.vector_to_array(v).copy()


def inverse(vt, y):
    """Turns transformed vectors back, and says whether that loses something."""
    vt = faiss.downcast_VectorTransform(vt)
    if isinstance(vt, faiss.LinearTransform):
        a = vector_to_array(vt.A).reshape(vt.d_out, vt.d_in).astype("float64")
        y = y.astype("float64")
        if vt.have_bias:
            y = y - vector_to_array(vt.b)
        return (y @ np.linalg.pinv(a).T).astype("float32"), vt.d_out < vt.d_in
    if isinstance(vt, faiss.RemapDimensionsTransform):
        x = np.zeros((len(y), vt.d_in), "float32")
        places = vector_to_array(vt.map)
        for j, i in enumerate(places):
            if i >= 0:
                x[:, i] = y[:, j]
        return x, len(set(places) - {-1}) < vt.d_in
    if isinstance(vt, faiss.NormalizationTransform):
        return y, True
    if isinstance(vt, faiss.CenteringTransform):
        return y + vector_to_array(vt.mean), False
    return vt.reverse_transform(np.ascontiguousarray(y)), False


def lists_of(index):
    """(list, offset, id) of every row, in order."""
    il = index.invlists
    for no in range(il.nlist):
        n = il.list_size(no)
        if n:
            ids = faiss.rev_swig_ptr(il.get_ids(no), n).copy()
            for offset in range(n):
                yield no, offset, int(ids[offset])


def read(index):
    """ids and vectors as they are to be read, and whether that is lossy or rounded."""
    index = faiss.downcast_index(index)
    n = index.ntotal
    if isinstance(index, faiss.IndexIDMap):
        ids, x, cls = read(index.index)
        return vector_to_array(index.id_map)[ids], x, cls
    if isinstance(index, faiss.IndexPreTransform):
        ids, x, cls = read(index.index)
        for i in reversed(range(index.chain.size())):
            x, lost = inverse(index.chain.at(i), x)
            cls = "lossy" if lost or cls == "lossy" else "near"
        return ids, x, cls
    if isinstance(index, faiss.IndexRefine):
        base, refine = read(index.base_index), read(index.refine_index)
        return base if base[2] == "exact" and refine[2] == "lossy" else refine
    if isinstance(index, (faiss.IndexHNSW, faiss.IndexNSG)):
        return read(index.storage)
    if isinstance(index, faiss.IndexIVF):
        rows = list(lists_of(index))
        x = np.zeros((len(rows), index.d), "float32")
        for row, (no, offset, id_) in enumerate(rows):
            index.reconstruct_from_offset(no, offset, faiss.swig_ptr(x[row]))
        cls = "exact" if isinstance(index, faiss.IndexIVFFlat) else "lossy"
        if isinstance(index, faiss.IndexIVFScalarQuantizer) and not index.by_residual:
            cls = sq_class(index.sq)
        return np.array([r[2] for r in rows], "int64"), x, cls
    x = index.reconstruct_n(0, n) if n else np.zeros((0, index.d), "float32")
    cls = "exact" if isinstance(index, faiss.IndexFlatCodes) and "Flat" in type(index).__name__ else "lossy"
    if isinstance(index, faiss.IndexScalarQuantizer):
        cls = sq_class(index.sq)
    return np.arange(n, dtype="int64"), x, cls


def sq_class(sq):
    names = ["fp16", "bf16", "8bit_direct", "8bit_direct_signed"]
    exact = [getattr(faiss.ScalarQuantizer, "QT_" + n, None) for n in names]
    return "stored" if sq.qtype in exact else "lossy"


def put(name, index, expected=None, kind="float", order="file", write=None, atol=1e-4):
    """Writes an index and what is expected of it."""
    path = os.path.join(OUT, name + ".index")
    if write:
        write(path)
    elif kind == "binary":
        faiss.write_index_binary(index, path)
    else:
        faiss.write_index(index, path)
    ids, x, cls = expected if expected else read(index)
    is_exact = kind == "binary" or cls in ("exact", "stored")
    tolerance = {"type": "bitexact"} if is_exact else {"type": "abs", "atol": atol}
    vectors = [np.ascontiguousarray(row).tobytes().hex() for row in x]
    case = {
        "name": name, "file": name + ".index", "kind": kind, "expect": "rows", "class": cls,
        "order": order, "tolerance": tolerance, "ids": [int(i) for i in ids], "vectors": vectors,
    }
    with open(os.path.join(OUT, name + ".json"), "w") as f:
        json.dump(case, f)
    cases.append({"name": name})


def clean(text):
    return "".join(c if c.isalnum() else "_" for c in text)


def factory(text, d, n=300, metric=faiss.METRIC_L2, ids=False, train=2000, kind=None, integral=False):
    name = f"{clean(text)}_d{d}_n{n}_m{metric}" + ("_ids" if ids else "")
    try:
        index = faiss.index_factory(d, text, metric)
        xt = data(max(train, n), d, integral)
        index.train(xt)
        x = data(n, d, integral)
        if ids:
            index.add_with_ids(x, rng.integers(-(2**62), 2**62, n))
        elif n:
            index.add(x)
    except Exception as e:
        print("no", text, d, str(e).split("\n")[0][-120:])
        return None
    try:
        put(name, index)
        # What is said to be exact must be what was put in.
        got_ids, got, cls = read(index)
        if cls == "exact" and not ids and len(got) == n:
            assert (got == x[got_ids]).all(), name
        if cls == "near" and not ids:
            assert np.abs(got - x[got_ids]).max() < 1e-2, name
    except Exception:
        print("BROKEN", text)
        traceback.print_exc()
    return index


def flat_and_lists():
    for d in (1, 3, 7, 64, 300):
        for metric in (faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L1):
            factory("Flat", d, metric=metric)
        factory("IVF1,Flat", d)
        factory("IVF10,Flat", d, ids=True)
        factory("IVF200,Flat", d, n=40)
        factory("IVF7,Flat", d, n=0)
        factory("IDMap,Flat", d, ids=True)
        factory("IDMap2,IVF9,Flat", d, ids=True)
        factory("IDMap,HNSW6,Flat", d, ids=True)
    factory("IVF100,Flat", 16, n=20000)
    for q in ("IVF16_HNSW8,Flat", "IMI2x4,Flat", "IVF16(PCA4,Flat),Flat", "IVF16(SQ8),Flat",
              "IVF16(IVF4,Flat),Flat", "IVF16(RQ2x4),Flat"):
        factory(q, 16)
    factory("NSG8,Flat", 16)
    factory("IDMap,NSG8,Flat", 16, ids=True)
    for levels in (1, 3, 8):
        for d in (9, 24, 33):
            factory(f"FlatL2Panorama{levels}", d)
            factory(f"FlatIPPanorama{levels}", d, metric=faiss.METRIC_INNER_PRODUCT)
            factory(f"FlatL2Panorama{levels}_700", d, n=1500)
            factory(f"IVF4,FlatPanorama{levels}", d, ids=True)
            factory(f"IVF4,FlatPanorama{levels}_7", d)
            factory(f"HNSW8_FlatPanorama{levels}", d)
            factory(f"HNSW8,FlatPanorama{levels}", d)
            factory(f"IDMap,FlatL2Panorama{levels}", d, ids=True)
            factory(f"RR{d},FlatL2Panorama{levels}", d)


def scalars():
    for d in (1, 5, 6, 7, 13, 32):
        for sq in ("SQ8", "SQ4", "SQ6", "SQfp16", "SQbf16", "SQ8_direct", "SQ8_direct_signed"):
            factory(sq, d, integral="direct" in sq)
            factory("IVF6," + sq, d, ids=True, integral="direct" in sq)
            factory("HNSW6," + sq, d, integral="direct" in sq)
            if d > 7 and "direct" not in sq:
                factory("IDMap2,NSG6," + sq, d, ids=True)
        for qtype in (n for n in dir(faiss.ScalarQuantizer) if n.startswith("QT_")):
            if any(w in qtype for w in ("eden", "_tq", "count", "0bit")) and "tqmse" not in qtype:
                continue
            for residual in (None, False, True):
                try:
                    q = getattr(faiss.ScalarQuantizer, qtype)
                    if residual is None:
                        index = faiss.IndexScalarQuantizer(d, q)
                    else:
                        quantizer = faiss.IndexFlatL2(d)
                        index = faiss.IndexIVFScalarQuantizer(quantizer, d, 5, q, faiss.METRIC_L2, residual)
                        index.own_fields = False
                    x = data(500, d)
                    index.train(x)
                    index.add(x[:100])
                    put(f"{qtype}_{residual}_d{d}", index)
                except Exception as e:
                    print("no", qtype, residual, d, str(e).split("\n")[0][-100:])


def products():
    for d, m in ((8, 4), (15, 5), (24, 3), (16, 16)):
        for bits in (1, 4, 5, 8, 9):
            factory(f"PQ{m}x{bits}np", d, train=3000)
            factory(f"IVF4,PQ{m}x{bits}np", d, train=3000, ids=True)
        factory(f"IVF4,PQ{m}+{m}", d, train=3000)
        factory(f"OPQ{m},PQ{m}x4", d)
        factory(f"OPQ{m},IVF4,PQ{m}x4", d, ids=True)
        factory(f"HNSW8,PQ{m}", d, train=3000)
        factory(f"NSG8,PQ{m}", d, train=3000)
        for n in (1, 31, 32, 33, 300):
            factory(f"PQ{m}x4fs", d, n=n)
            factory(f"IVF3,PQ{m}x4fs", d, n=n)
            factory(f"IVF3,PQ{m}x4fsr", d, n=n, ids=True)
        factory(f"IDMap,PQ{m}x4fs", d, ids=True)
        factory(f"IMI2x2,PQ{m}x4", d if d % 2 == 0 else d + 1)
        factory(f"RCQ2x3,PQ{m}x4", d)
        # Faiss reads its own blocks of more than 32 rows wrong: compare with the index they are of.
        for bbs in (64, 96, 256):
            pq = faiss.IndexPQ(d, m, 4)
            pq.train(data(2000, d))
            pq.add(data(200, d))
            fs = faiss.IndexPQFastScan(pq, bbs)
            put(f"pqfs_{d}_{m}_bbs{bbs}", fs, expected=(np.arange(200), pq.reconstruct_n(0, 200), "lossy"))
            quantizer = faiss.IndexFlatL2(d)
            ivf = faiss.IndexIVFPQ(quantizer, d, 4, m, 4)
            ivf.by_residual = True
            ivf.train(data(2000, d))
            ivf.add(data(400, d))
            try:
                fs = faiss.IndexIVFPQFastScan(ivf, bbs)
                ids, x, _ = read(ivf)
                put(f"ivfpqfs_{d}_{m}_bbs{bbs}", fs, expected=(ids, x, "lossy"))
            except Exception as e:
                print("no ivfpqfs", bbs, str(e)[-100:])


def additives():
    norms = ["", "_Nfloat", "_Nqint8", "_Nqint4", "_Ncqint8", "_Ncqint4", "_Nlsq2x4", "_Nrq2x4", "_Nnone"]
    for d in (8, 12):
        for norm in norms:
            for q in ("RQ3x5", "LSQ4x4", "PRQ2x2x4", "PLSQ2x2x4", "RQ1x8_2x4"):
                factory(q + norm, d, train=400)
                factory("IVF4," + q + norm, d, n=100, train=400, ids=True)
    factory("IDMap,RQ3x5", 8, ids=True)


def transforms():
    d = 16
    for inner in ("Flat", "IVF4,Flat", "HNSW8,Flat", "SQfp16", "SQ8"):
        for pre in ("PCA16", "PCA8", "PCAR16", "PCAR6", "PCAW16", "PCAWR16", "PCAW8", "PCAWR8", "OPQ4", "OPQ4_8", "OPQ8_32",
                    "RR16", "RR8", "RR24", "L2norm", "Pad20", "RR16,PCA16", "L2norm,PCA16", "Pad24,RR24", "PCA8,L2norm",
                    "HR", "HR16", "HR32", "HRot", "ITQ16"):
            if pre == "ITQ16":
                continue
            factory(f"{pre},{inner}", d)
    factory("PCA8,IDMap,Flat", d, ids=True)
    factory("IDMap2,PCA16,IVF5,Flat", d, ids=True)
    for inner_d in (7, 16, 21):
        try:
            rot = faiss.HadamardRotation(inner_d)
            index = faiss.IndexPreTransform(rot, faiss.IndexFlatL2(rot.d_out))
            x = data(100, inner_d)
            index.add(x)
            put(f"hadamard_{inner_d}", index, expected=(np.arange(100), x, "near"))
        except Exception as e:
            print("no hadamard", str(e)[-100:])
    center = faiss.CenteringTransform(d)
    index = faiss.IndexPreTransform(center, faiss.IndexFlatL2(d))
    x = data(100, d) + 3
    index.train(x)
    index.add(x)
    put("center", index, expected=(np.arange(100), x, "near"))
    # A transform without orthogonal rows, and one to more dimensions.
    for name, d_out in (("square", d), ("wide", 40)):
        lt = faiss.LinearTransform(d, d_out, True)
        faiss.copy_array_to_vector(data(d_out, d).ravel(), lt.A)
        faiss.copy_array_to_vector(data(1, d_out).ravel(), lt.b)
        lt.is_trained = True
        index = faiss.IndexPreTransform(lt, faiss.IndexFlatL2(d_out))
        index.add(x)
        put("linear_" + name, index, expected=(np.arange(100), x, "near"), atol=1e-3)
    # Transforms inside of transforms, maps inside of maps of parts.
    rot = faiss.RandomRotationMatrix(d, d)
    rot.init(3)
    inner = faiss.index_factory(d, "PCA16,IVF4,Flat")
    inner.train(x)
    index = faiss.IndexPreTransform(rot, inner)
    index.is_trained = True
    outer = faiss.IndexIDMap2(index)
    outer.add_with_ids(x, np.arange(100) * 7 - 300)
    put("nested_transforms", outer)
    # Transforms before coarse centroids.
    quantizer = faiss.IndexPreTransform(rot, faiss.IndexHNSWFlat(d, 8))
    index = faiss.IndexIVFScalarQuantizer(quantizer, d, 6, faiss.ScalarQuantizer.QT_8bit)
    index.train(data(500, d))
    index.add(x)
    put("transformed_quantizer", index)


def refined():
    for base in ("SQ8", "PQ4x4", "PQ4x4fs", "IVF4,PQ4x4", "RaBitQ", "IVF4,RaBitQ", "RaBitQfs", "IVF4,RaBitQfs", "RaBitQ4",
                 "IVF4,RaBitQ4", "EDEN4", "IVF4,EDEN4", "LSH", "LSHrt", "LSHt", "RQ4x4fs_32_Nrq2x4", "LSQ4x4fs_32_Nlsq2x4", "PRQ2x2x4fs_32_Nrq2x4",
                 "PLSQ2x2x4fs_32_Nlsq2x4", "IVF4,RQ4x4fs_32_Nrq2x4", "IVF4,LSQ4x4fs_32_Nlsq2x4", "IVF4,PRQ2x2x4fs_32_Nrq2x4",
                 "IVF4,PLSQ2x2x4fs_32_Nlsq2x4", "PCA8,SQ4", "HNSW8,SQ8", "IVF4,PQ2+2", "ITQ16,LSH", "IVF4,ITQ16,SH8"):
        for refine in ("RFlat", "Refine(SQfp16)", "Refine(SQ8)", "Refine(PQ4x4)"):
            factory(f"{base},{refine}", 16, train=1000)
    factory("IDMap,IVF4,PQ4x4,RFlat", 16, ids=True)
    factory("IDMap2,RaBitQ,RFlat", 16, ids=True)
    factory("IVF4,Flat,Refine(SQ8)", 16)


def changed():
    d = 12
    index = faiss.index_factory(d, "IVF16,Flat")
    index.train(data(1000, d))
    index.add_with_ids(data(400, d), rng.integers(0, 10**12, 400))
    some = np.array([r[2] for r in lists_of(index)][::3])
    index.remove_ids(some)
    put("ivf_removed", index)
    index.reset()
    put("ivf_reset", index)
    index = faiss.index_factory(d, "IDMap2,Flat")
    index.add_with_ids(data(100, d), np.arange(100) + 5)
    index.remove_ids(np.arange(30, 60))
    put("idmap2_removed", index)
    for kind in (faiss.DirectMap.Array, faiss.DirectMap.Hashtable):
        index = faiss.index_factory(d, "IVF16,Flat")
        index.train(data(1000, d))
        index.set_direct_map_type(kind)
        index.add(data(200, d))
        if kind == faiss.DirectMap.Hashtable:
            index.remove_ids(np.arange(40))
        put(f"ivf_direct_map_{kind}", index)
    x = data(50, d)
    x[3, 2] = np.nan
    x[9, 0] = np.inf
    index = faiss.index_factory(d, "IVF4,Flat")
    index.train(data(500, d))
    index.add(x)
    put("ivf_nan", index)
    index = faiss.index_factory(d, "Flat")
    index.add(x)
    put("flat_nan", index)
    # Equal vectors under several ids.
    base = data(60, d)
    picks = rng.integers(0, 60, 500)
    ids = rng.permutation(10**6)[:500].astype("int64")
    for wrap in (False, True):
        quantizer = faiss.IndexFlatL2(d)
        index = faiss.IndexIVFFlatDedup(quantizer, d, 7, faiss.METRIC_L2)
        index.train(data(500, d))
        if wrap:
            outer = faiss.IndexIDMap(index)
            outer.add_with_ids(base[picks], ids)
        else:
            outer = index
            index.add_with_ids(base[picks], ids)
        put(f"dedup_{wrap}", outer, expected=(ids, base[picks], "exact"), order="unordered")


def on_disk():
    d = 10
    for name, rounds in (("once", 1), ("grown", 9)):
        index = faiss.index_factory(d, "IVF12,Flat")
        index.train(data(1000, d))
        path = os.path.join(OUT, f"disk_{name}.ivfdata")
        if os.path.exists(path):
            os.remove(path)
        lists = faiss.OnDiskInvertedLists(index.nlist, index.code_size, path)
        index.replace_invlists(lists, False)
        for _ in range(rounds):
            n = int(rng.integers(20, 90))
            index.add_with_ids(data(n, d), rng.integers(-(10**9), 10**9, n))
        index.remove_ids(np.array([r[2] for r in lists_of(index)][::5]))
        put(f"disk_{name}", index)
    index = faiss.index_factory(24, "IVF12,SQ8")
    index.train(data(1000, 24))
    path = os.path.join(OUT, "disk_sq8.ivfdata")
    if os.path.exists(path):
        os.remove(path)
    lists = faiss.OnDiskInvertedLists(index.nlist, index.code_size, path)
    index.replace_invlists(lists, False)
    index.add(data(300, 24))
    put("disk_sq8", index)


def bits(n, d):
    return rng.integers(0, 256, (n, d // 8)).astype("uint8")


def binary():
    for d in (8, 64, 200, 1024):
        x = bits(150, d)
        ids = rng.integers(-(2**62), 2**62, 150)
        index = faiss.IndexBinaryFlat(d)
        index.add(x)
        put(f"b_flat_{d}", index, (np.arange(150), x, "exact"), "binary")
        index = faiss.IndexBinaryIDMap2(faiss.IndexBinaryFlat(d))
        index.add_with_ids(x, ids)
        put(f"b_idmap_{d}", index, (ids, x, "exact"), "binary")
        index = faiss.IndexBinaryHNSW(d, 6)
        index.add(x)
        put(f"b_hnsw_{d}", index, (np.arange(150), x, "exact"), "binary")
        for quantizer in (faiss.IndexBinaryFlat(d), faiss.IndexBinaryHNSW(d, 4)):
            index = faiss.IndexBinaryIVF(quantizer, d, 5)
            index.cp.min_points_per_centroid = 1
            index.train(bits(300, d))
            index.add_with_ids(x, ids)
            rows = list(lists_of(index))
            at = {int(i): k for k, i in enumerate(ids)}
            got = x[[at[r[2]] for r in rows]]
            put(f"b_ivf_{type(quantizer).__name__}_{d}", index, (np.array([r[2] for r in rows]), got, "exact"), "binary")
        index = faiss.IndexBinaryHash(d, min(d, 10))
        index.add(x)
        put(f"b_hash_{d}", index, (np.arange(150), x, "exact"), "binary", "unordered")
        index = faiss.IndexBinaryMultiHash(d, 2, min(d // 2, 9))
        index.add(x)
        put(f"b_multihash_{d}", index, (np.arange(150), x, "exact"), "binary")
        for text in ("Flat", "HNSW8,Flat", "SQ8", "IDMap,Flat"):
            inner = faiss.index_factory(d, text)
            index = faiss.IndexBinaryFromFloat(inner)
            index.train(bits(300, d))
            try:
                index.add(x)
            except Exception as e:
                print("no from float", text, str(e)[-80:])
                continue
            cls = "lossy" if text == "SQ8" else "exact"
            put(f"b_float_{clean(text)}_{d}", index, (np.arange(150), x, cls), "binary")


os.makedirs(OUT, exist_ok=True)
for group in (changed, on_disk, binary, flat_and_lists, transforms, scalars, products, refined, additives):
    if len(sys.argv) <= 3 or group.__name__ in sys.argv[3:]:
        group()
        print("done", group.__name__, len(cases), flush=True)
print(len(cases), "cases by Faiss", faiss.__version__)
