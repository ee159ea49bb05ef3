/* SPDX-License-Identifier: Apache-2.0
 *
 * The entries: each answers as the header asks, or as SIN says: `ENTRY:WHAT`. WHAT may also be a
 * JSON document, which is then the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sins.h"

/* ---- Answers ---- */

static void release_doc(struct milvusdm_doc *doc) { free(doc->ptr); }

static void put(struct milvusdm_doc *doc, const char *text, size_t length) {
    char *copy = malloc(length + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, text, length);
    *doc = (struct milvusdm_doc){copy, length, length + 1, release_doc};
}

static void text(struct milvusdm_doc *doc, const char *text) { put(doc, text, strlen(text)); }

/* What an entry returns whose sin is no document. */
static bool misdeed(const char *what, struct milvusdm_doc *error, uint32_t *status) {
    *status = MILVUSDM_FAILED;
    if (!strcmp(what, "fails"))
        text(error, "{\"kind\":\"io\",\"message\":\"a disk is gone, on purpose\"}");
    else if (!strcmp(what, "fails_without_error"))
        return true;
    else if (!strcmp(what, "fails_with_junk"))
        text(error, "no JSON");
    else if (!strcmp(what, "fails_with_an_unknown_kind"))
        text(error, "{\"kind\":\"sulks\",\"message\":\"unheard of\"}");
    else if (!strcmp(what, "status_7"))
        *status = 7;
    else if (!strcmp(what, "status_end"))
        *status = MILVUSDM_END;
    else if (!strcmp(what, "exits"))
        exit(0);
    else if (!strcmp(what, "crashes"))
        *(volatile int *)8 = 1;
    else if (!strcmp(what, "sleeps"))
        for (;;)
            pause();
    else
        return false;
    return true;
}

/* A document that is wrong. */
static bool spoil(const char *what, struct milvusdm_doc *out) {
    static char deep[200000];
    if (!strcmp(what, "empty"))
        return true;
    if (!strcmp(what, "not_json"))
        text(out, "][");
    else if (!strcmp(what, "wrong_shape"))
        text(out, "\"a text\"");
    else if (!strcmp(what, "not_utf8"))
        text(out, "{\"name\":\"\xff\xfe\"}");
    else if (!strcmp(what, "null_with_a_length"))
        out->ptr = NULL, out->len = 5;
    else if (!strcmp(what, "huge_length"))
        text(out, "{}"), out->len = (size_t)1 << 40;
    else if (!strcmp(what, "deep")) {
        memset(deep, '[', sizeof deep);
        put(out, deep, sizeof deep);
    } else
        return false;
    return true;
}

/* Answers with a document; `sin` may be the document itself, as JSON. */
static uint32_t answer(const char *entry, const char *good, struct milvusdm_doc *out,
                       struct milvusdm_doc *error) {
    const char *what = sin_at(entry);
    uint32_t status;
    if (what != NULL && misdeed(what, error, &status))
        return status;
    if (what != NULL && (what[0] == '{' || what[0] == '['))
        text(out, what);
    else if (what == NULL || !spoil(what, out))
        text(out, good);
    return MILVUSDM_OK;
}

/* Answers without one. */
static uint32_t done(const char *entry, struct milvusdm_doc *error) {
    const char *what = sin_at(entry);
    uint32_t status;
    return what != NULL && misdeed(what, error, &status) ? status : MILVUSDM_OK;
}

/* ---- Both sides ---- */

/* clang-format off */
#define INFO(name) "{\"name\":\"" name "\",\"version\":\"1.2.3\",\"summary\":\"sins on purpose\"," \
    "\"docs\":\"No options.\"," \
    "\"source_options\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}," \
    "\"sink_options\":{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}}"
/* clang-format on */

static uint32_t info(struct milvusdm_doc *out, struct milvusdm_doc *error) {
    return answer("info", INFO("sins"), out, error);
}

struct milvusdm_source {
    int unused;
};
struct milvusdm_sink {
    int unused;
};

