#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times milvusdm against dd on the same disk, and measures peak memory and start-up.

    bench.py --binary MILVUSDM --plugins FOLDER --dir FOLDER [--rows N] [--dim D] [--pairs N] [--big-rows N]
             [--only GROUP ...] [--request-mib N ...]

Inputs are random and made once, in FOLDER. Each pair is `dd bs=8M conv=fsync` of the input and
one run of milvusdm, in turn, cache warm, everything written before ended; the ratio is taken
pair by pair and its median is shown. Both flush to the disk before they end. Every output is
compared with its input, bit by bit, in the same run. What goes to a server goes against a client
that only sends (milvus1.py); there the ratio is the share of its throughput. A plugin that is loaded from its file is
timed against the same one linked in, in at least 15 pairs. Never fails for being slow; fails if an
output is wrong or a run does.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

import durable
import milvus1

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
CONSTANT_MIB = 64
LOADED_PAIRS = 15
MEMORY_MIB = 256
# What the sink of Milvus 1.x sends at once by default.
REQUEST_MIB = 4


class Finished:
    def __init__(self, code, seconds, peak_bytes):
        self.code, self.seconds, self.peak_bytes = code, seconds, peak_bytes


def run(command, quiet=False):
    """Runs a command to its end. This process is small, so the peak is the command's own."""
    out = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, out, 1)]
    if quiet:
        actions.append((os.POSIX_SPAWN_DUP2, out, 2))
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    os.close(out)
    return Finished(os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss * 1024)


def checked(command, quiet=False):
    finished = run(command, quiet)
    if finished.code != 0:
        sys.exit(f"bench: exit code {finished.code}: {' '.join(command)}")
    return finished


def python(script, *args):
    """Whatever needs numpy runs in a process of its own: see `run`."""
    subprocess.run([sys.executable, "-B", f"{HERE}/{script}", *map(str, args)], check=True)


def remove(path):
    if os.path.exists(path):
        os.unlink(path)


