/* SPDX-License-Identifier: Apache-2.0
 *
 * milvusdm_plugin.h: the plugin boundary of milvusdm, for authors in C, C++ and other languages
 * that can export a C function. API 1.0. It compiles as C11 and as C++17, by itself, for 64-bit
 * little-endian Linux.
 *
 * A plugin is a shared library `libmilvusdm_NAME.so` that exports one function:
 *
 *     MILVUSDM_PLUGIN_NOTE("NAME", "1.2.3");
 *     static const struct milvusdm_plugin_table table = {
 *         MILVUSDM_TABLE_HEAD,
 *         .info = my_info,
 *         .source_open = my_open,
 *         ...
 *     };
 *     const struct milvusdm_plugin_table *milvusdm_plugin_init_v1(void) { return &table; }
 *
 * It reads (all `source_` and `reader_` entries), or writes (all `sink_` and `writer_` entries), or
 * does both; entries of the side that it does not have stay NULL. Build with -fPIC -shared
 * -fvisibility=hidden -Wl,--exclude-libs,ALL, so that no other symbol of yours meets the host's.
 * `milvusdm plugins check` then says whether the plugin keeps what is written here.
 *
 * The rules
 * - Control crosses as JSON documents, rows as Arrow C Data. Pass over members of a document that
 *   you do not know: a later host may send more. Whatever is marked optional may be left out.
 *   milvusdm_json.h and milvusdm_arrow.h beside this file read and write both; neither is needed.
 * - Who allocates, frees. A struct milvusdm_str is lent for the length of the call, and is not
 *   NUL-terminated. A struct milvusdm_doc, ArrowSchema or ArrowArray that you fill in brings its own
 *   `release`, which the host calls once, from any thread, at any later time. Objects (sources,
 *   readers, sinks, writers) are yours; the host calls the matching `_close` once.
 * - `out` and `error` are never NULL and arrive empty (all zero). Fill in `out` only with
 *   MILVUSDM_OK; with MILVUSDM_FAILED fill in `error`; leave the other one alone.
 * - Calls block and may come from several threads: a source or sink from any number at once; a
 *   reader from one at a time, not always the same one; a writer from one at a time, unless
 *   Capabilities allow more. A reader is closed before its source, a writer before its sink.
 * - A call that lasts longer asks is_cancelled() about once a second, and answers 1 by failing with
 *   kind `cancelled`. The host gives up on a call that goes on for 10 s, and ends with exit code 3.
 * - Check every length that you read from a file before you allocate by it. Nothing may leave an
 *   entry but its return value: no C++ exception, no longjmp, no exit(). Leave working directory,
 *   locale, umask and signal handlers of the process alone. The library is never unloaded.
 */