static uint32_t source_open(const struct milvusdm_services_head *services,
                            struct milvusdm_str options, struct milvusdm_source **out,
                            struct milvusdm_doc *error) {
    static struct milvusdm_source source;
    (void)services, (void)options;
    uint32_t status = done("source_open", error);
    if (status == MILVUSDM_OK && !sin_is("source_open", "no_handle"))
        *out = &source;
    return status;
}

static uint32_t source_datasets(struct milvusdm_source *source, struct milvusdm_doc *out,
                                struct milvusdm_doc *error) {
    (void)source;
    return answer("source_datasets",
                  "[{\"key\":\"k\",\"descriptor\":{\"system\":\"sins\",\"collection\":\"rows\","
                  "\"id\":{\"policy\":\"given\"},\"rows\":{\"value\":100,\"exact\":true}}}]",
                  out, error);
}

static uint32_t source_schema(struct milvusdm_source *source, struct milvusdm_str key,
                              struct ArrowSchema *out, struct milvusdm_doc *error) {
    (void)source, (void)key;
    uint32_t status = done("source_schema", error);
    if (status == MILVUSDM_OK)
        make_schema(out);
    return status;
}

static uint32_t source_splits(struct milvusdm_source *source, struct milvusdm_str key,
                              struct milvusdm_doc *out, struct milvusdm_doc *error) {
    (void)source, (void)key;
    return answer("source_splits", "[{\"id\":\"all\",\"found\":100,\"live\":100,\"bytes\":2000}]", out,
                  error);
}

static uint32_t source_inspect(struct milvusdm_source *source, struct milvusdm_str request,
                               struct milvusdm_doc *out, struct milvusdm_doc *error) {
    (void)source, (void)request;
    return answer("source_inspect", "{}", out, error);
}

struct milvusdm_reader {
    int64_t at;
};

static uint32_t source_read(struct milvusdm_source *source, struct milvusdm_str key,
                            struct milvusdm_str split, struct milvusdm_str request,
                            struct milvusdm_reader **out, struct milvusdm_doc *error) {
    (void)source, (void)key, (void)split, (void)request;
    uint32_t status = done("source_read", error);
    if (status == MILVUSDM_OK && !sin_is("source_read", "no_handle"))
        *out = calloc(1, sizeof **out);
    return status;
}

static uint32_t source_close(struct milvusdm_source *source) {
    (void)source;
    return done("source_close", NULL);
}

static uint32_t reader_next(struct milvusdm_reader *reader, struct ArrowArray *out,
                            struct milvusdm_doc *error) {
    uint32_t status = reader->at == ROWS / 2 ? done("reader_next", error) : MILVUSDM_OK;
    if (sin_is("reader_next", "end_with_a_batch") && reader->at == ROWS / 2)
        status = MILVUSDM_END;
    else if (status != MILVUSDM_OK)
        return status;
    else if (sin_is("reader_next", "empty") && reader->at == ROWS / 2)
        return MILVUSDM_OK;
    else if (reader->at == ROWS && !sin_is("reader_next", "never_ends"))
        return MILVUSDM_END;
    CHAT("a batch");
    make_batch(reader->at, out);
    reader->at += BATCH_ROWS;
    return status;
}

static uint32_t reader_account(struct milvusdm_reader *reader, struct milvusdm_doc *out,
                               struct milvusdm_doc *error) {
    (void)reader;
    return answer("reader_account", "{}", out, error);
}

static uint32_t reader_close(struct milvusdm_reader *reader) {
    free(reader);
    return done("reader_close", NULL);
}

/* ---- A sink that counts, and makes the file SINS_OUT when it is finished ---- */

static uint32_t sink_open(const struct milvusdm_services_head *services,
                          struct milvusdm_str options, struct milvusdm_sink **out,
                          struct milvusdm_doc *error) {
    static struct milvusdm_sink sink;
    (void)services, (void)options;
    uint32_t status = done("sink_open", error);
    if (status == MILVUSDM_OK && !sin_is("sink_open", "no_handle"))
        *out = &sink;
    return status;
}

