#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Moves real vectors between real files, and shows each step as it would be typed.
#
#   demo.sh BINARY FOLDER     FOLDER is made anew; everything is written below it
set -euo pipefail
binary=$(realpath "${1:?the milvusdm binary}")
folder=${2:?a folder to work in}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

mkdir -p "$folder"
rm -rf "$folder/out" "$folder/bin"
cd "$folder"
ln -sfn "$top/examples" examples
ln -sfn "$top/tests" tests
mkdir bin
ln -s "$binary" bin/milvusdm
export PATH="$PWD/bin:$PATH" MILVUSDM_PATH="$PWD/milvusdm"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() {
    printf '\033[36m$ %s\033[0m\n' "$*"
    "$@"
}

say "What can it read and write?"
show milvusdm plugins list

say "What is in these files? A Faiss index with ids of its own, and an HDF5 data set."
show milvusdm inspect faiss:tests/data/faiss/ivf8_flat_ids.index
show milvusdm inspect hdf5:tests/data/hdf5/glove-24-angular.hdf5

say "From Faiss to HDF5: first the plan, which writes nothing, then the run with its ledger."
show cat examples/tasks/ivf-with-ids.yaml
show milvusdm plan examples/tasks/ivf-with-ids.yaml
show milvusdm run examples/tasks/ivf-with-ids.yaml

say "From HDF5 to HDF5, compressed; and a folder of files merged into one collection."
show milvusdm run examples/tasks/hdf5-to-hdf5.yaml
show milvusdm run examples/tasks/merge.yaml

say "The directory of a Milvus 1.1 that was killed, with rows in its write-ahead log only."
show milvusdm inspect milvus1:tests/data/milvus1/golden/wal
show milvusdm run examples/tasks/milvus1-to-hdf5.yaml

say "What arrived?"
show milvusdm inspect hdf5:out/
find out -type f -exec ls -l {} +
say "All of it is in $folder/out"
