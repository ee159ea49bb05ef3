/* SPDX-License-Identifier: Apache-2.0
 *
 * milvusdm_arrow.h: makes the schemas and batches of a source in C or C++, for the columns that most
 * formats have: ids, dense vectors, scalars of a fixed size, none of them null. Anything else can be
 * laid out by hand, as the Arrow C Data interface says, or put together from milvusdm_schema_node()
 * and milvusdm_array_node(). Functions are static inline; nothing has to be linked.
 *
 *     if (!milvusdm_schema_begin(out, 2) ||
 *         !milvusdm_schema_id(out, 0, "id", "l") ||
 *         !milvusdm_schema_vector(out, 1, "vector", "f32", 128, NULL)) {
 *         milvusdm_schema_release(out);
 *         return milvusdm_no_memory(error);
 *     }
 *
 *     if (!milvusdm_batch_begin(out, rows, 2) ||
 *         (ids = milvusdm_batch_values(out, 0, rows * 8)) == NULL ||
 *         (vectors = milvusdm_batch_vectors(out, 1, 128, 4)) == NULL) {
 *         milvusdm_array_release(out);
 *         return milvusdm_no_memory(error);
 *     }
 *
 * Functions give 0 or NULL where there is no memory, or a size does not fit.
 */
#ifndef MILVUSDM_ARROW_H
#define MILVUSDM_ARROW_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milvusdm_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Schemas -------------------------------------------------------------------------------- */

/* Frees a schema that was made here, whole or in part, and leaves it released. */
static inline void milvusdm_schema_release(struct ArrowSchema *schema) {
    int64_t i;
    for (i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release != NULL) schema->children[i]->release(schema->children[i]);
    }
    /* Children are in one block, behind their list. */
    free(schema->children);
    free((void *)(uintptr_t)schema->format);
    free((void *)(uintptr_t)schema->name);
    free((void *)(uintptr_t)schema->metadata);
    memset(schema, 0, sizeof(*schema));
}

static inline char *milvusdm_arrow_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = (char *)malloc(bytes);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

/* Fills in any node; its children are empty, to be filled in by the same function. */
static inline int milvusdm_schema_node(struct ArrowSchema *out, const char *format,
                                       const char *name, size_t n_children) {
    const size_t each = sizeof(struct ArrowSchema *) + sizeof(struct ArrowSchema);
    struct ArrowSchema *child;
    size_t i;
    memset(out, 0, sizeof(*out));
    out->release = milvusdm_schema_release;
    out->format = milvusdm_arrow_text(format);
    out->name = milvusdm_arrow_text(name);
    if (out->format == NULL || out->name == NULL || n_children > SIZE_MAX / 2 / each) return 0;
    if (n_children == 0) return 1;
    out->children = (struct ArrowSchema **)calloc(n_children, each);
    if (out->children == NULL) return 0;
    child = (struct ArrowSchema *)(void *)(out->children + n_children);
    for (i = 0; i < n_children; i++) out->children[i] = child + i;
    out->n_children = (int64_t)n_children;
    return 1;
}

static inline void milvusdm_arrow_put(char **at, const char *bytes, size_t len) {
    int32_t length = (int32_t)len;
    memcpy(*at, &length, sizeof(length));
    memcpy(*at + sizeof(length), bytes, len);
    *at += sizeof(length) + len;
}

/* Adds a key and its value to a node's metadata; each key once. */
static inline int milvusdm_schema_meta(struct ArrowSchema *node, const char *key,
                                       const char *value) {
    /* The length of the metadata stands in private_data. */
    size_t old = (size_t)(uintptr_t)node->private_data, start = old == 0 ? sizeof(int32_t) : old;
    size_t key_len = strlen(key), value_len = strlen(value);
    size_t len = start + 2 * sizeof(int32_t) + key_len + value_len;
    char *grown, *at;
    int32_t count = 0;
    if (node->release == NULL || key_len > 262144 || value_len > 262144) return 0;
    grown = (char *)realloc((void *)(uintptr_t)node->metadata, len);
    if (grown == NULL) return 0;
    if (old != 0) memcpy(&count, grown, sizeof(count));
    count++;
    memcpy(grown, &count, sizeof(count));
    at = grown + start;
    milvusdm_arrow_put(&at, key, key_len);
    milvusdm_arrow_put(&at, value, value_len);
    node->metadata = grown;
    node->private_data = (void *)(uintptr_t)len;
    return 1;
}

/* A schema of so many columns, which are filled in by the functions below, each once. */
static inline int milvusdm_schema_begin(struct ArrowSchema *out, size_t n_columns) {
    return milvusdm_schema_node(out, "+s", "", n_columns) &&
           milvusdm_schema_meta(out, "milvusdm.version", "1");
}

/* A scalar that is never null: format "l" is int64, "g" double, "b" boolean, ... Set
 * schema->children[column]->flags to ARROW_FLAG_NULLABLE where it may be. */
static inline int milvusdm_schema_scalar(struct ArrowSchema *schema, size_t column,
                                         const char *name, const char *format) {
    return (int64_t)column < schema->n_children &&
           milvusdm_schema_node(schema->children[column], format, name, 0);
}

/* The id: format "l" (int64), "L" (uint64) or "u" (text). */
static inline int milvusdm_schema_id(struct ArrowSchema *schema, size_t column, const char *name,
                                     const char *format) {
    return milvusdm_schema_scalar(schema, column, name, format) &&
           milvusdm_schema_meta(schema->children[column], "milvusdm.role", "id");
}