static uint32_t sink_capabilities(struct milvusdm_sink *sink, struct milvusdm_doc *out,
                                  struct milvusdm_doc *error) {
    (void)sink;
    return answer("sink_capabilities",
                  "{\"id_types\":[\"Int64\"],\"id_policy\":[\"given\"],\"scalar_types\":[\"*\"],"
                  "\"vectors\":[{\"kind\":\"dense\",\"elem\":[\"f32\"]}],\"nullable\":true,"
                  "\"transactional_publish\":true,\"count\":{\"exact\":true}}",
                  out, error);
}

static uint32_t sink_check(struct milvusdm_sink *sink, struct milvusdm_str specs,
                           const struct ArrowSchema *schemas, struct milvusdm_doc *out,
                           struct milvusdm_doc *error) {
    (void)sink, (void)specs, (void)schemas;
    return answer("sink_check", "[{\"location\":\"sins\"}]", out, error);
}

struct milvusdm_writer {
    int64_t rows;
};

static uint32_t sink_prepare(struct milvusdm_sink *sink, struct milvusdm_str spec,
                             const struct ArrowSchema *schema, struct milvusdm_writer **out,
                             struct milvusdm_doc *error) {
    (void)sink, (void)spec, (void)schema;
    uint32_t status = done("sink_prepare", error);
    if (status == MILVUSDM_OK && !sin_is("sink_prepare", "no_handle"))
        *out = calloc(1, sizeof **out);
    return status;
}

static uint32_t sink_close(struct milvusdm_sink *sink) {
    (void)sink;
    return done("sink_close", NULL);
}

static uint32_t writer_write(struct milvusdm_writer *writer, struct milvusdm_write_at at,
                             struct ArrowArray *batch, struct milvusdm_doc *out,
                             struct milvusdm_doc *error) {
    (void)at;
    char ack[64];
    writer->rows += batch->length;
    snprintf(ack, sizeof ack, "{\"written\":%lld}", (long long)batch->length);
    if (sin_is("writer_write", "takes_and_keeps"))
        batch->release = NULL; /* It leaks, which is its own affair. */
    return answer("writer_write", ack, out, error);
}

static uint32_t writer_flush(struct milvusdm_writer *writer, struct milvusdm_doc *error) {
    (void)writer;
    return done("writer_flush", error);
}

static uint32_t writer_finish(struct milvusdm_writer *writer, struct milvusdm_doc *out,
                              struct milvusdm_doc *error) {
    char ack[64];
    const char *path = getenv("SINS_OUT");
    snprintf(ack, sizeof ack, "{\"rows_added\":%lld}", (long long)writer->rows);
    uint32_t status = answer("writer_finish", ack, out, error);
    FILE *file = status == MILVUSDM_OK && path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL)
        fclose(file);
    return status;
}

static uint32_t writer_abort(struct milvusdm_writer *writer, struct milvusdm_doc *error) {
    (void)writer;
    return done("writer_abort", error);
}

static uint32_t writer_close(struct milvusdm_writer *writer) {
    free(writer);
    return done("writer_close", NULL);
}

/* ---- The table ---- */

const struct milvusdm_plugin_table good_table = {
    MILVUSDM_TABLE_HEAD,
    .info = info,
    .source_open = source_open,
    .source_datasets = source_datasets,
    .source_schema = source_schema,
    .source_splits = source_splits,
    .source_inspect = source_inspect,
    .source_read = source_read,
    .source_close = source_close,
    .reader_next = reader_next,
    .reader_account = reader_account,
    .reader_close = reader_close,
    .sink_open = sink_open,
    .sink_capabilities = sink_capabilities,
    .sink_check = sink_check,
    .sink_prepare = sink_prepare,
    .sink_close = sink_close,
    .writer_write = writer_write,
    .writer_flush = writer_flush,
    .writer_finish = writer_finish,
    .writer_abort = writer_abort,
    .writer_close = writer_close,
};
