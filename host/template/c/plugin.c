/* SPDX-License-Identifier: Apache-2.0
 *
 * {{name}}: a plugin of milvusdm that reads files of raw 32-bit floats, `dim` for each vector.
 *
 * It is whole, and small enough to be read in one go: replace the format by yours. What each entry
 * has to do stands in include/milvusdm_plugin.h. Keep what `make test` holds: options are checked by
 * name, sizes before they are used, a reader gives every row or fails.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "milvusdm_arrow.h"
#include "milvusdm_json.h"
#include "milvusdm_plugin.h"

#define NAME "{{name}}"
#define VERSION "0.1.0"
#define MAX_DIM 1048576u
#define SPLIT_BYTES ((uint64_t)64 << 20)

/* Name and version, read by `milvusdm plugins list` without running any code of this file. */
MILVUSDM_PLUGIN_NOTE(NAME, VERSION);

/* What `milvusdm plugins show {{name}}` prints, and what editors know of the options. */
static const char docs[] =
    "# {{name}}\n\nReads files of raw 32-bit floats, little-endian, vector after vector.\n\n"
    "| option | type | default | example |\n|---|---|---|---|\n"
    "| `path` | text | required | `/data/vectors.raw` |\n"
    "| `dim` | whole number: floats of a vector | required | `128` |\n";
static const char options_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"path\",\"dim\"],"
    "\"properties\":{"
    "\"path\":{\"type\":\"string\",\"x-positional\":true,\"description\":\"The file.\"},"
    "\"dim\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1048576,"
    "\"description\":\"Floats of a vector: `128`.\"}}}";

/* An open file; not changed once it is open, so that many threads may ask it. */
struct milvusdm_source {
    const struct milvusdm_host_services *host;
    char *path;
    char *collection;
    uint64_t dim;
    int file;
    uint64_t rows;
    char fingerprint[96];
};

/* Reads one split: rows `next` to `end` of the file. */
struct milvusdm_reader {
    const struct milvusdm_source *source;
    uint64_t next;
    uint64_t end;
    uint64_t batch_rows;
};

static uint64_t row_bytes(const struct milvusdm_source *source) { return source->dim * 4; }

/* Fails with an error that names a file, and an option if it is at fault. */
static uint32_t fail(const char *kind, const char *message, const char *file, const char *option,
                     struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, kind, "%s", message);
    if (file != NULL) milvusdm_error_with(&w, "file", file);
    if (option != NULL) milvusdm_error_with(&w, "option", option);
    return milvusdm_error_end(&w, NULL, error);
}

static uint32_t {{name}}_info(struct milvusdm_doc *out, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    milvusdm_put_raw(&w, "{");
    milvusdm_put_key(&w, "name");
    milvusdm_put_string(&w, NAME);
    milvusdm_put_key(&w, "version");
    milvusdm_put_string(&w, VERSION);
    milvusdm_put_key(&w, "summary");
    milvusdm_put_string(&w, "reads raw 32-bit floats");
    milvusdm_put_key(&w, "docs");
    milvusdm_put_string(&w, docs);
    milvusdm_put_key(&w, "source_options");
    milvusdm_put_raw(&w, options_schema);
    milvusdm_put_raw(&w, "}");
    return milvusdm_put_doc(&w, out, error);
}

/* ---- The source ----------------------------------------------------------------------------- */

static uint32_t {{name}}_close(struct milvusdm_source *source) {
    if (source == NULL) return MILVUSDM_OK;
    if (source->file >= 0) close(source->file);
    free(source->path);
    free(source->collection);
    free(source);
    return MILVUSDM_OK;
}

/* The file's name without folder and ending. */
static char *stem(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = milvusdm_arrow_text(slash == NULL ? path : slash + 1);
    char *dot = name == NULL ? NULL : strrchr(name, '.');
    if (dot != NULL && dot != name) *dot = 0;
    return name;
}

static uint32_t read_options(struct milvusdm_source *source, struct milvusdm_str text,
                             struct milvusdm_doc *error) {
    struct milvusdm_json options, step = {NULL, NULL}, key;
    if (!milvusdm_json_parse(text.ptr, text.len, &options)) {
        return fail("config", "the options are no JSON document", NULL, NULL, error);
    }
    while (milvusdm_json_next(options, &step, &key)) {
        if (milvusdm_json_is(key, "path") || milvusdm_json_is(key, "dim")) continue;
        char *name = milvusdm_json_copy(key);
        uint32_t status = fail("config", "unknown option", NULL, name == NULL ? "?" : name, error);
        free(name);
        return status;
    }
    source->path = milvusdm_json_copy(milvusdm_json_member(options, "path"));
    if (source->path == NULL || *source->path == 0) {
        return fail("config", "wanted the path of a file", NULL, "path", error);
    }
    if (!milvusdm_json_u64(milvusdm_json_member(options, "dim"), &source->dim) ||
        source->dim < 1 || source->dim > MAX_DIM) {
        return fail("config", "wanted a whole number from 1 to 1048576", NULL, "dim", error);
    }
    source->collection = stem(source->path);
    return source->collection == NULL ? milvusdm_no_memory(error) : MILVUSDM_OK;
}

