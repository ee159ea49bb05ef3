/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a split: a chunk of records at a time into memory of its own, from there into the columns of
 * a batch. A reader never ends before its last row without an error.
 */
#include "records.h"

struct milvusdm_reader {
    const struct milvusdm_source *source; /* Closed after all its readers. */
    uint64_t next;                        /* The next row, among those of the file. */
    uint64_t end;
    uint64_t batch_rows;
    uint64_t chunk_rows;
    unsigned char *chunk;
};

static bool bad_request(const struct milvusdm_source *source, const char *what,
                        struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, "config", "%s", what);
    milvusdm_error_with(&w, "file", source->layout.path);
    milvusdm_error_end(&w, "plan the task again", error);
    return false;
}

/* Finds the split of an id that was given for planning. */
static bool split_of_id(const struct milvusdm_source *source, struct milvusdm_json id,
                        uint64_t *first) {
    char own[64], *text = milvusdm_json_copy(id);
    bool fits = text != NULL && strncmp(text, "rows:", 5) == 0;
    *first = fits ? strtoull(text + 5, NULL, 10) : 0;
    fits = fits && *first < source->rows && *first % source->split_rows == 0;
    if (fits) {
        split_id(source, *first, own, sizeof(own));
        fits = strcmp(text, own) == 0;
    }
    free(text);
    return fits;
}

/* Finds the split, and checks that it is still what was planned. */
static bool find_split(const struct milvusdm_source *source, struct milvusdm_str text,
                       uint64_t *first, struct milvusdm_doc *error) {
    struct milvusdm_json split, fingerprint;
    if (!milvusdm_json_parse(text.ptr, text.len, &split)) {
        return bad_request(source, "the split is no JSON document", error);
    }
    if (!split_of_id(source, milvusdm_json_member(split, "id"), first)) {
        return bad_request(source, "the file has no such split", error);
    }
    fingerprint = milvusdm_json_member(split, "fingerprint");
    if (milvusdm_json_kind(fingerprint) == '"' &&
        !milvusdm_json_is(fingerprint, source->fingerprint)) {
        struct milvusdm_json_writer w;
        milvusdm_error_begin(&w, "format", "the file or its options changed since the run was planned");
        milvusdm_error_with(&w, "file", source->layout.path);
        milvusdm_error_end(&w, "plan the task again", error);
        return false;
    }
    return file_is_unchanged(source, error);
}

/* Rows of a batch: within the bytes and rows that were asked for and within Arrow's ceilings. */
static uint64_t rows_of_batch(const struct layout *layout, uint64_t max_bytes, uint64_t max_rows) {
    uint64_t each = 0, rows;
    for (size_t i = 0; i < layout->n_columns; i++) each += column_given_bytes(&layout->columns[i]);
    rows = max_bytes / each;
    if (rows > max_rows) rows = max_rows;
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct column *column = &layout->columns[i];
        uint64_t elements = (uint64_t)INT32_MAX / column->count;
        uint64_t fitting = ((uint64_t)2 << 30) / column_given_bytes(column);
        if (rows > elements) rows = elements;
        if (rows > fitting) rows = fitting;
    }
    return rows == 0 ? 1 : rows;
}

uint32_t records_read(struct milvusdm_source *source, struct milvusdm_str key,
                      struct milvusdm_str split, struct milvusdm_str request,
                      struct milvusdm_reader **out, struct milvusdm_doc *error) {
    uint64_t first = 0, first_row = 0, max_bytes = 0, max_rows = UINT64_MAX, rows;
    struct milvusdm_json asked;
    struct milvusdm_reader *reader;
    if (!is_the_dataset(source, key, error) || !find_split(source, split, &first, error)) {
        return MILVUSDM_FAILED;
    }
    if (!milvusdm_json_parse(request.ptr, request.len, &asked) ||
        !milvusdm_json_u64(milvusdm_json_member(asked, "max_batch_bytes"), &max_bytes)) {
        bad_request(source, "the read request is not one", error);
        return MILVUSDM_FAILED;
    }
    milvusdm_json_u64(milvusdm_json_member(asked, "first_row"), &first_row);
    milvusdm_json_u64(milvusdm_json_member(asked, "max_batch_rows"), &max_rows);
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL) return milvusdm_no_memory(error);
    rows = source->rows - first < source->split_rows ? source->rows - first : source->split_rows;
    reader->source = source;
    reader->next = first + (first_row < rows ? first_row : rows);
    reader->end = first + rows;
    reader->batch_rows = rows_of_batch(&source->layout, max_bytes, max_rows);
    reader->chunk_rows = file_chunk_rows(source);
    reader->chunk = malloc((size_t)file_chunk_bytes(&source->layout, reader->chunk_rows));
    if (reader->chunk == NULL) {
        free(reader);
        return milvusdm_no_memory(error);
    }
    *out = reader;
    return MILVUSDM_OK;
}

