/* SPDX-License-Identifier: Apache-2.0
 *
 * The source: one file, one dataset, cut into splits by arithmetic. Everything it tells is known
 * once the file is open; a source is not written to afterwards, so that its entries may be called
 * from any number of threads.
 */
#include "records.h"

#include <stdio.h>
#include <unistd.h>

uint32_t records_open(const struct milvusdm_services_head *services, struct milvusdm_str options,
                      struct milvusdm_source **out, struct milvusdm_doc *error) {
    struct milvusdm_source *source;
    struct milvusdm_json_writer w;
    if (services == NULL || services->major != MILVUSDM_API_MAJOR ||
        services->size < sizeof(struct milvusdm_host_services)) {
        milvusdm_error_begin(&w, "plugin", "the host does not speak version 1 of the plugin API");
        return milvusdm_error_end(&w, "update milvusdm", error);
    }
    source = calloc(1, sizeof(*source));
    if (source == NULL) return milvusdm_no_memory(error);
    source->file = -1;
    source->host = (const struct milvusdm_host_services *)services;
    if (!layout_read(options, &source->layout, error) || !file_open(source, error)) {
        records_close(source);
        return MILVUSDM_FAILED;
    }
    *out = source;
    return MILVUSDM_OK;
}

uint32_t records_close(struct milvusdm_source *source) {
    if (source == NULL) return MILVUSDM_OK;
    if (source->file >= 0) close(source->file);
    layout_free(&source->layout);
    free(source);
    return MILVUSDM_OK;
}

bool is_the_dataset(const struct milvusdm_source *source, struct milvusdm_str key,
                    struct milvusdm_doc *error) {
    const char *own = source->layout.collection;
    struct milvusdm_json_writer w;
    if (key.len == strlen(own) && memcmp(key.ptr, own, key.len) == 0) return true;
    milvusdm_error_begin(&w, "not_found", "there is no dataset `%.*s`",
                         (int)(key.len < 256 ? key.len : 256), key.ptr);
    milvusdm_error_with(&w, "file", source->layout.path);
    milvusdm_error_end(&w, NULL, error);
    return false;
}

static uint64_t record_bytes(const struct milvusdm_source *source) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < source->layout.n_columns; i++) {
        bytes += column_given_bytes(&source->layout.columns[i]);
    }
    return bytes;
}

uint32_t records_datasets(struct milvusdm_source *source, struct milvusdm_doc *out,
                          struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    milvusdm_put_raw(&w, "[{");
    milvusdm_put_key(&w, "key");
    milvusdm_put_string(&w, source->layout.collection);
    milvusdm_put_key(&w, "descriptor");
    milvusdm_put_raw(&w, "{");
    milvusdm_put_key(&w, "system");
    milvusdm_put_string(&w, RECORDS_NAME);
    milvusdm_put_key(&w, "collection");
    milvusdm_put_string(&w, source->layout.collection);
    milvusdm_put_key(&w, "rows");
    milvusdm_put_raw(&w, "{\"exact\":true");
    milvusdm_put_key(&w, "value");
    milvusdm_put_u64(&w, source->rows);
    milvusdm_put_raw(&w, "}");
    milvusdm_put_key(&w, "bytes");
    milvusdm_put_u64(&w, source->rows * record_bytes(source));
    milvusdm_put_key(&w, "id");
    milvusdm_put_raw(&w, source->layout.has_id ? "{\"policy\":\"given\",\"unique\":\"unknown\"}"
                                               : "{\"policy\":\"none\",\"unique\":\"unknown\"}");
    milvusdm_put_key(&w, "fingerprint");
    milvusdm_put_string(&w, source->fingerprint);
    milvusdm_put_raw(&w, "}");
    milvusdm_put_raw(&w, "}");
    milvusdm_put_raw(&w, "]");
    return milvusdm_put_doc(&w, out, error);
}

static bool put_column(struct ArrowSchema *schema, size_t i, const struct column *column) {
    switch (column->role) {
    case ID: return milvusdm_schema_id(schema, i, column->name, column_format(column));
    case VECTOR:
        return milvusdm_schema_vector(schema, i, column->name, column->type->name, column->count,
                                      column->metric);
    default:
        return milvusdm_schema_scalar(schema, i, column->name, column_format(column)) &&
               (!column->is_partition_key ||
                milvusdm_schema_meta(schema->children[i], "milvusdm.partition_key", "true"));
    }
}

uint32_t records_schema(struct milvusdm_source *source, struct milvusdm_str key,
                        struct ArrowSchema *out, struct milvusdm_doc *error) {
    const struct layout *layout = &source->layout;
    if (!is_the_dataset(source, key, error)) return MILVUSDM_FAILED;
    bool fits = milvusdm_schema_begin(out, layout->n_columns);
    for (size_t i = 0; fits && i < layout->n_columns; i++) {
        fits = put_column(out, i, &layout->columns[i]);
    }
    if (fits) return MILVUSDM_OK;
    milvusdm_schema_release(out);
    return milvusdm_no_memory(error);
}

static uint64_t split_end(const struct milvusdm_source *source, uint64_t first) {
    uint64_t left = source->rows - first;
    return first + (left < source->split_rows ? left : source->split_rows);
}

void split_id(const struct milvusdm_source *source, uint64_t first, char *id, size_t size) {
    snprintf(id, size, "rows:%llu-%llu", (unsigned long long)first,
             (unsigned long long)split_end(source, first));
}

uint32_t records_splits(struct milvusdm_source *source, struct milvusdm_str key,
                        struct milvusdm_doc *out, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    char id[64];
    uint64_t held = file_chunk_bytes(&source->layout, file_chunk_rows(source));
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
        milvusdm_put_u64(&w, rows * record_bytes(source));
        milvusdm_put_key(&w, "held_bytes");
        milvusdm_put_u64(&w, held);
        milvusdm_put_key(&w, "fingerprint");
        milvusdm_put_string(&w, source->fingerprint);
        milvusdm_put_raw(&w, "}");
    }
    milvusdm_put_raw(&w, "]");
    return milvusdm_put_doc(&w, out, error);
}
