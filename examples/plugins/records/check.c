/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests the plugin without a host, through its table, under the sanitizers: what it reads, what it
 * refuses, and that everything it hands out is freed. `milvusdm plugins check` asks far more; this
 * shows how little it takes to call a plugin.
 */
#include "records.h"

#include <stdio.h>
#include <unistd.h>

static char folder[256];
static uint32_t is_stopped = 0;
static const struct milvusdm_plugin_table *plugin;

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "check.c:%d: not so: %s\n", __LINE__, #claim);                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void log_line(const void *context, uint32_t level, struct milvusdm_str line) {
    (void)context;
    fprintf(stderr, "log %u: %.*s\n", level, (int)line.len, line.ptr);
}
static void progress(const void *context, struct milvusdm_str what, uint64_t done, uint64_t total) {
    (void)context, (void)what, (void)done, (void)total;
}
static uint32_t is_cancelled(const void *context) { return (void)context, is_stopped; }
static void mask(const void *context, struct milvusdm_str secret) { (void)context, (void)secret; }

static const struct milvusdm_host_services host = {
    {sizeof(host), MILVUSDM_API_MAJOR, MILVUSDM_API_MINOR}, NULL, log_line, progress,
    is_cancelled, mask};

static struct milvusdm_str str(const char *text) {
    struct milvusdm_str lent = {text, strlen(text)};
    return lent;
}

/* The text of a document, which is freed. */
static const char *text_of(struct milvusdm_doc *doc) {
    static char text[16384];
    struct milvusdm_json value;
    void (*release)(struct milvusdm_doc *) = doc->release;
    CHECK(doc->len < sizeof(text) && milvusdm_json_parse(doc->ptr, doc->len, &value));
    memcpy(text, doc->ptr, doc->len);
    text[doc->len] = 0;
    doc->release = NULL;
    if (release != NULL) release(doc);
    return text;
}

/* Opens the file `name` in the test's folder with further options, NULL with an error's text. */
static struct milvusdm_source *open_file(const char *name, const char *options,
                                         const char **error) {
    struct milvusdm_source *source = NULL;
    struct milvusdm_doc failure = {0};
    char text[2048];
    snprintf(text, sizeof(text), "{\"path\":\"%s/%s\",%s}", folder, name, options);
    if (plugin->source_open(&host.head, str(text), &source, &failure) == MILVUSDM_OK) return source;
    CHECK(source == NULL);
    *error = text_of(&failure);
    return NULL;
}

static void write_file(const char *name, const void *bytes, size_t len) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
}

static struct milvusdm_reader *open_reader(struct milvusdm_source *source, const char *split,
                                           const char *request) {
    struct milvusdm_reader *reader = NULL;
    struct milvusdm_doc error = {0};
    if (plugin->source_read(source, str("a"), str(split), str(request), &reader, &error) !=
        MILVUSDM_OK) {
        CHECK(reader == NULL && strstr(text_of(&error), "\"message\":\"") != NULL);
    }
    return reader;
}

#define OPTIONS(endian)                                                                            \
    "\"magic\":\"AB\",\"header\":3,\"endian\":\"" endian "\",\"stride\":21,"                       \
    "\"id\":{\"offset\":0,\"type\":\"i16\"},\"vector\":{\"offset\":2,\"type\":\"f32\",\"dim\":2}," \
    "\"fields\":[{\"name\":\"b\",\"type\":\"bool\",\"offset\":10},"                                \
    "{\"name\":\"n\",\"type\":\"i64\",\"offset\":12,\"role\":\"partition_key\"}]"

/* Puts a number there, the highest byte first or last. */
static void put(unsigned char *at, uint64_t number, int bytes, bool is_big) {
    for (int i = 0; i < bytes; i++) {
        at[i] = (unsigned char)(number >> 8 * (is_big ? bytes - 1 - i : i));
    }
}

enum { ROWS = 20 };

static void make(const char *name, bool is_big) {
    unsigned char file[3 + 21 * ROWS] = "AB";
    for (uint64_t row = 0; row < ROWS; row++) {
        unsigned char *record = file + 3 + 21 * row;
        put(record, (uint64_t)0 - row, 2, is_big);
        put(record + 2, 0x3F800000, 4, is_big);
        put(record + 6, 0x40000000 + row, 4, is_big);
        record[10] = row % 3 == 0;
        record[11] = record[20] = 0xEE;
        put(record + 12, (uint64_t)row << 40, 8, is_big);
    }
    write_file(name, file, sizeof(file));
}