/* Changes when the file does. */
static void fingerprint_of(const struct milvusdm_source *source, const struct stat *facts,
                           char *out, size_t size) {
    snprintf(out, size, "size=%llu mtime=%lld.%09ld dim=%llu", (unsigned long long)facts->st_size,
             (long long)facts->st_mtim.tv_sec, (long)facts->st_mtim.tv_nsec,
             (unsigned long long)source->dim);
}

/* A file that changes while it is read would give rows that never stood in it side by side. */
static uint32_t expect_unchanged(const struct milvusdm_source *source, struct milvusdm_doc *error) {
    char now[sizeof(source->fingerprint)];
    struct stat facts;
    if (fstat(source->file, &facts) != 0) {
        return milvusdm_error_io("look at the file again", source->path, errno, error);
    }
    fingerprint_of(source, &facts, now, sizeof(now));
    if (strcmp(now, source->fingerprint) == 0) return MILVUSDM_OK;
    return fail("format", "the file changed since it was opened", source->path, NULL, error);
}

/* Opens the file and counts its rows, from its size alone. */
static uint32_t open_file(struct milvusdm_source *source, struct milvusdm_doc *error) {
    struct stat facts;
    char message[160];
    /* O_NONBLOCK: opening a pipe would wait for a writer. */
    source->file = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->file < 0 || fstat(source->file, &facts) != 0) {
        return milvusdm_error_io("open the file", source->path, errno, error);
    }
    if (!S_ISREG(facts.st_mode)) {
        return fail("config", "wanted a regular file", source->path, "path", error);
    }
    source->rows = (uint64_t)facts.st_size / row_bytes(source);
    if ((uint64_t)facts.st_size % row_bytes(source) != 0) {
        snprintf(message, sizeof(message), "found %llu bytes, wanted a multiple of %llu (4 x dim)",
                 (unsigned long long)facts.st_size, (unsigned long long)row_bytes(source));
        return fail("format", message, source->path, "dim", error);
    }
    fingerprint_of(source, &facts, source->fingerprint, sizeof(source->fingerprint));
    return MILVUSDM_OK;
}

static uint32_t {{name}}_open(const struct milvusdm_services_head *services,
                              struct milvusdm_str options, struct milvusdm_source **out,
                              struct milvusdm_doc *error) {
    struct milvusdm_source *source;
    uint32_t status;
    if (services->major != MILVUSDM_API_MAJOR ||
        services->size < sizeof(struct milvusdm_host_services)) {
        return fail("plugin", "the host speaks another version of the plugin API", NULL, NULL, error);
    }
    source = calloc(1, sizeof(*source));
    if (source == NULL) return milvusdm_no_memory(error);
    source->host = (const struct milvusdm_host_services *)services;
    source->file = -1;
    status = read_options(source, options, error);
    if (status == MILVUSDM_OK) status = open_file(source, error);
    if (status == MILVUSDM_OK) {
        *out = source;
    } else {
        {{name}}_close(source);
    }
    return status;
}

static uint32_t {{name}}_datasets(struct milvusdm_source *source, struct milvusdm_doc *out,
                                  struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    milvusdm_put_raw(&w, "[{");
    milvusdm_put_key(&w, "key");
    milvusdm_put_string(&w, source->collection);
    milvusdm_put_key(&w, "descriptor");
    milvusdm_put_raw(&w, "{");
    milvusdm_put_key(&w, "system");
    milvusdm_put_string(&w, NAME);
    milvusdm_put_key(&w, "collection");
    milvusdm_put_string(&w, source->collection);
    milvusdm_put_key(&w, "rows");
    milvusdm_put_raw(&w, "{\"exact\":true");
    milvusdm_put_key(&w, "value");
    milvusdm_put_u64(&w, source->rows);
    milvusdm_put_raw(&w, "}");
    milvusdm_put_key(&w, "fingerprint");
    milvusdm_put_string(&w, source->fingerprint);
    milvusdm_put_raw(&w, "}");
    milvusdm_put_raw(&w, "}");
    milvusdm_put_raw(&w, "]");
    return milvusdm_put_doc(&w, out, error);
}

