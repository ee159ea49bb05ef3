/* SPDX-License-Identifier: Apache-2.0
 *
 * What `milvusdm inspect` shows: where each column lies, and which bytes of a record belong to none,
 * so that a forgotten field is noticed.
 */
#include "records.h"

#include <stdio.h>

static void put_fact(struct milvusdm_json_writer *w, const char *name, uint64_t value) {
    milvusdm_put_key(w, name);
    milvusdm_put_u64(w, value);
}

static void put_column(struct milvusdm_json_writer *w, const struct column *column) {
    static const char *const roles[] = {"id", "vector", "scalar"};
    milvusdm_put_raw(w, "{");
    milvusdm_put_key(w, "label");
    milvusdm_put_string(w, column->name);
    milvusdm_put_key(w, "facts");
    milvusdm_put_raw(w, "{");
    put_fact(w, "offset", column->offset);
    milvusdm_put_key(w, "type");
    milvusdm_put_string(w, column->type->name);
    milvusdm_put_key(w, "role");
    milvusdm_put_string(w, column->is_partition_key ? "partition_key" : roles[column->role]);
    if (column->role == VECTOR) put_fact(w, "dim", column->count);
    milvusdm_put_raw(w, "}");
    milvusdm_put_raw(w, "}");
}

static int by_offset(const void *a, const void *b) {
    uint64_t left = (*(const struct column *const *)a)->offset;
    uint64_t right = (*(const struct column *const *)b)->offset;
    return left < right ? -1 : left > right;
}

/* Names the bytes of a record between the columns. */
static void put_gaps(struct milvusdm_json_writer *w, const struct layout *layout,
                     const struct column **sorted) {
    uint64_t covered = 0;
    char text[128];
    for (size_t i = 0; i < layout->n_columns; i++) sorted[i] = &layout->columns[i];
    qsort(sorted, layout->n_columns, sizeof(*sorted), by_offset);
    for (size_t i = 0; i <= layout->n_columns; i++) {
        uint64_t next = i < layout->n_columns ? sorted[i]->offset : layout->stride;
        if (next > covered) {
            snprintf(text, sizeof(text), "bytes %llu to %llu of each record belong to no column",
                     (unsigned long long)covered, (unsigned long long)next - 1);
            milvusdm_put_string(w, text);
        }
        if (i < layout->n_columns && next + column_bytes(sorted[i]) > covered) {
            covered = next + column_bytes(sorted[i]);
        }
    }
}

uint32_t records_inspect(struct milvusdm_source *source, struct milvusdm_str request,
                         struct milvusdm_doc *out, struct milvusdm_doc *error) {
    const struct layout *layout = &source->layout;
    struct milvusdm_json_writer w = {0};
    const struct column **sorted = calloc(layout->n_columns, sizeof(*sorted));
    (void)request;
    if (sorted == NULL) return milvusdm_no_memory(error);
    milvusdm_put_raw(&w, "{");
    milvusdm_put_key(&w, "trees");
    milvusdm_put_raw(&w, "[{");
    milvusdm_put_key(&w, "label");
    milvusdm_put_string(&w, "records of fixed size");
    milvusdm_put_key(&w, "facts");
    milvusdm_put_raw(&w, "{");
    put_fact(&w, "records", source->rows);
    put_fact(&w, "header", layout->header);
    put_fact(&w, "stride", layout->stride);
    milvusdm_put_key(&w, "endian");
    milvusdm_put_string(&w, layout->is_big_endian ? "big" : "little");
    milvusdm_put_raw(&w, "}");
    milvusdm_put_key(&w, "children");
    milvusdm_put_raw(&w, "[");
    for (size_t i = 0; i < layout->n_columns; i++) put_column(&w, &layout->columns[i]);
    milvusdm_put_raw(&w, "]");
    milvusdm_put_raw(&w, "}");
    milvusdm_put_raw(&w, "]");
    milvusdm_put_key(&w, "notices");
    milvusdm_put_raw(&w, "[");
    put_gaps(&w, layout, sorted);
    milvusdm_put_raw(&w, "]");
    milvusdm_put_raw(&w, "}");
    free(sorted);
    return milvusdm_put_doc(&w, out, error);
}