/* Checks `rows` rows of a batch against what make() wrote from row `first` on. */
static void check_batch(const struct ArrowArray *batch, uint64_t first) {
    const int64_t *ids = batch->children[0]->buffers[1];
    const uint32_t *floats = batch->children[1]->children[0]->buffers[1];
    const unsigned char *bits = batch->children[2]->buffers[1];
    const int64_t *numbers = batch->children[3]->buffers[1];
    CHECK(batch->n_children == 4);
    for (int64_t i = 0; i < batch->length; i++) {
        int64_t row = (int64_t)first + i;
        CHECK(ids[i] == -row && numbers[i] == row << 40);
        CHECK(floats[2 * i] == 0x3F800000 && floats[2 * i + 1] == 0x40000000 + (uint32_t)row);
        CHECK((bits[i / 8] >> i % 8 & 1) == (row % 3 == 0));
    }
}

static void reads(const char *name, const char *options, const char *request, uint64_t first,
                  int64_t most) {
    const char *why = "";
    struct milvusdm_source *source = open_file(name, options, &why);
    struct milvusdm_doc doc = {0}, error = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch, last = {0};
    struct milvusdm_reader *reader;
    if (source == NULL) fprintf(stderr, "%s\n", why);
    CHECK(source != NULL);
    CHECK(plugin->source_datasets(source, &doc, &error) == MILVUSDM_OK);
    CHECK(strstr(text_of(&doc), "\"value\":20") != NULL);
    CHECK(plugin->source_schema(source, str("a"), &schema, &error) == MILVUSDM_OK);
    CHECK(schema.n_children == 4 && strcmp(schema.children[1]->format, "+w:2") == 0);
    schema.release(&schema);
    CHECK(plugin->source_splits(source, str("a"), &doc, &error) == MILVUSDM_OK);
    CHECK(strstr(text_of(&doc), "rows:0-20") != NULL);
    CHECK(plugin->source_inspect(source, str("{}"), &doc, &error) == MILVUSDM_OK);
    CHECK(strstr(text_of(&doc), "bytes 11 to 11 of each record") != NULL);
    reader = open_reader(source, "{\"id\":\"rows:0-20\"}", request);
    CHECK(reader != NULL);
    while (plugin->reader_next(reader, &batch, &error) == MILVUSDM_OK) {
        CHECK(batch.length > 0 && batch.length <= most);
        check_batch(&batch, first);
        first += (uint64_t)batch.length;
        if (last.release != NULL) last.release(&last);
        last = batch;
    }
    CHECK(error.ptr == NULL && first == ROWS);
    CHECK(plugin->reader_next(reader, &batch, &error) == MILVUSDM_END);
    CHECK(plugin->reader_account(reader, &doc, &error) == MILVUSDM_OK);
    text_of(&doc);
    plugin->reader_close(reader);
    plugin->source_close(source);
    /* A batch outlives its reader and its source. */
    if (last.release != NULL) {
        check_batch(&last, ROWS - (uint64_t)last.length);
        last.release(&last);
    }
}

/* Opening fails with an error that holds both texts. */
static void refuses(const char *name, const char *options, const char *one, const char *two) {
    const char *error = "";
    CHECK(open_file(name, options, &error) == NULL);
    if (strstr(error, one) == NULL || strstr(error, two) == NULL) {
        fprintf(stderr, "%s\nwanted `%s` and `%s`: %s\n", options, one, two, error);
        exit(1);
    }
}

static void refuses_options(void) {
    const char *wrong[][2] = {
        {"\"strid\":1", "unknown option `strid`"},
        {"\"stride\":4", "missing option `vector`"},
        {"\"stride\":0,\"vector\":{\"offset\":0,\"dim\":1}", "\"stride\""},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1,\"tpye\":\"f32\"}", "vector.tpye"},
        {"\"stride\":4,\"vector\":{\"offset\":1,\"dim\":1}", "pass the stride of 4"},
        {"\"stride\":4,\"vector\":{\"offset\":18446744073709551615,\"dim\":1}", "vector.offset"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1048577}", "vector.dim"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1,\"type\":\"i32\"}", "vector.type"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1,\"metric\":\"L2\"}", "vector.metric"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"endian\":\"middle\"", "\"endian\""},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"header\":-1", "\"header\""},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"magic_hex\":\"4\"", "\"magic_hex\""},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"magic\":\"AB\",\"header\":1", "header"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"fields\":{}", "wanted a list"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"fields\":[{\"name\":\"vector\","
         "\"type\":\"u8\",\"offset\":0}]", "fields[0].name"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"fields\":[{\"name\":\"x\","
         "\"type\":\"u8\",\"offset\":0,\"role\":\"id\"}]", "fields[0].role"},
        {"\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1},\"fields\":[{\"name\":\"x\","
         "\"offset\":0}]", "fields[0].type"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        refuses("a.rec", wrong[i][0], "\"config\"", wrong[i][1]);
    }
}

