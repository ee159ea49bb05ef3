// SPDX-License-Identifier: Apache-2.0
//! The long help of each command: what it is for, and lines to start from.
//!
//! Kept apart from `args`, so that each can be read in one piece. A test runs every example
//! through the parser. They are written for `milvusdm`; [`under_name`] makes them those of a
//! program of another name.

use crate::program::NAME;

/// The text for a program of another name: that name where the command is typed and where
/// `{name}` stands, while folders and files keep theirs.
pub(super) fn under_name(text: &str, name: &str) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(NAME) {
        named.push_str(before);
        let is_start = |c: char| c.is_whitespace() || matches!(c, '`' | '(' | '\'');
        let is_end = |c: char| c.is_whitespace() || c == '`';
        let is_typed = named.chars().next_back().is_none_or(is_start)
            && after.chars().next().is_none_or(is_end);
        named.push_str(if is_typed { name } else { NAME });
        rest = after;
    }
    named.push_str(rest);
    named.replace("{name}", name)
}

pub(super) const TOP_ABOUT: &str = "\
Moves vector data (ids, vectors, partitions, columns) between systems and files, in bounded \
memory, and accounts for every row.

A task file says from where to where; `milvusdm plan` shows what it would do, `milvusdm run` does \
it and prints a ledger. Formats are plugins: see `milvusdm plugins list`.";

pub(super) const TOP: &str = "\
Examples:
  milvusdm plugins list                            what can be read and written
  milvusdm inspect faiss:/data/a.index             what is in there
  milvusdm plan task.yaml                          what would be moved; writes nothing
  milvusdm run task.yaml                           move it; given again, a stopped run goes on
  milvusdm status task.yaml                        how far it came
  milvusdm verify task.yaml                        prove that it arrived
  milvusdm copy faiss:/data/a.index hdf5:/data/a.h5
  milvusdm dump milvus1:/var/lib/milvus backup/    a folder to restore from
  milvusdm --yaml F2M.yaml                         the same as `run`; files of MilvusDM 1.0 too
  milvusdm convert F2M.yaml                        such a file as a task of today

A task file:
  source: {plugin: faiss, path: /data/a.index}
  sink:   {plugin: hdf5, path: out/}

Exit codes:
  0  done, and the ledger is balanced
  1  finished, but rows were rejected or lost; `verify` found a difference
  2  the command line, the task or the state of the target is refused
  3  a plugin failed or did not come back
  4  the source or the sink failed
  5  internal error, or a ledger that does not balance
  130, 143  stopped by SIGINT, SIGTERM

Environment:
  MILVUSDM_PATH  folder whose `logs` takes the daily log files of runs, `state` the journals by which
                 they go on, and `ids` the ids that old tasks write [default: ~/milvusdm]
  LOGS_NUM       how many log files to keep; 0 = all [default: 0]
  NO_COLOR       no colours on stderr";

pub(super) const RUN_ABOUT: &str = "\
Runs a task: reads what it selects, writes it to the sink, and prints a ledger of every row.

Everything is checked before the first byte is written: options, names, free space, targets that \
exist already.

A run that is stopped, killed or cut off goes on where it was when the same command is given again, \
unless the task or the source changed since. With `--restart` it begins anew. How far it came is kept \
in a journal; `milvusdm status TASK.yaml` shows it.";

pub(super) const RUN: &str = "\
Examples:
  milvusdm run task.yaml
  milvusdm run task.yaml --receipt receipt.json    keep what was done as JSON
  milvusdm run task.yaml --verify                  and compare both sides afterwards
  milvusdm run task.yaml --json --progress off     for programs
  milvusdm run task.yaml --log-format json 2>run.log
  milvusdm run H2M.yaml                            a task file of MilvusDM 1.0, as it stands";

pub(super) const COPY_ABOUT: &str = "\
Moves data once, without a task file.

Both ends are written PLUGIN:PATH?key=value&key=value. PATH is the option that the plugin marks \
as positional, the rest are its other options; `%XX` stands for a byte, so `?` in a path is `%3F`.";

pub(super) const COPY: &str = "\
Examples:
  milvusdm copy faiss:/data/a.index hdf5:/data/a.h5
  milvusdm copy 'faiss:/data/sq8.index?lossy=allow' hdf5:out/ --map catalog/2021
  milvusdm copy hdf5:/data/shop/ hdf5:out/ --select 'sho*' --exclude '*/tmp*'
  milvusdm copy hdf5:/data/shop/ hdf5:out/ --map '*=goods/{collection}' --mode skip
  milvusdm copy 'random:1000000?dim=128' null: --memory 64MiB --parallel 2";