#ifndef MILVUSDM_PLUGIN_H
#define MILVUSDM_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define MILVUSDM_STATIC_ASSERT static_assert
extern "C" {
#else
#define MILVUSDM_STATIC_ASSERT _Static_assert
#endif

#define MILVUSDM_EXPORT __attribute__((visibility("default")))

/* ---- Arrow C Data interface, as its specification asks to have it copied -------------------- */

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

/* ---- Plain types ---------------------------------------------------------------------------- */

/* What entries return. */
#define MILVUSDM_OK 0u     /* The call did what it should. */
#define MILVUSDM_END 1u    /* Only from reader_next: there are no more rows. */
#define MILVUSDM_FAILED 2u /* The call failed; `error` says how. */

/* Levels for log(). */
#define MILVUSDM_LOG_ERROR 1u /* Data was lost, or the operator is needed. */
#define MILVUSDM_LOG_WARN 2u  /* Something went wrong and was mended. */
#define MILVUSDM_LOG_INFO 3u  /* A stage of the task. */
#define MILVUSDM_LOG_DEBUG 4u /* A file, a request. Never one line a row. */

/* Bytes that are lent for the length of a call: UTF-8, not NUL-terminated. */
struct milvusdm_str {
    const char *ptr; /* May be anything if len is 0. */
    size_t len;
};

/* A JSON document that you made and that `release` frees; at most 256 MiB of UTF-8. The host sets
 * doc->release to NULL before it calls the function. `capacity` is for your own use. */
struct milvusdm_doc {
    char *ptr;
    size_t len;
    size_t capacity;
    void (*release)(struct milvusdm_doc *doc);
};

/* What the host lends; valid until the process ends, callable from any thread. An entry gets the
 * head; cast it to struct milvusdm_host_services after checking that head->major is
 * MILVUSDM_API_MAJOR and head->size at least sizeof(struct milvusdm_host_services). */
struct milvusdm_services_head {
    size_t size;
    uint16_t major;
    uint16_t minor;
};

struct milvusdm_host_services {
    struct milvusdm_services_head head;
    const void *context; /* First argument of each call below. */
    /* Takes a log line, one sentence; the host adds the plugin's name. */
    void (*log)(const void *context, uint32_t level, struct milvusdm_str message);
    /* Tells that a long call is at work: what it does, done of total (0 = unknown). */
    void (*progress)(const void *context, struct milvusdm_str what, uint64_t done, uint64_t total);
    /* 1 if the run is to stop. Cheap: ask it once a batch. */
    uint32_t (*is_cancelled)(const void *context);
    /* Has a text (a password taken from a URI) masked wherever the host would show it. */
    void (*mask_secret)(const void *context, struct milvusdm_str secret);
};

/* Where the rows of a batch belong. */
struct milvusdm_write_at {
    uint64_t split; /* Position of the split in the target's plan, from 0. */
    uint64_t row;   /* Position of the first row among all rows of this run for the target; only
                     * meaningful with `addressed_writes`. */
};

/* Your objects: declared here, defined by you. Only their addresses cross. */
struct milvusdm_source;
struct milvusdm_reader;
struct milvusdm_sink;
struct milvusdm_writer;

/* ---- Documents ------------------------------------------------------------------------------
 *
 * Each is shown with every member. Members marked ? may be left out; the value shown is then not
 * assumed, absence is. Numbers are integers from 0 to 2^64-1 unless they are shown otherwise.
 *
 * Error. Lower case, no final period: what was being done, to which thing, where in it, what was
 * found, what was wanted; `help` says what to do next. `context` holds pairs: file, offset, row,
 * dataset; `option` names the option at fault (`fields[1].type`), so that the host can show its line
 * in the task. Kinds: config (an option is wrong), not_found, denied, exists, format (the bytes are
 * not what the format says), unsupported, io, remote, cancelled, internal. retryable?, context?,
 * help?, cause?
 *     {"kind": "format", "message": "the file ends inside a record", "retryable": false,
 *      "context": [["file", "a.rec"], ["offset", "33"]], "help": "copy it again", "cause": "EOF"}
 *
 * PluginInfo. `docs` is the page for `plugins show`, in Markdown; it names each option in backquotes.
 * `source_options` and `sink_options` are JSON Schemas of type object with "additionalProperties":
 * false and a description for each property; null? for the side that the plugin does not have. The
 * option that PLUGIN:REST on the command line gives is marked "x-positional": true, secrets are
 * marked "x-secret": true. panic: abort says that a panic, in a language that has them, ends the
 * process; the host does not load it. summary?, docs?, panic?
 *     {"name": "pairs", "version": "1.2.3", "summary": "reads pairs", "docs": "`path` is the file",
 *      "source_options": {"type": "object", "additionalProperties": false, "required": ["path"],
 *        "properties": {"path": {"type": "string", "description": "File.", "x-positional": true}}},
 *      "sink_options": null, "panic": "unwind"}
 *
 * DatasetDoc. A collection, or one partition of it. The key is yours, the same as long as the source
 * is unchanged, and never empty. In the descriptor only `system` and `collection` must be there; a
 * source without names gives its file's stem. id.policy: given (the user's), auto (made by the
 * source), none (no id column, and only then); id.unique: true, false, "unknown". rows.exact
 * promises the count. Index definitions keep the source's own words in `native`.
 *     {"key": "faces/p1", "descriptor": {"system": "pairs", "database": null, "namespace": "n",
 *      "collection": "faces", "partition": "p1", "partition_default": true,
 *      "rows": {"value": 1000, "exact": true}, "deleted": 0, "bytes": 520000,
 *      "id": {"policy": "given", "unique": "unknown"}, "fingerprint": "size=520064",
 *      "indexes": [{"name": "", "field": "vector", "family": "hnsw", "quantizer": "none",
 *        "metric": "l2", "params": {"m": 16}, "state": "built", "native": {"M": "16"}}],
 *      "functions": [], "aliases": ["people"], "description": "d", "properties": {"pairs": {}}}}
 *
 * Split. An independent piece of a dataset: what is read in parallel, and resumed. The id is the same
 * as long as the source is unchanged; the fingerprint changes when the content does, and should not
 * be empty. `found` are the rows that are there, counted from the source's own structure (file
 * size, header), apart from the code that reads rows; `live` those that reading will give; null if
 * only reading tells. `bytes` of reading, about; `held_bytes` is the memory that reading holds beside
 * its batches. `payload` comes back as it is. Every member but id may be left out.
 *     {"id": "rows:0-1000", "found": 1000, "live": 990, "bytes": 520000, "held_bytes": 0,
 *      "fingerprint": "size=520064 mtime=1", "payload": {"offset": 64}}
 *
 * ReadRequest (from the host). Pass over first_row of the rows that reading the split from its start
 * would give. A batch has at least one row, at most max_batch_rows?, and at most max_batch_bytes
 * unless a single row is larger.
 *     {"first_row": 0, "max_batch_bytes": 4194304, "max_batch_rows": 1000}
 *
 * ReadAccount. Rows of the whole split, whatever first_row said, that are not given out: found =
 * given + deleted + skipped + lost. Notes say why rows were skipped or lost. All may be left out.
 *     {"deleted": 10, "skipped": 0, "lost": 0, "notes": ["row 7: NaN"]}
 *
 * Inspection. What `milvusdm inspect` shows beside the datasets. All may be left out.
 *     {"trees": [{"label": "file", "facts": {"version": 2}, "children": []}], "notices": ["old"]}
 *
 * Capabilities. Absent is the careful value. id_types: Int64 UInt64 Utf8 Uuid; id_policy: given
 * generate none; vectors: what is held without a change; scalar_types: Int64, Utf8, List<Utf8>, ...
 * or "*". The host converts or refuses what does not fit, and cuts batches to max_request_bytes and
 * max_request_rows. ordered_append: rows keep the order in which they are written. addressed_writes:
 * rows may come at their place, in any order, and again. parallel_writers: threads that may write
 * to one target at once, 0 = any number, absent = 1. transactional_publish: nothing is seen before
 * writer_finish.
 *     {"id_types": ["Int64"], "id_policy": ["given", "none"], "unique_ids": false,
 *      "vectors": [{"kind": "dense", "elem": ["f32"], "max_dim": 4096, "dim_multiple": 1,
 *        "max_count": 1, "nullable": false, "finite_only": false, "zero_ok": true}],
 *      "metrics": ["l2"], "alters_vectors": {"cosine": "l2norm"}, "scalar_types": ["*"],
 *      "nullable": true, "null_is_absent": false, "dynamic": false, "max_columns": 64,
 *      "max_string_bytes": 65535, "max_json_bytes": 65535, "name_pattern": "^[a-z]+$",
 *      "max_name": 255, "partitions": {"supported": false, "max": 0},
 *      "max_request_bytes": 16777216, "max_request_rows": 10000, "upsert": false,
 *      "ordered_append": true, "addressed_writes": false, "transactional_publish": true,
 *      "parallel_writers": 1, "create_index": false, "count": {"exact": true},
 *      "read_back": {"by_id": false, "scan": true}}
 *
 * TargetSpec (from the host). A target that will be written, or null in partition for the default
 * one. mode: fail, skip, append or overwrite where it exists. rows: null unless known exactly. parts:
 * the datasets that go into it, in plan order, with the splits of each. run: the run's own name,
 * empty if it can't be resumed. resumed: null, or what an earlier process of the run did here.
 *     {"collection": "faces", "partition": null, "mode": "fail", "rows": 1000, "bytes": 520000,
 *      "descriptor": {"system": "pairs", "collection": "faces"},
 *      "parts": [{"splits": 4, "descriptor": {"system": "pairs", "collection": "faces"}}],
 *      "run": "k3v9x0aq", "resumed": {"existed": false, "rows_before": 0, "is_prepared": true,
 *      "written": 400, "is_finishing": false, "is_finished": false, "last_id": "399", "next_id": "400"}}
 *
 * TargetState. What is there already, and what writing needs. `volume` tells what shares the free
 * bytes. Each refusal is an Error and stops the run before the first write. resumable: a run that is
 * stopped can go on here. found: what is there of an earlier process of it, "acknowledged" (each row
 * can be written again at its place), {"rows": N} (the first N; refused where rows have places, as
 * they come in any order) or {"complete": N}. read_back: options with which the plugin's own source
 * reads the target. All may be left out.
 *     {"location": "out/faces", "exists": true, "rows": 10, "needs_bytes": 520000, "held_bytes": 0,
 *      "free_bytes": 1000000, "volume": "/out", "refusals": [{"kind": "denied", "message": "m"}],
 *      "notices": ["n"], "resumable": true, "found": {"rows": 400}, "read_back": {"path": "out/faces"}}
 *
 * WriteAck. Every row of the batch is written or stands among the rejected ones, or the host stops.
 *     {"written": 999, "rejected": [{"row": 7, "id": "42", "reason": "NaN"}]}
 *
 * FinishAck. Counted at the target, apart from the write calls; null if that can't be done.
 *     {"rows_added": 999, "rows_total": 1009, "location": "out/faces", "bytes": 520000}
 *
 * ---- Columns --------------------------------------------------------------------------------
 *
 * source_schema fills in a struct (format "+s") whose children are the columns. Keys of metadata,
 * all values text without NUL, each at most 256 KiB, the whole schema at most 1 MiB:
 *   schema  milvusdm.version     required: "1"
 *   column  milvusdm.role        id, vector, dynamic, partition; none = a scalar
 *   vector  milvusdm.kind        required: dense, binary, sparse, multi
 *           milvusdm.elem        required: f32 f64 f16 bf16 i8 u8, or bit
 *           milvusdm.dim         required unless sparse: 1 to 1048576 elements (bits for bit)
 *           milvusdm.bit_order   required for bit: msb, lsb, unknown
 *           milvusdm.metric      l2 ip cosine l1 linf hamming jaccard ...; never guessed
 *           milvusdm.metric_arg  the p of lp
 *           milvusdm.normalized  "true" only if every vector is known to be of unit length
 *   any     milvusdm.max_length (bytes of a text, elements of a list), milvusdm.default (JSON),
 *           milvusdm.partition_key and milvusdm.generated ("true"), milvusdm.description (text),
 *           milvusdm.native (JSON object: the source's own definition)
 *
 *   column              Arrow format
 *   id                  l (int64), L (uint64), u (text), or w:16 with ARROW:extension:name =
 *                       arrow.uuid; at most one, never null
 *   dense f32 f64 f16   +w:DIM of f, g, e; i8 c, u8 C; bf16 w:2 with lance.bfloat16 on the child
 *   binary              w:BYTES, BYTES = (DIM + 7) / 8, unused bits 0
 *   sparse              +s of indices (+l of I, strictly ascending) and values (+l of the element)
 *   multi               +l of the dense or binary format
 *   dynamic             u with ARROW:extension:name = arrow.json: objects, no member named as a column
 *   partition           u: the partition's name, where one stream mixes partitions
 *   scalar              b c C s S i I l L e f g u z n w:N tdD tts ttm ttu ttn tss: tsm: tsu: tsn:
 *                       (or zone UTC), d:P,S, and +l +w:N +s of these; UUID and JSON as above
 * Dictionaries, views, large lists and texts, maps and unions do not cross. Elements of vectors are
 * never null; a column without ARROW_FLAG_NULLABLE holds no null. Names are unique.
 *
 * reader_next fills in a struct array with one child for each column, in the schema's order, without
 * the schema. The host checks lengths, offsets (>= 0; offset + length < 2^31), counts of buffers and
 * children, addresses, nulls, ascending list offsets, UTF-8, and refuses a batch that contradicts
 * its schema; it can't check that a buffer is as long as the array claims. Buffers are used as they
 * are (64-byte aligned ones best), misaligned ones are copied. A batch outlives its reader and source.
 */

/* ---- The table ------------------------------------------------------------------------------ */

#define MILVUSDM_API_MAJOR 1
#define MILVUSDM_API_MINOR 0
#define MILVUSDM_N_ENTRIES 21

/* What a plugin offers. The host refuses a table of another major version, one that is shorter than
 * its n_entries say, or whose hashes are not those of the same entries in the host. The table is
 * never written to and never goes away. Entries are only ever added, at the end. */
struct milvusdm_plugin_table {
    size_t size; /* Bytes of the whole table. */
    uint16_t api_major;
    uint16_t api_minor;
    uint32_t n_entries;
    const uint64_t *entry_hashes; /* n_entries of them: milvusdm_entry_hashes. */

    /* PluginInfo. Called for listings too: it opens nothing. */
    uint32_t (*info)(struct milvusdm_doc *out, struct milvusdm_doc *error);

    /* Opens a source and reads no rows. `options` is the JSON object under `source:` in the task,
     * without `plugin`; an option that you do not know is an error of kind config that names it. */
    uint32_t (*source_open)(const struct milvusdm_services_head *services,
                            struct milvusdm_str options, struct milvusdm_source **out,
                            struct milvusdm_doc *error);
    /* List of DatasetDoc, the same each time; never only those that could be read. */
    uint32_t (*source_datasets)(struct milvusdm_source *source, struct milvusdm_doc *out,
                                struct milvusdm_doc *error);
    /* The columns of the dataset of that key. */
    uint32_t (*source_schema)(struct milvusdm_source *source, struct milvusdm_str key,
                              struct ArrowSchema *out, struct milvusdm_doc *error);
    /* List of Split in plan order, the same each time; not_found for an unknown key. */
    uint32_t (*source_splits)(struct milvusdm_source *source, struct milvusdm_str key,
                              struct milvusdm_doc *out, struct milvusdm_doc *error);
    /* Inspection; `request` is a JSON object without members as yet. */
    uint32_t (*source_inspect)(struct milvusdm_source *source, struct milvusdm_str request,
                               struct milvusdm_doc *out, struct milvusdm_doc *error);
    /* Opens a reader. `split` is a Split as you gave it, `request` a ReadRequest; a split that is
     * not yours is an error of kind config, one whose fingerprint is no longer true of kind format. */
    uint32_t (*source_read)(struct milvusdm_source *source, struct milvusdm_str key,
                            struct milvusdm_str split, struct milvusdm_str request,
                            struct milvusdm_reader **out, struct milvusdm_doc *error);
    /* Frees a source, NULL included; returns MILVUSDM_OK, as every `_close` does. */
    uint32_t (*source_close)(struct milvusdm_source *source);

    /* The next batch; MILVUSDM_END at the end, and ever after. A reader that can't give all rows
     * fails: it never ends early, on cancel neither. */
    uint32_t (*reader_next)(struct milvusdm_reader *reader, struct ArrowArray *out,
                            struct milvusdm_doc *error);
    /* ReadAccount, asked after the end. */
    uint32_t (*reader_account)(struct milvusdm_reader *reader, struct milvusdm_doc *out,
                               struct milvusdm_doc *error);
    uint32_t (*reader_close)(struct milvusdm_reader *reader);

    /* Opens a sink and writes nothing. `options`: as for a source, under `sink:`. */
    uint32_t (*sink_open)(const struct milvusdm_services_head *services,
                          struct milvusdm_str options, struct milvusdm_sink **out,
                          struct milvusdm_doc *error);
    /* Capabilities, under the options. */
    uint32_t (*sink_capabilities)(struct milvusdm_sink *sink, struct milvusdm_doc *out,
                                  struct milvusdm_doc *error);
    /* Looks at all targets of a run before the first write, and writes nothing. `specs` is a list of
     * TargetSpec, `schemas` as many schemas, lent for the call. List of TargetState, one for each. */
    uint32_t (*sink_check)(struct milvusdm_sink *sink, struct milvusdm_str specs,
                           const struct ArrowSchema *schemas, struct milvusdm_doc *out,
                           struct milvusdm_doc *error);
    /* Opens a writer: TargetSpec and schema, lent for the call. Refuses a column that it can't hold
     * by name (unsupported), and a target that appeared since the check (exists). */
    uint32_t (*sink_prepare)(struct milvusdm_sink *sink, struct milvusdm_str spec,
                             const struct ArrowSchema *schema, struct milvusdm_writer **out,
                             struct milvusdm_doc *error);
    uint32_t (*sink_close)(struct milvusdm_sink *sink);

    /* Writes a batch. To keep it, copy the struct and set batch->release to NULL; otherwise the host
     * frees it after the call. WriteAck. A call that failed is never repeated. */
    uint32_t (*writer_write)(struct milvusdm_writer *writer, struct milvusdm_write_at at,
                             struct ArrowArray *batch, struct milvusdm_doc *out,
                             struct milvusdm_doc *error);
    /* Makes what was written so far durable. */
    uint32_t (*writer_flush)(struct milvusdm_writer *writer, struct milvusdm_doc *error);
    /* Publishes the target: before, nothing of it looks whole. FinishAck. */
    uint32_t (*writer_finish)(struct milvusdm_writer *writer, struct milvusdm_doc *out,
                              struct milvusdm_doc *error);
    /* Takes back what can be taken back. */
    uint32_t (*writer_abort)(struct milvusdm_writer *writer, struct milvusdm_doc *error);
    /* Frees a writer; without writer_finish it leaves nothing that looks whole. */
    uint32_t (*writer_close)(struct milvusdm_writer *writer);
};

/* The entries and their arguments, as hashes: entry k covers entries 0 to k. They tell the host
 * which header the plugin was compiled with; do not change them. */
static const uint64_t milvusdm_entry_hashes[MILVUSDM_N_ENTRIES] = {
    0x4B8DF52B8CFB4317, /* info */
    0x1B924F84EE12D32F, /* source_open */
    0x6403163661217DB8, /* source_datasets */
    0x8281D68AD63FDB5F, /* source_schema */
    0xAFDCAF1C49D1CEFB, /* source_splits */
    0x54C0A710D0952B76, /* source_inspect */
    0x9B51B2DEAEE238F0, /* source_read */
    0xE50F97A18AB104F0, /* source_close */
    0x1C7D1AF4F0657E9F, /* reader_next */
    0xC713E0AC9A35668A, /* reader_account */
    0xFC2E3FB931F40680, /* reader_close */
    0x6D1A22D891605C62, /* sink_open */
    0x205728CB6483D87A, /* sink_capabilities */
    0xFA4B06D8C217C391, /* sink_check */
    0x46DCB68D02A4CD1C, /* sink_prepare */
    0x324A35D98143D9B2, /* sink_close */
    0x414DCF354984C9E2, /* writer_write */
    0xA993D7B26271334D, /* writer_flush */
    0xA6BD4D2FEF62E1A6, /* writer_finish */
    0x23CB145D71A4B7B1, /* writer_abort */
    0x9A95F6F437D4D795, /* writer_close */
};

/* The first members of the table, for its initialiser. */
#define MILVUSDM_TABLE_HEAD                                                                        \
    sizeof(struct milvusdm_plugin_table), MILVUSDM_API_MAJOR, MILVUSDM_API_MINOR,                  \
        MILVUSDM_N_ENTRIES, milvusdm_entry_hashes

#ifdef __cplusplus
/* The same for C++17, which has no designated initialisers:
 *     static const milvusdm_plugin_table table = [] {
 *         milvusdm_plugin_table made = milvusdm_table_without_entries();
 *         made.info = my_info;
 *         return made;
 *     }(); */
static inline milvusdm_plugin_table milvusdm_table_without_entries() {
    milvusdm_plugin_table table = milvusdm_plugin_table();
    table.size = sizeof(table);
    table.api_major = MILVUSDM_API_MAJOR;
    table.api_minor = MILVUSDM_API_MINOR;
    table.n_entries = MILVUSDM_N_ENTRIES;
    table.entry_hashes = milvusdm_entry_hashes;
    return table;
}
#endif

/* The one function that you export. Called once, before any entry. */
MILVUSDM_EXPORT const struct milvusdm_plugin_table *milvusdm_plugin_init_v1(void);

#define MILVUSDM_API_TEXT_(number) #number
#define MILVUSDM_API_TEXT(number) MILVUSDM_API_TEXT_(number)

/* Name and version in an ELF note, which `milvusdm plugins list` reads without running any code. Once
 * in the library, outside of functions, with plain string literals: the name is the one in
 * PluginInfo and in the file's name (1 to 64 lower-case letters, digits and `_`, a letter first). */
#define MILVUSDM_PLUGIN_NOTE(name, version)                                                        \
    __asm__(".pushsection .note.milvusdm, \"a\", %note\n"                                          \
            ".balign 4\n"                                                                          \
            ".4byte 2f - 1f, 4f - 3f, 1\n"                                                         \
            "1: .asciz \"milvusdm\"\n"                                                             \
            "2: .balign 4\n"                                                                       \
            "3: .ascii \"{\\\"name\\\":\\\"" name "\\\",\\\"version\\\":\\\"" version              \
            "\\\",\\\"api\\\":\\\"" MILVUSDM_API_TEXT(MILVUSDM_API_MAJOR) "."                       \
            MILVUSDM_API_TEXT(MILVUSDM_API_MINOR) "\\\"}\"\n"                                      \
            "4: .balign 4\n"                                                                       \
            ".popsection\n");                                                                      \
    MILVUSDM_STATIC_ASSERT(sizeof(name) >= 2 && sizeof(name) <= 65,                                \
                           "a plugin's name has 1 to 64 characters")

MILVUSDM_STATIC_ASSERT(sizeof(void *) == 8 && sizeof(size_t) == 8,
                       "plugins of milvusdm are built for 64-bit machines");
MILVUSDM_STATIC_ASSERT(sizeof(struct milvusdm_plugin_table) == 24 + 8 * MILVUSDM_N_ENTRIES,
                       "the table has members that are not counted");

#ifdef __cplusplus
}
#endif

#endif /* MILVUSDM_PLUGIN_H */
