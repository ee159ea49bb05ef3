/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of this plugin share: the layout of a record, as the options declare it, and the
 * open file. The options are checked once, in options.c; the code behind relies on it.
 */
#ifndef RECORDS_H
#define RECORDS_H

#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "milvusdm_arrow.h"
#include "milvusdm_json.h"
#include "milvusdm_plugin.h"

#define RECORDS_NAME "records"
#define RECORDS_VERSION "1.0.0"

#define MAX_COLUMNS 1024u
#define MAX_DIM 1048576u
#define MAX_STRIDE ((uint64_t)64 << 20)
#define MAX_MAGIC 256u

/* Where a type may stand. */
enum { FOR_ID = 1, FOR_VECTOR = 2, FOR_FIELD = 4 };

/* A type of the values in a record. */
struct type {
    const char *name;
    const char *format; /* In Arrow's words. */
    uint32_t bytes;
    unsigned may_be; /* FOR_ID, FOR_VECTOR, FOR_FIELD. */
};

enum role { ID, VECTOR, SCALAR };

/* A column of the dataset: where it is in each record, and what. */
struct column {
    char *name;
    enum role role;
    const struct type *type;
    uint64_t offset;
    uint32_t count; /* Elements of a vector, else 1. */
    bool is_partition_key;
    char *metric; /* NULL if not known. */
};

/* The options, checked: every column lies inside the stride, the magic inside the header. */
struct layout {
    char *path;
    char *collection;
    unsigned char magic[MAX_MAGIC];
    size_t magic_len;
    uint64_t header;
    uint64_t stride;
    bool is_big_endian;
    bool has_id;
    /* The part of a record that columns lie in: what is read of it. */
    uint64_t part_offset;
    uint64_t part_bytes;
    size_t n_columns;
    struct column *columns; /* The id first, then the vector, then the fields. */
};

struct milvusdm_source {
    const struct milvusdm_host_services *host;
    struct layout layout;
    int file;
    uint64_t size;
    uint64_t rows;
    uint64_t split_rows;
    char fingerprint[128];
};

/* options.c */
bool layout_read(struct milvusdm_str options, struct layout *out, struct milvusdm_doc *error);
void layout_free(struct layout *layout);
/* Bytes of a column's value in a record; and in a batch, where short ids are widened. */
uint64_t column_bytes(const struct column *column);
uint64_t column_given_bytes(const struct column *column);
const char *column_format(const struct column *column);

/* file.c */
bool file_open(struct milvusdm_source *source, struct milvusdm_doc *error);
/* Fails if the file is no longer what it was when it was opened. */
bool file_is_unchanged(const struct milvusdm_source *source, struct milvusdm_doc *error);
bool file_read(const struct milvusdm_source *source, uint64_t offset, size_t bytes,
               unsigned char *into, struct milvusdm_doc *error);
/* Records that are read at once, and the bytes from the first one's part to the last one's end. */
uint64_t file_chunk_rows(const struct milvusdm_source *source);
uint64_t file_chunk_bytes(const struct layout *layout, uint64_t rows);

/* source.c */
uint32_t records_open(const struct milvusdm_services_head *services, struct milvusdm_str options,
                      struct milvusdm_source **out, struct milvusdm_doc *error);
uint32_t records_datasets(struct milvusdm_source *source, struct milvusdm_doc *out,
                          struct milvusdm_doc *error);
uint32_t records_schema(struct milvusdm_source *source, struct milvusdm_str key,
                        struct ArrowSchema *out, struct milvusdm_doc *error);
uint32_t records_splits(struct milvusdm_source *source, struct milvusdm_str key,
                        struct milvusdm_doc *out, struct milvusdm_doc *error);
uint32_t records_close(struct milvusdm_source *source);
bool is_the_dataset(const struct milvusdm_source *source, struct milvusdm_str key,
                    struct milvusdm_doc *error);
/* Writes the id of the split that starts at a row. */
void split_id(const struct milvusdm_source *source, uint64_t first, char *id, size_t size);

/* inspect.c */
uint32_t records_inspect(struct milvusdm_source *source, struct milvusdm_str request,
                         struct milvusdm_doc *out, struct milvusdm_doc *error);

/* reader.c */
uint32_t records_read(struct milvusdm_source *source, struct milvusdm_str key,
                      struct milvusdm_str split, struct milvusdm_str request,
                      struct milvusdm_reader **out, struct milvusdm_doc *error);
uint32_t records_next(struct milvusdm_reader *reader, struct ArrowArray *out,
                      struct milvusdm_doc *error);
uint32_t records_account(struct milvusdm_reader *reader, struct milvusdm_doc *out,
                         struct milvusdm_doc *error);
uint32_t records_reader_close(struct milvusdm_reader *reader);

/* scatter.c */
/* Takes a column's values out of a chunk of `rows` records into a batch's buffer, behind `first` rows
 * that are there already. Gives the first row whose value is none of the type's, or `rows`. */
uint64_t scatter(const struct layout *layout, const struct column *column,
                 const unsigned char *chunk, uint64_t rows, unsigned char *into, uint64_t first);

#endif /* RECORDS_H */