/* Options with bytes changed, left out or doubled are read or refused, and nothing worse. */
static void bears_any_options(void) {
    static const char seed[] = "{\"path\":\"a\"," OPTIONS("big") "}";
    static const char bytes[] = "{}[]\":,\\u019eE-.tn \xC3\xA4";
    uint64_t random = 0x9E3779B97F4A7C15u;
    for (int round = 0; round < 20000; round++) {
        size_t len = sizeof(seed) - 1;
        /* Of exactly its size, so that a read past the end is seen. */
        char *text = malloc(len);
        struct milvusdm_doc error = {0};
        struct layout layout;
        CHECK(text != NULL);
        memcpy(text, seed, len);
        for (int i = round % 4; i >= 0; i--) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = random % len;
            switch (random >> 32 & 3) {
            case 0: memmove(text + at, text + at + 1, len - at - 1); break;
            case 1: memmove(text + at + (at + 1 < len), text + at, len - at - 1); break;
            default: text[at] = bytes[(random >> 40) % (sizeof(bytes) - 1)];
            }
        }
        struct milvusdm_str options = {text, round % 16 == 0 ? len / 2 : len};
        if (layout_read(options, &layout, &error)) {
            layout_free(&layout);
        } else {
            CHECK(strstr(text_of(&error), "\"config\"") != NULL);
        }
        free(text);
    }
}

static void refuses_files(void) {
    static const char vector[] = "\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1}";
    write_file("b.rec", "ABCDEFG", 7);
    refuses("b.rec", vector, "\"format\"", "3 bytes too many");
    refuses("none.rec", vector, "\"not_found\"", "none.rec");
    refuses(".", vector, "\"config\"", "regular file");
    refuses("b.rec", "\"header\":8,\"stride\":4,\"vector\":{\"offset\":0,\"dim\":1}", "\"format\"",
            "wanted a header of 8");
    refuses("b.rec", "\"magic_hex\":\"41 43\",\"header\":3,\"stride\":4,\"vector\":"
                     "{\"offset\":0,\"dim\":1}",
            "starts with bytes 4142, wanted 4143", "\"format\"");
}

/* A reader that can't go on fails. */
static void stops(const char *options, const char *kind) {
    const char *why;
    struct milvusdm_source *source = open_file("a.rec", options, &why);
    struct milvusdm_doc error = {0};
    struct ArrowArray batch = {0};
    char path[512];
    struct milvusdm_reader *reader =
        open_reader(source, "{\"id\":\"rows:0-20\"}", "{\"max_batch_bytes\":1,\"max_batch_rows\":1}");
    CHECK(reader != NULL);
    snprintf(path, sizeof(path), "%s/a.rec", folder);
    if (strcmp(kind, "\"cancelled\"") == 0) is_stopped = 1;
    if (strcmp(kind, "it was longer") == 0) CHECK(truncate(path, 10) == 0);
    CHECK(plugin->reader_next(reader, &batch, &error) == MILVUSDM_FAILED && batch.release == NULL);
    CHECK(strstr(text_of(&error), kind) != NULL);
    is_stopped = 0;
    plugin->reader_close(reader);
    CHECK(open_reader(source, "{\"id\":\"rows:0-19\"}", "{\"max_batch_bytes\":1}") == NULL);
    plugin->source_close(source);
}

int main(int argc, char **argv) {
    struct milvusdm_doc doc = {0}, error = {0};
    static const char all[] = "{\"max_batch_bytes\":1000000}";
    snprintf(folder, sizeof(folder), "%s", argc == 2 ? argv[1] : ".");
    plugin = milvusdm_plugin_init_v1();
    CHECK(plugin->info(&doc, &error) == MILVUSDM_OK);
    CHECK(strstr(text_of(&doc), "\"x-positional\": true") != NULL);
    make("a.rec", false);
    reads("a.rec", OPTIONS("little"), all, 0, ROWS);
    reads("a.rec", OPTIONS("little"), "{\"first_row\":3,\"max_batch_bytes\":60}", 3, 2);
    reads("a.rec", OPTIONS("little"), "{\"max_batch_bytes\":1,\"max_batch_rows\":9}", 0, 1);
    reads("a.rec", OPTIONS("little"), "{\"max_batch_bytes\":9999,\"max_batch_rows\":9}", 0, 9);
    reads("a.rec", OPTIONS("little"), "{\"first_row\":99,\"max_batch_bytes\":60}", 20, 0);
    make("a.rec", true);
    reads("a.rec", OPTIONS("big"), all, 0, ROWS);
    refuses_options();
    bears_any_options();
    refuses_files();
    stops(OPTIONS("big"), "\"cancelled\"");
    stops("\"header\":3,\"stride\":21,\"vector\":{\"offset\":0,\"dim\":1},\"fields\":"
          "[{\"name\":\"b\",\"type\":\"bool\",\"offset\":11}]", "holds the byte 238");
    stops(OPTIONS("big"), "it was longer");
    printf("records: all checks passed\n");
    return 0;
}