/* A dense vector: elem is "f32", "f64", "f16", "i8" or "u8"; metric may be NULL. */
static inline int milvusdm_schema_vector(struct ArrowSchema *schema, size_t column,
                                         const char *name, const char *elem, uint32_t dim,
                                         const char *metric) {
    struct ArrowSchema *field;
    char format[16], number[16];
    const char *item = strcmp(elem, "f32") == 0   ? "f"
                       : strcmp(elem, "f64") == 0 ? "g"
                       : strcmp(elem, "f16") == 0 ? "e"
                       : strcmp(elem, "i8") == 0  ? "c"
                       : strcmp(elem, "u8") == 0  ? "C"
                                                  : NULL;
    if (item == NULL || (int64_t)column >= schema->n_children) return 0;
    field = schema->children[column];
    snprintf(format, sizeof(format), "+w:%lu", (unsigned long)dim);
    snprintf(number, sizeof(number), "%lu", (unsigned long)dim);
    return milvusdm_schema_node(field, format, name, 1) &&
           milvusdm_schema_node(field->children[0], item, "item", 0) &&
           milvusdm_schema_meta(field, "milvusdm.role", "vector") &&
           milvusdm_schema_meta(field, "milvusdm.kind", "dense") &&
           milvusdm_schema_meta(field, "milvusdm.elem", elem) &&
           milvusdm_schema_meta(field, "milvusdm.dim", number) &&
           (metric == NULL || milvusdm_schema_meta(field, "milvusdm.metric", metric));
}

/* ---- Batches -------------------------------------------------------------------------------- */

/* Frees an array that was made here, whole or in part, and leaves it released. */
static inline void milvusdm_array_release(struct ArrowArray *array) {
    int64_t i;
    for (i = 0; i < array->n_children; i++) {
        if (array->children[i]->release != NULL) array->children[i]->release(array->children[i]);
    }
    for (i = 0; i < array->n_buffers; i++) free((void *)(uintptr_t)array->buffers[i]);
    free((void *)array->buffers);
    free(array->children);
    memset(array, 0, sizeof(*array));
}

/* Fills in any node; buffers are NULL (no validity buffer: no nulls), children are empty. */
static inline int milvusdm_array_node(struct ArrowArray *out, int64_t length, size_t n_buffers,
                                      size_t n_children) {
    const size_t each = sizeof(struct ArrowArray *) + sizeof(struct ArrowArray);
    struct ArrowArray *child;
    size_t i;
    memset(out, 0, sizeof(*out));
    out->release = milvusdm_array_release;
    if (length < 0 || length > INT32_MAX || n_children > SIZE_MAX / 2 / each) return 0;
    out->length = length;
    if (n_buffers > 0) {
        out->buffers = (const void **)calloc(n_buffers, sizeof(void *));
        if (out->buffers == NULL) return 0;
        out->n_buffers = (int64_t)n_buffers;
    }
    if (n_children > 0) {
        out->children = (struct ArrowArray **)calloc(n_children, each);
        if (out->children == NULL) return 0;
        child = (struct ArrowArray *)(void *)(out->children + n_children);
        for (i = 0; i < n_children; i++) out->children[i] = child + i;
        out->n_children = (int64_t)n_children;
    }
    return 1;
}

/* Gives a node a buffer of so many bytes, 64-byte aligned, to be filled in; at most 2 GiB. */
static inline void *milvusdm_array_buffer(struct ArrowArray *array, size_t buffer, uint64_t bytes) {
    void *memory;
    if (bytes > (uint64_t)2 << 30 || (int64_t)buffer >= array->n_buffers) return NULL;
    free((void *)(uintptr_t)array->buffers[buffer]);
    memory = aligned_alloc(64, (size_t)(bytes / 64 + 1) * 64);
    array->buffers[buffer] = memory;
    return memory;
}

/* A batch of so many rows and columns, which are filled in by the functions below. */
static inline int milvusdm_batch_begin(struct ArrowArray *out, int64_t rows, size_t n_columns) {
    return milvusdm_array_node(out, rows, 1, n_columns);
}

/* A column that is to be filled in; what was filled in before is freed. NULL if there is none. */
static inline struct ArrowArray *milvusdm_batch_column(struct ArrowArray *batch, size_t column) {
    struct ArrowArray *array;
    if ((int64_t)column >= batch->n_children) return NULL;
    array = batch->children[column];
    if (array->release != NULL) array->release(array);
    return array;
}

/* The values of an id or scalar of a fixed size: `bytes` in all, a boolean is one bit. */
static inline void *milvusdm_batch_values(struct ArrowArray *batch, size_t column, uint64_t bytes) {
    struct ArrowArray *array = milvusdm_batch_column(batch, column);
    if (array == NULL || !milvusdm_array_node(array, batch->length, 2, 0)) return NULL;
    return milvusdm_array_buffer(array, 1, bytes);
}

/* The elements of dense vectors, all rows behind each other. */
static inline void *milvusdm_batch_vectors(struct ArrowArray *batch, size_t column, uint32_t dim,
                                           size_t elem_bytes) {
    struct ArrowArray *list = milvusdm_batch_column(batch, column);
    uint64_t elements = (uint64_t)batch->length * dim;
    if (list == NULL || elements > INT32_MAX || elem_bytes > 8) return NULL;
    if (!milvusdm_array_node(list, batch->length, 1, 1)) return NULL;
    if (!milvusdm_array_node(list->children[0], (int64_t)elements, 2, 0)) return NULL;
    return milvusdm_array_buffer(list->children[0], 1, elements * elem_bytes);
}

#ifdef __cplusplus
}
#endif

#endif /* MILVUSDM_ARROW_H */