pub(super) const DUMP_ABOUT: &str = "\
Copies collections into a folder: an HDF5 file for each partition, which h5py opens as it is, and \
`manifest.json` with names, row counts, digests, and everything that is known of them (metric, index \
definitions, where ids come from).

A second dump into the same folder writes only what changed. A dump that is stopped goes on when the \
same command is given again.";

pub(super) const DUMP: &str = "\
Examples:
  milvusdm dump milvus1:/var/lib/milvus backup/
  milvusdm dump milvus1:/var/lib/milvus backup/ --select 'faces*' --compression gzip:1
  milvusdm dump 'milvus1:?uri=grpc://localhost:19530' backup/";

pub(super) const RESTORE_ABOUT: &str = "\
Puts a dump back: collections, partitions, rows, and after them the index definitions, where the sink \
builds indexes. The files are held against their digests before the first row is moved.

A restore that is stopped goes on when the same command is given again.";

pub(super) const RESTORE: &str = "\
Examples:
  milvusdm restore backup/ 'milvus1:?uri=grpc://localhost:19530'
  milvusdm restore backup/ 'milvus1:?uri=grpc://localhost:19530' --select faces --map 'faces=people'
  milvusdm restore backup/ hdf5:out/ --mode skip";

pub(super) const PLAN_ABOUT: &str = "\
Shows what a task would do: datasets, splits, rows, bytes, targets, free space, and what is lost \
by conversion. Writes nothing.

The exit code is that of a run which is refused: 0 if the task can run, 2 if a target exists \
already or a conversion would have to be allowed, 4 if source or sink can't be used (no room, say).";

pub(super) const PLAN: &str = "\
Examples:
  milvusdm plan task.yaml
  milvusdm plan task.yaml --json";

pub(super) const STATUS_ABOUT: &str = "\
Shows how far a task came: its targets, the rows that were written, and whether there is something \
to go on with. Reads the journal only; works while the task runs.";

pub(super) const STATUS: &str = "\
Examples:
  milvusdm status task.yaml
  milvusdm status task.yaml --state /data/journals --json";

pub(super) const RECEIPT_ABOUT: &str = "\
Checks that a receipt is as its run wrote it, that its ledger balances, and prints it for people. The \
exit code is that of the run.";

pub(super) const RECEIPT: &str = "\
Examples:
  milvusdm run task.yaml --receipt receipt.json
  milvusdm receipt receipt.json";

pub(super) const VERIFY_ABOUT: &str = "\
Proves that the targets of a task hold what its source gives: compares them row by row, the source \
with the task's conversions. Writes nothing. Where the task's last run hashed its rows and the source \
is unchanged since, its hashes stand for the source, and only the target is read.

Rows are compared by a 128-bit hash of id and values; their order means nothing. Rows that are \
missing, only at the target, changed or doubled are counted and the first 20 of each named by id, 100 \
with `--json`. \
It takes bounded memory, and one reading of both sides; a second one where they differ. The exit \
code is 0 if all targets are equal, 1 if one differs or is missing, 2 if the task can't be \
verified. Task files of MilvusDM 1.0 do as well.

Given the folder of a dump, it holds every file against the digest that its manifest has of it; 1 means \
that a file is missing or was altered.";

pub(super) const VERIFY: &str = "\
Examples:
  milvusdm verify task.yaml
  milvusdm verify task.yaml --sample 1000          a quick look at about 1000 rows
  milvusdm verify task.yaml --json                 with all sums, for programs
  milvusdm verify task.yaml --read-source          trust no hashes of the run
  milvusdm verify backup/                          a dump: is each file as it was written?
  milvusdm verify F2M.yaml";

pub(super) const CONVERT_ABOUT: &str = "\
Prints a task file of MilvusDM 1.0 (F2M, H2M, M2M or M2H at the top) as the task of today that it \
is run as, with comments that say what differs. Old files run without it: this is for those who \
want to change one, and for what the old keys can't say.

Writes nothing, and opens neither source nor sink. Passwords are not repeated.";

pub(super) const CONVERT: &str = "\
Examples:
  milvusdm convert M2M.yaml >task.yaml
  milvusdm convert M2H.yaml --json";