def warm(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(8 * MIB):
            pass


class Bench:
    def __init__(self, args):
        self.args = args
        self.results = []
        os.makedirs(args.dir, exist_ok=True)
        self.input = {
            "flat": f"{args.dir}/flat-{args.rows}x{args.dim}.index",
            "ivf": f"{args.dir}/ivf-{args.rows}x{args.dim}.index",
            "hdf5": f"{args.dir}/hdf5-{args.rows}x{args.dim}.h5",
            "big": f"{args.dir}/big-{args.big_rows}x{args.dim}.index",
        }

    def prepare(self):
        args = self.args
        row_bytes = args.dim * 4 + 16
        needed = row_bytes * (args.rows * 5 + args.big_rows)
        free = shutil.disk_usage(args.dir).free
        if free < needed:
            sys.exit(f"bench: {needed >> 20} MiB are needed in {args.dir}, {free >> 20} MiB are free")
        for kind, maker in (("flat", "flat"), ("ivf", "ivf"), ("big", "sparse_flat")):
            path = self.input[kind]
            if not os.path.exists(path):
                print(f"making {path}", file=sys.stderr)
                rows = args.big_rows if kind == "big" else args.rows
                python("make_input.py", maker, path + ".part", rows, args.dim)
                os.rename(path + ".part", path)
        if not os.path.exists(self.input["hdf5"]):
            print(f"making {self.input['hdf5']}", file=sys.stderr)
            python("check.py", "make-hdf5", self.input["hdf5"] + ".part", args.rows, args.dim)
            os.rename(self.input["hdf5"] + ".part", self.input["hdf5"])
        os.sync()

    def pairs(self, title, plugin, kind, target_ratio):
        source = self.input[kind]
        self.pairs_of(title, f"{plugin}:{source}", (kind, source), target_ratio, [source], source)

    def pairs_of(self, title, endpoint, check, target_ratio, files, same_bytes):
        """A source of these files against dd of one file with the same bytes."""
        args = self.args
        out, copy = f"{args.dir}/out.h5", f"{args.dir}/out.dd"
        ours, theirs = [], []
        for _ in range(args.pairs):
            warm(same_bytes)
            remove(copy)
            os.sync()
            theirs.append(checked(["dd", f"if={same_bytes}", f"of={copy}", "bs=8M", "conv=fsync"], quiet=True))
            remove(copy)
            remove(out)
            for file in files:
                warm(file)
            os.sync()
            ours.append(checked([args.binary, "copy", endpoint, f"hdf5:{out}", "--quiet"]))
            python("check.py", *check, out)
        remove(out)
        ratios = [a.seconds / b.seconds for a, b in zip(ours, theirs)]
        self.add_pairs(title, ours, theirs, ratios, target_ratio)

    def add_pairs(self, title, ours, theirs, ratios, target_ratio):
        self.results.append({
            "what": title,
            "seconds": statistics.median(one.seconds for one in ours),
            "against_seconds": statistics.median(one.seconds for one in theirs),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "ratio_target": target_ratio,
            "peak_mib": max(one.peak_bytes for one in ours) / MIB,
            "peak_target_mib": CONSTANT_MIB + MEMORY_MIB,
        })

    def add_peak(self, title, finished):
        self.results.append({
            "what": title,
            "seconds": finished.seconds,
            "peak_mib": finished.peak_bytes / MIB,
            "peak_target_mib": CONSTANT_MIB + MEMORY_MIB,
        })

    def loaded(self, title, kind, sink):
        """The faiss plugin loaded from its file, against the one that is linked in."""
        args, source, out = self.args, self.input[kind], f"{self.args.dir}/out.h5"
        file = f"{args.plugins}/libmilvusdm_faiss.so"
        ways = {
            "linked": [],
            "loaded": ["--prefer", "loaded", "--allow-plugin", file],
        }
        seconds = {way: [] for way in ways}
        peak = 0
        for turn in range(max(args.pairs, LOADED_PAIRS)):
            # Whoever comes second finds caches as the first left them: they take turns.
            for way in sorted(ways, reverse=turn % 2 == 1):
                warm(source)
                remove(out)
                os.sync()
                target = f"hdf5:{out}" if sink == "hdf5" else "null:"
                command = [args.binary, "copy", f"faiss:{source}", target, "--quiet", *ways[way]]
                finished = checked(command)
                seconds[way].append(finished.seconds)
                peak = max(peak, finished.peak_bytes)
                if sink == "hdf5" and turn == 0:
                    python("check.py", kind, source, out)
        remove(out)
        ratios = [a / b for a, b in zip(seconds["loaded"], seconds["linked"])]
        self.results.append({
            "what": title,
            "seconds": statistics.median(seconds["loaded"]),
            "against_seconds": statistics.median(seconds["linked"]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "ratio_target": 1.03,
            "peak_mib": peak / MIB,
            "peak_target_mib": CONSTANT_MIB + MEMORY_MIB,
        })

    def big(self):
        args, out = self.args, f"{self.args.dir}/out.h5"
        for title, sink in (("to null", "null:"), ("to HDF5", f"hdf5:{out}")):
            remove(out)
            finished = checked([args.binary, "copy", f"faiss:{self.input['big']}", sink, "--quiet"])
            if sink != "null:":
                python("check.py", "zeros", args.big_rows, args.dim, out)
                remove(out)
            gib = args.big_rows * args.dim * 4 / 2**30
            self.add_peak(f"Faiss Flat of {gib:.3g} GiB {title}", finished)

    def start_up(self):
        for what, command, target_ms in (
            ("milvusdm --version", ["--version"], 10),
            ("milvusdm plugins list", ["plugins", "list"], 30),
        ):
            times = [checked([self.args.binary, *command]).seconds * 1000 for _ in range(50)]
            self.results.append({
                "what": what,
                "milliseconds": statistics.median(times),
                "milliseconds_target": target_ms,
            })

    def show(self):
        size = f"{self.args.rows} x {self.args.dim}"
        print(f"\n{size}, {self.args.pairs} interleaved pairs, outputs verified, everything fsynced\n")
        line = "{:<34} {:>9} {:>9} {:>7} {:>13} {:>8} {:>10} {:>8}"
        print(line.format("", "milvusdm", "against", "ratio", "(min-max)", "target", "peak RSS", "target"))
        for result in self.results:
            if "milliseconds" in result:
                print(f"{result['what']:<34} {result['milliseconds']:>6.1f} ms"
                      f"{'':>33} {result['milliseconds_target']:>5} ms")
                continue
            has_ratio = "ratio" in result
            print(line.format(
                result["what"],
                f"{result['seconds']:.2f} s",
                f"{result['against_seconds']:.2f} s" if has_ratio else "",
                f"{result['ratio']:.2f}" if has_ratio else "",
                f"({result['ratio_min']:.2f}-{result['ratio_max']:.2f})" if has_ratio else "",
                f"{result['ratio_target']:.2f}" if has_ratio else "",
                f"{result['peak_mib']:.0f} MiB",
                f"{result['peak_target_mib']} MiB",
            ))
        path = f"{self.args.dir}/results.json"
        with open(path, "w") as file:
            json.dump({"rows": self.args.rows, "dim": self.args.dim, "pairs": self.args.pairs,
                       "results": self.results}, file, indent=1)
        print(f"\nas JSON: {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--plugins", required=True, help="the folder of libmilvusdm_faiss.so")
    parser.add_argument("--dir", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--big-rows", type=int, default=8 << 20)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="GROUP",
                        help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--request-mib", type=int, nargs="+", default=[REQUEST_MIB],
                        help="sizes of insert requests to Milvus 1.x")
    args = parser.parse_args()
    os.environ["MILVUSDM_PATH"] = f"{args.dir}/home"
    bench = Bench(args)
    bench.prepare()
    for group in args.only:
        GROUPS[group](bench)
    bench.show()


def files(bench):
    bench.pairs("Faiss Flat to HDF5", "faiss", "flat", 1.5)
    bench.pairs("HDF5 to HDF5, contiguous", "hdf5", "hdf5", 1.5)
    bench.pairs("Faiss IVF-Flat to HDF5", "faiss", "ivf", 2.5)


def loaded(bench):
    bench.loaded("Faiss Flat to null, as .so", "flat", "null")
    bench.loaded("Faiss Flat to HDF5, as .so", "flat", "hdf5")


# What can be measured alone, with `--only`.
GROUPS = {
    "files": files,
    "loaded": loaded,
    "big": Bench.big,
    "start-up": Bench.start_up,
    "milvus1-files": lambda bench: milvus1.directories(bench, python),
    "milvus1-server": lambda bench: milvus1.servers(bench, checked, warm),
    "milvus1-memory": lambda bench: milvus1.memory(bench, checked),
    "durable": lambda bench: durable.durable(bench, checked, python),
}


if __name__ == "__main__":
    main()