/* There is one dataset; any other key is an error. */
static bool is_the_dataset(const struct milvusdm_source *source, struct milvusdm_str key,
                           struct milvusdm_doc *error) {
    const char *own = source->collection;
    if (key.len == strlen(own) && memcmp(key.ptr, own, key.len) == 0) return true;
    fail("not_found", "there is no such dataset", source->path, NULL, error);
    return false;
}

static uint32_t {{name}}_schema(struct milvusdm_source *source, struct milvusdm_str key,
                                struct ArrowSchema *out, struct milvusdm_doc *error) {
    if (!is_the_dataset(source, key, error)) return MILVUSDM_FAILED;
    if (milvusdm_schema_begin(out, 1) &&
        milvusdm_schema_vector(out, 0, "vector", "f32", (uint32_t)source->dim, NULL)) {
        return MILVUSDM_OK;
    }
    milvusdm_schema_release(out);
    return milvusdm_no_memory(error);
}

/* Splits are runs of `split_rows` rows: what is read in parallel, and resumed. */
static uint64_t split_rows(const struct milvusdm_source *source) {
    uint64_t rows = SPLIT_BYTES / row_bytes(source), least = source->rows / 65536 + 1;
    return rows < least ? least : rows;
}

static uint64_t split_end(const struct milvusdm_source *source, uint64_t first) {
    uint64_t left = source->rows - first, most = split_rows(source);
    return first + (left < most ? left : most);
}

static void split_id(const struct milvusdm_source *source, uint64_t first, char *id, size_t size) {
    snprintf(id, size, "rows:%llu-%llu", (unsigned long long)first,
             (unsigned long long)split_end(source, first));
}

static uint32_t {{name}}_splits(struct milvusdm_source *source, struct milvusdm_str key,
                                struct milvusdm_doc *out, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    char id[64];
    if (!is_the_dataset(source, key, error)) return MILVUSDM_FAILED;
    milvusdm_put_raw(&w, "[");
    for (uint64_t first = 0; first < source->rows; first = split_end(source, first)) {
        uint64_t rows = split_end(source, first) - first;
        split_id(source, first, id, sizeof(id));
        milvusdm_put_raw(&w, "{");
        milvusdm_put_key(&w, "id");
        milvusdm_put_string(&w, id);
        milvusdm_put_key(&w, "found");
        milvusdm_put_u64(&w, rows);
        milvusdm_put_key(&w, "live");
        milvusdm_put_u64(&w, rows);
        milvusdm_put_key(&w, "bytes");
        milvusdm_put_u64(&w, rows * row_bytes(source));
        milvusdm_put_key(&w, "fingerprint");
        milvusdm_put_string(&w, source->fingerprint);
        milvusdm_put_raw(&w, "}");
    }
    milvusdm_put_raw(&w, "]");
    return milvusdm_put_doc(&w, out, error);
}

static uint32_t {{name}}_inspect(struct milvusdm_source *source, struct milvusdm_str request,
                                 struct milvusdm_doc *out, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    (void)source, (void)request;
    milvusdm_put_raw(&w, "{}"); /* Nothing beyond the datasets. */
    return milvusdm_put_doc(&w, out, error);
}

/* ---- The reader ----------------------------------------------------------------------------- */

/* Finds the first row of the split with that id. */
static bool find_split(const struct milvusdm_source *source, struct milvusdm_json id,
                       uint64_t *first) {
    char own[64], *text = milvusdm_json_copy(id);
    bool found = text != NULL && strncmp(text, "rows:", 5) == 0;
    *first = found ? strtoull(text + 5, NULL, 10) : 0;
    found = found && *first < source->rows && *first % split_rows(source) == 0;
    if (found) {
        split_id(source, *first, own, sizeof(own));
        found = strcmp(text, own) == 0;
    }
    free(text);
    return found;
}

/* Rows of a batch: as many as were asked for, at least one. */
static uint64_t rows_of_batch(const struct milvusdm_source *source, struct milvusdm_json request) {
    uint64_t bytes = 0, rows = UINT64_MAX, most = (uint64_t)INT32_MAX / source->dim / 4;
    milvusdm_json_u64(milvusdm_json_member(request, "max_batch_bytes"), &bytes);
    milvusdm_json_u64(milvusdm_json_member(request, "max_batch_rows"), &rows);
    if (rows > bytes / row_bytes(source)) rows = bytes / row_bytes(source);
    if (rows > most) rows = most;
    return rows == 0 ? 1 : rows;
}