pub(super) const INSPECT_ABOUT: &str = "\
Shows what is in a source: collections, partitions, rows, dimension, metric and index, and the \
tree of a file that has one. Reads no vectors.";

pub(super) const INSPECT: &str = "\
Examples:
  milvusdm inspect faiss:/data/a.index
  milvusdm inspect hdf5:/data/shop/
  milvusdm inspect 'hdf5:/data/glove.hdf5?vectors=/train' --json";

pub(super) const PLUGINS_ABOUT: &str = "\
Lists the plugins, shows one with all its options, and looks after those that come as files.

A plugin file is `libmilvusdm_NAME.so`. It is looked for in the folders of --plugin-dir and of \
MILVUSDM_PLUGIN_PATH, in ~/.local/lib/milvusdm/plugins and in /usr/lib/milvusdm/plugins. One \
outside the last of these is loaded only if `plugins trust` has recorded its content, or \
--allow-plugin names it.";

pub(super) const PLUGINS: &str = "\
Examples:
  milvusdm plugins list
  milvusdm plugins show hdf5
  milvusdm plugins check libmilvusdm_vecs.so
  milvusdm plugins trust libmilvusdm_vecs.so
  milvusdm plugins new acme";

pub(super) const PLUGINS_LIST: &str = "\
Examples:
  milvusdm plugins list
  milvusdm plugins list --json";

pub(super) const PLUGINS_SHOW: &str = "\
Examples:
  milvusdm plugins show faiss
  milvusdm plugins show hdf5 --json";

pub(super) const PLUGINS_CHECK_ABOUT: &str = "\
Tries a plugin file: who may have written it, what stands in it, whether it loads, and with a \
sample, whether it keeps its contract (the suite that the built-in plugins pass).

The plugin runs in a process of its own; if it crashes, only that process ends. It need not be \
trusted: naming it here is enough. The exit code is 0 if all is well, 3 if the plugin is at fault, \
2 if the file or a sample can't be used. Loading may take 30 s, each case of the suite 60 s.";

pub(super) const PLUGINS_CHECK: &str = "\
Examples:
  milvusdm plugins check libmilvusdm_vecs.so
  milvusdm plugins check libmilvusdm_vecs.so --source vecs:sample.fvecs --rows 100
  milvusdm plugins check libmilvusdm_vecs.so --source vecs:a.fvecs --missing vecs:none.fvecs
  milvusdm plugins check libmilvusdm_mine.so --sink 'mine:{folder}/out' --read-back 'mine:{folder}/out'";

pub(super) const PLUGINS_TRUST_ABOUT: &str = "\
Records the SHA-256 of a plugin file, so that this very content is loaded from then on; a file \
that changes has to be trusted again. Runs none of it.

The record is $XDG_CONFIG_HOME/milvusdm/trusted_plugins.json, by default below ~/.config.";

pub(super) const PLUGINS_TRUST: &str = "\
Examples:
  milvusdm plugins trust ~/.local/lib/milvusdm/plugins/libmilvusdm_vecs.so
  milvusdm plugins trust libmilvusdm_vecs.so --remove";

pub(super) const PLUGINS_NEW_ABOUT: &str = "\
Writes the project of a new plugin into the folder NAME: a reader of raw 32-bit floats, to be \
changed into one of another format.

It builds, passes the behaviour suite that every plugin passes, and can be run before a line is \
changed. The folder must not exist yet; what is in it is yours, under any licence.";

pub(super) const PLUGINS_NEW: &str = "\
Examples:
  milvusdm plugins new acme
  milvusdm plugins new acme --lang c --dir /src
  milvusdm plugins new acme --api ../plugin-api";

pub(super) const SCHEMA_ABOUT: &str = "\
Prints the JSON Schema of task files, with the options of every plugin. Editors complete and \
check task files by it.";

pub(super) const SCHEMA: &str = "\
Examples:
  milvusdm schema >task.schema.json

Then put this line at the top of a task file, for editors with the YAML language server:
  # yaml-language-server: $schema=task.schema.json";

pub(super) const COMPLETIONS_ABOUT: &str = "\
Prints a script that lets a shell complete commands and options.";

pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(milvusdm completions bash)
  milvusdm completions zsh >~/.zfunc/_{name}
  milvusdm completions fish >~/.config/fish/completions/{name}.fish";
