# SPDX-License-Identifier: Apache-2.0
"""The rows of the benchmark that are about runs that can go on; see bench.py.

What journal and hashes cost goes against the same run without them, in turn. A run that goes on after
it was killed at 90 % goes against a whole one. What it takes to verify goes against `cat` of both sides.
"""
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import time

import milvus1

COST_TARGET = 1.05
RESUME_TARGET = 0.15
VERIFY_TARGET = 1.3
KILLED_AT = 0.9
# Seconds of the run that is killed: slow enough to be killed where it is meant to be.
SLOW_SECONDS = 2
PAIRS = 15
# Of the first, which is a small difference between two runs that end with waiting for the disk:
# single pairs differ by a half, and the median of so many by three in a hundred.
COST_PAIRS = 101


def remove(out):
    for path in (out, *glob.glob(f"{os.path.dirname(out)}/.{os.path.basename(out)}.*.partial")):
        if os.path.exists(path):
            os.unlink(path)


def settle(bench):
    """Ends all writing, with memory at hand for the pages of a target.

    What a virtual machine left idle its host may have taken back, and gives again page by page as
    it is written to, which takes longer than writing. A whole run finds the memory of the target
    that was removed before it; one that goes on would not.
    """
    path, block = f"{bench.args.dir}/memory", bytes(8 << 20)
    with open(path, "wb") as file:
        for _ in range(bench.args.rows * (bench.args.dim * 4 + 8) // len(block) + 1):
            file.write(block)
    os.unlink(path)
    os.sync()


def cost(bench, checked, source, warm):
    args, out = bench.args, f"{bench.args.dir}/out.h5"
    ways = {"kept": [], "bare": ["--no-journal", "--no-hash"]}
    finished = {way: [] for way in ways}
    for turn in range(max(args.pairs, COST_PAIRS)):
        # Whoever comes second finds caches as the first left them: they take turns.
        for way in sorted(ways, reverse=turn % 2 == 1):
            remove(out)
            settle(bench)
            for file in warm:
                with open(file, "rb") as content:
                    while content.read(8 << 20):
                        pass
            command = [args.binary, "copy", source, f"hdf5:{out}", "--quiet", *ways[way]]
            finished[way].append(checked(command))
    ratios = [kept.seconds / bare.seconds for kept, bare in zip(finished["kept"], finished["bare"])]
    bench.add_pairs("journal and hashes, to HDF5", finished["kept"], finished["bare"], ratios, COST_TARGET)


def written(state):
    """Rows that the only journal in the folder knows to be written."""
    try:
        journal, = glob.glob(f"{state}/*.journal")
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=1) as connection:
            rows = connection.execute("SELECT json_extract(acknowledged, '$.written') FROM split")
            return sum(row for row, in rows)
    except (ValueError, sqlite3.Error):
        return 0


def resume(bench, checked, source):
    args, out, state = bench.args, f"{bench.args.dir}/out.h5", f"{bench.args.dir}/state"
    command = [args.binary, "copy", source, f"hdf5:{out}", "--quiet", "--state", state]
    ours, theirs = [], []
    while len(ours) < max(args.pairs, PAIRS):
        remove(out)
        shutil.rmtree(state, ignore_errors=True)
        settle(bench)
        whole = checked(command)
        remove(out)
        # Its journal tells of rows that are all there.
        shutil.rmtree(state)
        slow = subprocess.Popen([*command, "--rows-per-second", str(args.rows // SLOW_SECONDS)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while written(state) < args.rows * KILLED_AT and slow.poll() is None:
            time.sleep(0.005)
        slow.kill()
        slow.wait()
        if os.path.exists(out):
            # It was done before it was killed.
            continue
        settle(bench)
        theirs.append(whole)
        ours.append(checked(command))
    remove(out)
    shutil.rmtree(state, ignore_errors=True)
    ratios = [own.seconds / whole.seconds for own, whole in zip(ours, theirs)]
    bench.add_pairs("going on after a kill at 90 %", ours, theirs, ratios, RESUME_TARGET)


def verify(bench, checked, path, files):
    args, out, state = bench.args, f"{bench.args.dir}/out.h5", f"{bench.args.dir}/state"
    task = f"{args.dir}/task.json"
    with open(task, "w") as file:
        json.dump({"source": {"plugin": "milvus1", "path": path},
                   "sink": {"plugin": "hdf5", "path": out}}, file)
    remove(out)
    checked([args.binary, "run", task, "--quiet", "--state", state])
    ours, theirs = [], []
    for _ in range(max(args.pairs, PAIRS)):
        theirs.append(checked(["cat", *files, out]))
        ours.append(checked([args.binary, "verify", task, "--state", state], quiet=True))
    remove(out)
    os.unlink(task)
    shutil.rmtree(state, ignore_errors=True)
    ratios = [own.seconds / cat.seconds for own, cat in zip(ours, theirs)]
    bench.add_pairs("verify, against cat of both", ours, theirs, ratios, VERIFY_TARGET)


def durable(bench, checked, python):
    path, files = milvus1.make_directory(bench, python, "whole", 0.0)
    os.unlink(f"{path}.bytes")
    cost(bench, checked, f"milvus1:{path}", files)
    resume(bench, checked, f"milvus1:{path}")
    verify(bench, checked, path, files)
