/* SPDX-License-Identifier: Apache-2.0
 *
 * The file: opened read-only, measured once, and read by place, so that any number of threads share
 * it. The number of records comes from its size alone.
 */
#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes that are read at once: they stay in the processor's cache until they are taken apart. */
#define CHUNK_BYTES ((uint64_t)256 << 10)
/* Bytes of a split, about. */
#define SPLIT_BYTES ((uint64_t)64 << 20)
/* Most splits: the list of a huge file stays small. */
#define MAX_SPLITS 65536u

static uint64_t hash(uint64_t start, const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) start = (start ^ at[i]) * 0x100000001b3u;
    return start;
}

/* All that the rows depend on: what is known of the file, and how it is read. */
static void describe(const struct milvusdm_source *source, const struct stat *facts, char *text,
                     size_t size) {
    const struct layout *layout = &source->layout;
    uint64_t sum = 0xcbf29ce484222325u;
    sum = hash(sum, &layout->header, sizeof(layout->header));
    sum = hash(sum, &layout->stride, sizeof(layout->stride));
    sum = hash(sum, &layout->is_big_endian, sizeof(layout->is_big_endian));
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct column *column = &layout->columns[i];
        sum = hash(sum, column->name, strlen(column->name) + 1);
        sum = hash(sum, column->type->name, strlen(column->type->name) + 1);
        sum = hash(sum, &column->role, sizeof(column->role));
        sum = hash(sum, &column->offset, sizeof(column->offset));
        sum = hash(sum, &column->count, sizeof(column->count));
    }
    snprintf(text, size, "records/1 size=%llu mtime=%lld.%09ld layout=%016llx",
             (unsigned long long)facts->st_size, (long long)facts->st_mtim.tv_sec,
             (long)facts->st_mtim.tv_nsec, (unsigned long long)sum);
}

static bool bad_format(const struct milvusdm_source *source, uint64_t offset, const char *message,
                       const char *help, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, "format", "%s", message);
    milvusdm_error_with(&w, "file", source->layout.path);
    milvusdm_error_at(&w, "offset", offset);
    milvusdm_error_end(&w, help, error);
    return false;
}

static void to_hex(const unsigned char *bytes, size_t len, char *out) {
    for (size_t i = 0; i < len; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static bool check_magic(const struct milvusdm_source *source, struct milvusdm_doc *error) {
    const struct layout *layout = &source->layout;
    unsigned char found[MAX_MAGIC];
    char message[128], hex[2][2 * 16 + 1] = {"", ""};
    size_t shown = layout->magic_len < 16 ? layout->magic_len : 16;
    if (layout->magic_len == 0) return true;
    if (!file_read(source, 0, layout->magic_len, found, error)) return false;
    if (memcmp(found, layout->magic, layout->magic_len) == 0) return true;
    to_hex(found, shown, hex[0]);
    to_hex(layout->magic, shown, hex[1]);
    snprintf(message, sizeof(message), "the file starts with bytes %s, wanted %s", hex[0], hex[1]);
    return bad_format(source, 0, message, "is it a file of this format?", error);
}

/* Counts the records; bytes that are no whole record are damage, or a wrong stride. */
static bool count_rows(struct milvusdm_source *source, struct milvusdm_doc *error) {
    const struct layout *layout = &source->layout;
    uint64_t over, least;
    char message[160];
    if (source->size < layout->header) {
        snprintf(message, sizeof(message), "the file has %llu bytes, wanted a header of %llu",
                 (unsigned long long)source->size, (unsigned long long)layout->header);
        return bad_format(source, source->size, message, NULL, error);
    }
    source->rows = (source->size - layout->header) / layout->stride;
    over = (source->size - layout->header) % layout->stride;
    if (over != 0) {
        snprintf(message, sizeof(message),
                 "%llu bytes too many behind a header of %llu bytes and %llu records of %llu",
                 (unsigned long long)over, (unsigned long long)layout->header,
                 (unsigned long long)source->rows, (unsigned long long)layout->stride);
        return bad_format(source, source->size - over, message,
                          "check `header` and `stride`; or the file is cut short", error);
    }
    least = source->rows / MAX_SPLITS + 1;
    source->split_rows = SPLIT_BYTES / layout->stride;
    if (source->split_rows < least) source->split_rows = least;
    return true;
}

bool file_open(struct milvusdm_source *source, struct milvusdm_doc *error) {
    const char *path = source->layout.path;
    struct stat facts;
    struct milvusdm_json_writer w;
    /* Opening a pipe would wait for a writer. */
    source->file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->file < 0 || fstat(source->file, &facts) != 0) {
        milvusdm_error_io("open the file", path, errno, error);
        return false;
    }
    if (!S_ISREG(facts.st_mode)) {
        milvusdm_error_begin(&w, "config", "wanted a regular file");
        milvusdm_error_with(&w, "file", path);
        milvusdm_error_with(&w, "option", "path");
        milvusdm_error_end(&w, NULL, error);
        return false;
    }
    source->size = (uint64_t)facts.st_size;
    describe(source, &facts, source->fingerprint, sizeof(source->fingerprint));
    return count_rows(source, error) && check_magic(source, error);
}

bool file_is_unchanged(const struct milvusdm_source *source, struct milvusdm_doc *error) {
    char now[sizeof(source->fingerprint)];
    struct stat facts;
    if (fstat(source->file, &facts) != 0) {
        milvusdm_error_io("look at the file again", source->layout.path, errno, error);
        return false;
    }
    describe(source, &facts, now, sizeof(now));
    if (strcmp(now, source->fingerprint) == 0) return true;
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, "format", "the file changed while it was open");
    milvusdm_error_with(&w, "file", source->layout.path);
    milvusdm_error_with(&w, "found", now);
    milvusdm_error_with(&w, "opened", source->fingerprint);
    milvusdm_error_end(&w, "run the task again when nothing writes to the file", error);
    return false;
}

bool file_read(const struct milvusdm_source *source, uint64_t offset, size_t bytes,
               unsigned char *into, struct milvusdm_doc *error) {
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = pread(source->file, into + have, bytes - have, (off_t)(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            milvusdm_error_io("read the file", source->layout.path, errno, error);
            return false;
        }
        if (got == 0) {
            return bad_format(source, offset + have, "the file ends here; it was longer when opened",
                              "run the task again when nothing writes to the file", error);
        }
        have += (size_t)got;
    }
    return true;
}

uint64_t file_chunk_rows(const struct milvusdm_source *source) {
    uint64_t rows = CHUNK_BYTES / source->layout.stride;
    return rows == 0 ? 1 : rows;
}

uint64_t file_chunk_bytes(const struct layout *layout, uint64_t rows) {
    return (rows - 1) * layout->stride + layout->part_bytes;
}
