# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark that are about Milvus 1.x; see bench.py.

Directories go against dd of the same bytes. What goes to a server goes against a client that sends
one encoded request again and again, to a server of the same kind that is started anew for each
run, so that its memory is the same each time.
"""
import os
import shutil
import subprocess
import sys

SEGMENTS = 4
DELETED = 0.05
SHARE_TARGET = 0.9
ID_BYTES = 8


class Server:
    """A stand-in for Milvus 1.1, as a process."""

    def __init__(self, programs, *options):
        self.process = subprocess.Popen([f"{programs}/milvus1-standin", *options], stdout=subprocess.PIPE, text=True)
        self.uri = self.process.stdout.readline().removeprefix("listening on ").strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def make_directory(bench, python, name, share):
    """A data directory, its files, and one file of the bytes of its vectors and ids, for dd."""
    args, path = bench.args, f"{bench.args.dir}/milvus1-{name}-{bench.args.rows}x{bench.args.dim}"
    if not os.path.exists(path):
        print(f"making {path}", file=sys.stderr)
        shutil.rmtree(f"{path}.part", ignore_errors=True)
        python("../python/make_milvus1_data.py", f"{path}.part", args.rows, args.dim, SEGMENTS, share)
        os.rename(f"{path}.part", path)
    files = [f"{folder}/{file}" for folder, _, names in os.walk(path) for file in names
             if file.endswith((".rv", ".uid"))]
    with open(f"{path}.bytes", "wb") as together:
        for file in files:
            with open(file, "rb") as part:
                shutil.copyfileobj(part, together, 8 << 20)
    return path, files


def directories(bench, python):
    for name, share, target in (("whole", 0.0, 1.5), ("deleted", DELETED, 2.0)):
        path, files = make_directory(bench, python, name, share)
        title = f"Milvus 1.x, {share:.0%} deleted, to HDF5" if share else "Milvus 1.x to HDF5"
        bench.pairs_of(title, f"milvus1:{path}", ("milvus1", path), target, files, f"{path}.bytes")
        os.unlink(f"{path}.bytes")


def inserts(bench, checked, title, options, source, rows, request_mib):
    """A source to a server, against the client that only sends, in turn."""
    args = bench.args
    rows_a_request = (request_mib << 20) // (args.dim * 4 + ID_BYTES)
    requests = -(-rows // rows_a_request)
    ours, theirs = [], []
    for turn in range(args.pairs):
        # Whoever comes second finds caches as the first left them: they take turns.
        for who in (ours, theirs) if turn % 2 else (theirs, ours):
            with Server(args.plugins, *options) as server:
                if who is ours:
                    sink = f"milvus1:{server.uri}?metric=L2&request_mib={request_mib}"
                    command = [args.binary, "copy", f"faiss:{source}", sink, "--map", "big", "--quiet"]
                else:
                    command = [f"{args.plugins}/milvus1-raw-client", "--uri", server.uri,
                               "--dimension", str(args.dim), "--request-mib", str(request_mib),
                               "--requests", str(requests)]
                who.append(checked(command))
    # Rows a second; the last request of the other client is a whole one.
    shares = [raw.seconds / (requests * rows_a_request) * rows / own.seconds for raw, own in zip(theirs, ours)]
    bench.add_pairs(f"{title}, {request_mib} MiB", ours, theirs, shares, SHARE_TARGET)


def servers(bench, checked, warm):
    args = bench.args
    for source in (bench.input["flat"], bench.input["big"]):
        warm(source)
    for mib in args.request_mib:
        inserts(bench, checked, "to gRPC, discarding", ["--discard"], bench.input["big"], args.big_rows, mib)
        inserts(bench, checked, "to gRPC, keeping", [], bench.input["flat"], args.rows, mib)


def memory(bench, checked):
    """Random vectors to a server that counts them."""
    args = bench.args
    with Server(args.plugins, "--discard") as server:
        source = f"random:{args.big_rows}?dim={args.dim}&seed=1"
        finished = checked([args.binary, "copy", source, f"milvus1:{server.uri}?metric=L2", "--quiet"])
    bench.add_peak(f"random of {args.big_rows * args.dim * 4 / 2**30:.3g} GiB to gRPC", finished)