/* Lays out the columns of a batch; their buffers are in `values`. */
static bool make_batch(const struct layout *layout, uint64_t rows, struct ArrowArray *out,
                       unsigned char **values) {
    if (!milvusdm_batch_begin(out, (int64_t)rows, layout->n_columns)) return false;
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct column *column = &layout->columns[i];
        bool is_bits = *column->type->format == 'b';
        values[i] = column->role == VECTOR
                        ? milvusdm_batch_vectors(out, i, column->count, column->type->bytes)
                        : milvusdm_batch_values(out, i, is_bits ? (rows + 7) / 8
                                                                : rows * column_given_bytes(column));
        if (values[i] == NULL) return false;
    }
    return true;
}

static bool bad_value(const struct milvusdm_source *source, const struct column *column,
                      uint64_t row, unsigned char value, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, "format", "field `%s` holds the byte %u, wanted a boolean: 0 or 1",
                         column->name, value);
    milvusdm_error_with(&w, "file", source->layout.path);
    milvusdm_error_at(&w, "row", row);
    milvusdm_error_at(&w, "offset",
                      source->layout.header + row * source->layout.stride + column->offset);
    milvusdm_error_end(&w, "check `stride` and `offset`, or read it as u8", error);
    return false;
}

/* Reads `rows` rows and puts them behind the `done` rows that the batch has already. */
static bool read_chunk(struct milvusdm_reader *reader, uint64_t rows, uint64_t done,
                       unsigned char **values, struct milvusdm_doc *error) {
    const struct milvusdm_source *source = reader->source;
    const struct layout *layout = &source->layout;
    uint64_t offset = layout->header + reader->next * layout->stride + layout->part_offset;
    size_t bytes = (size_t)file_chunk_bytes(layout, rows);
    if (!file_read(source, offset, bytes, reader->chunk, error)) return false;
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct column *column = &layout->columns[i];
        uint64_t good = scatter(layout, column, reader->chunk, rows, values[i], done);
        if (good < rows) {
            uint64_t at = good * layout->stride + column->offset - layout->part_offset;
            return bad_value(source, column, reader->next + good, reader->chunk[at], error);
        }
    }
    reader->next += rows;
    return true;
}

static uint32_t fill_batch(struct milvusdm_reader *reader, uint64_t rows, unsigned char **values,
                           struct milvusdm_doc *error) {
    const struct milvusdm_host_services *host = reader->source->host;
    for (uint64_t done = 0; done < rows;) {
        uint64_t left = rows - done;
        uint64_t now = left < reader->chunk_rows ? left : reader->chunk_rows;
        if (host->is_cancelled(host->context)) return milvusdm_error_cancelled(error);
        if (!read_chunk(reader, now, done, values, error)) return MILVUSDM_FAILED;
        done += now;
    }
    return MILVUSDM_OK;
}

uint32_t records_next(struct milvusdm_reader *reader, struct ArrowArray *out,
                      struct milvusdm_doc *error) {
    const struct layout *layout = &reader->source->layout;
    uint64_t left = reader->end - reader->next;
    uint64_t rows = left < reader->batch_rows ? left : reader->batch_rows;
    struct ArrowArray batch;
    unsigned char **values;
    uint32_t status;
    if (rows == 0) return file_is_unchanged(reader->source, error) ? MILVUSDM_END : MILVUSDM_FAILED;
    values = calloc(layout->n_columns, sizeof(*values));
    if (values == NULL) return milvusdm_no_memory(error);
    memset(&batch, 0, sizeof(batch));
    status = make_batch(layout, rows, &batch, values) ? fill_batch(reader, rows, values, error)
                                                      : milvusdm_no_memory(error);
    free(values);
    if (status == MILVUSDM_OK) {
        *out = batch;
    } else {
        milvusdm_array_release(&batch);
    }
    return status;
}

/* Every row is given out. */
uint32_t records_account(struct milvusdm_reader *reader, struct milvusdm_doc *out,
                         struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    (void)reader;
    milvusdm_put_raw(&w, "{}");
    return milvusdm_put_doc(&w, out, error);
}

uint32_t records_reader_close(struct milvusdm_reader *reader) {
    if (reader == NULL) return MILVUSDM_OK;
    free(reader->chunk);
    free(reader);
    return MILVUSDM_OK;
}