static uint32_t {{name}}_read(struct milvusdm_source *source, struct milvusdm_str key,
                              struct milvusdm_str split, struct milvusdm_str request,
                              struct milvusdm_reader **out, struct milvusdm_doc *error) {
    struct milvusdm_json planned, asked, fingerprint;
    struct milvusdm_reader *reader;
    uint64_t first = 0, first_row = 0;
    if (!is_the_dataset(source, key, error)) return MILVUSDM_FAILED;
    if (!milvusdm_json_parse(split.ptr, split.len, &planned) ||
        !milvusdm_json_parse(request.ptr, request.len, &asked) ||
        !find_split(source, milvusdm_json_member(planned, "id"), &first)) {
        return fail("config", "the file has no such split", source->path, NULL, error);
    }
    fingerprint = milvusdm_json_member(planned, "fingerprint");
    if (milvusdm_json_kind(fingerprint) != 0 && !milvusdm_json_is(fingerprint, source->fingerprint)) {
        return fail("format", "the file changed since the run was planned", source->path, NULL, error);
    }
    if (expect_unchanged(source, error) != MILVUSDM_OK) return MILVUSDM_FAILED;
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL) return milvusdm_no_memory(error);
    milvusdm_json_u64(milvusdm_json_member(asked, "first_row"), &first_row);
    reader->source = source;
    reader->end = split_end(source, first);
    reader->next = first_row < reader->end - first ? first + first_row : reader->end;
    reader->batch_rows = rows_of_batch(source, asked);
    *out = reader;
    return MILVUSDM_OK;
}

/* Reads so many bytes, or fails. */
static uint32_t read_bytes(const struct milvusdm_source *source, uint64_t offset, uint64_t bytes,
                           char *into, struct milvusdm_doc *error) {
    while (bytes > 0) {
        ssize_t got = pread(source->file, into, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return milvusdm_error_io("read the file", source->path, errno, error);
        if (got == 0) {
            return fail("format", "the file became shorter while it was read", source->path, NULL,
                        error);
        }
        into += got;
        offset += (uint64_t)got;
        bytes -= (uint64_t)got;
    }
    return MILVUSDM_OK;
}

static uint32_t {{name}}_next(struct milvusdm_reader *reader, struct ArrowArray *out,
                              struct milvusdm_doc *error) {
    const struct milvusdm_source *source = reader->source;
    uint64_t rows = reader->end - reader->next, bytes;
    void *vectors;
    uint32_t status;
    if (rows > reader->batch_rows) rows = reader->batch_rows;
    if (rows == 0) {
        status = expect_unchanged(source, error);
        return status == MILVUSDM_OK ? MILVUSDM_END : status;
    }
    if (source->host->is_cancelled(source->host->context)) return milvusdm_error_cancelled(error);
    if (!milvusdm_batch_begin(out, (int64_t)rows, 1) ||
        (vectors = milvusdm_batch_vectors(out, 0, (uint32_t)source->dim, 4)) == NULL) {
        milvusdm_array_release(out);
        return milvusdm_no_memory(error);
    }
    bytes = rows * row_bytes(source);
    status = read_bytes(source, reader->next * row_bytes(source), bytes, vectors, error);
    if (status == MILVUSDM_OK) {
        reader->next += rows;
    } else {
        milvusdm_array_release(out);
    }
    return status;
}

static uint32_t {{name}}_account(struct milvusdm_reader *reader, struct milvusdm_doc *out,
                                 struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    (void)reader;
    milvusdm_put_raw(&w, "{}"); /* Every row was given out. */
    return milvusdm_put_doc(&w, out, error);
}

static uint32_t {{name}}_reader_close(struct milvusdm_reader *reader) {
    free(reader);
    return MILVUSDM_OK;
}

/* ---- The table ------------------------------------------------------------------------------ */

static const struct milvusdm_plugin_table table = {
    MILVUSDM_TABLE_HEAD,
    .info = {{name}}_info,
    .source_open = {{name}}_open,
    .source_datasets = {{name}}_datasets,
    .source_schema = {{name}}_schema,
    .source_splits = {{name}}_splits,
    .source_inspect = {{name}}_inspect,
    .source_read = {{name}}_read,
    .source_close = {{name}}_close,
    .reader_next = {{name}}_next,
    .reader_account = {{name}}_account,
    .reader_close = {{name}}_reader_close,
};

const struct milvusdm_plugin_table *milvusdm_plugin_init_v1(void) { return &table; }
