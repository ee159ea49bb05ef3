/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the options of a task into a layout, and refuses, by name, whatever does not fit. Nothing
 * behind this file checks an offset or a size again.
 */
#include "records.h"

#include <stdarg.h>
#include <stdio.h>

static const struct type types[] = {
    {"i8", "c", 1, FOR_ID | FOR_VECTOR | FOR_FIELD},
    {"u8", "C", 1, FOR_ID | FOR_VECTOR | FOR_FIELD},
    {"i16", "s", 2, FOR_ID | FOR_FIELD},
    {"u16", "S", 2, FOR_ID | FOR_FIELD},
    {"i32", "i", 4, FOR_ID | FOR_FIELD},
    {"u32", "I", 4, FOR_ID | FOR_FIELD},
    {"i64", "l", 8, FOR_ID | FOR_FIELD},
    {"u64", "L", 8, FOR_ID | FOR_FIELD},
    {"f16", "e", 2, FOR_VECTOR},
    {"f32", "f", 4, FOR_VECTOR | FOR_FIELD},
    {"f64", "g", 8, FOR_VECTOR | FOR_FIELD},
    {"bool", "b", 1, FOR_FIELD},
};

/* An object of the options, and how errors call it. */
struct place {
    struct milvusdm_json object;
    char name[48]; /* Empty for the options themselves, else "vector", "fields[3]". */
    struct milvusdm_doc *error;
};

/* Says what is wrong with an option; gives false. */
__attribute__((format(printf, 3, 4))) static bool wrong(const struct place *place,
                                                        const char *option, const char *format,
                                                        ...) {
    struct milvusdm_json_writer error;
    char message[256], name[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    snprintf(name, sizeof(name), "%s%s%.256s", place->name,
             *place->name != 0 && *option != 0 ? "." : "", option);
    milvusdm_error_begin(&error, "config", "%s", message);
    milvusdm_error_with(&error, "option", name);
    milvusdm_error_end(&error, NULL, place->error);
    return false;
}

static bool no_memory(const struct place *place) {
    milvusdm_no_memory(place->error);
    return false;
}

/* Refuses members that are not among the known ones, a NULL behind them. */
static bool only_known(const struct place *place, const char *const *known) {
    struct milvusdm_json step = {NULL, NULL}, key;
    if (milvusdm_json_kind(place->object) != '{') {
        return wrong(place, "", "found no mapping, wanted one");
    }
    while (milvusdm_json_next(place->object, &step, &key)) {
        const char *const *name = known;
        char *found;
        while (*name != NULL && !milvusdm_json_is(key, *name)) name++;
        if (*name != NULL) continue;
        found = milvusdm_json_copy(key);
        wrong(place, found == NULL ? "" : found, "unknown option `%.64s`",
              found == NULL ? "?" : found);
        free(found);
        return false;
    }
    return true;
}

static bool is_given(const struct place *place, const char *name) {
    char kind = milvusdm_json_kind(milvusdm_json_member(place->object, name));
    return kind != 0 && kind != 'n';
}

/* A whole number in a range; left as it is where the option is not given. */
static bool take_number(const struct place *place, const char *name, uint64_t least, uint64_t most,
                        uint64_t *out) {
    uint64_t found;
    if (!is_given(place, name)) return true;
    if (!milvusdm_json_u64(milvusdm_json_member(place->object, name), &found) || found < least ||
        found > most) {
        return wrong(place, name, "wanted a whole number from %llu to %llu",
                     (unsigned long long)least, (unsigned long long)most);
    }
    *out = found;
    return true;
}

/* A text of 1 to 255 bytes (a path may be longer); left NULL where the option is not given. */
static bool take_text(const struct place *place, const char *name, size_t most, char **out) {
    struct milvusdm_json value = milvusdm_json_member(place->object, name);
    if (!is_given(place, name)) return true;
    if (milvusdm_json_kind(value) != '"') return wrong(place, name, "wanted a text");
    *out = milvusdm_json_copy(value);
    if (*out == NULL) return wrong(place, name, "a NUL byte can't stand here");
    if (**out == 0 || strlen(*out) > most) {
        return wrong(place, name, "wanted a text of 1 to %zu bytes", most);
    }
    return true;
}

static bool need(const struct place *place, const char *name) {
    return is_given(place, name) || wrong(place, name, "missing option `%s`", name);
}

static bool take_type(const struct place *place, unsigned use, const struct type **out) {
    struct milvusdm_json value = milvusdm_json_member(place->object, "type");
    char known[96] = "";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if ((types[i].may_be & use) == 0) continue;
        if (milvusdm_json_is(value, types[i].name)) {
            *out = &types[i];
            return true;
        }
        snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", types[i].name);
    }
    if (is_given(place, "type") || *out == NULL) {
        return wrong(place, "type", "wanted one of:%s", known);
    }
    return true;
}

uint64_t column_bytes(const struct column *column) {
    return (uint64_t)column->type->bytes * column->count;
}

uint64_t column_given_bytes(const struct column *column) {
    return column->role == ID ? 8 : column_bytes(column);
}

const char *column_format(const struct column *column) {
    if (column->role != ID) return column->type->format;
    return *column->type->name == 'i' || column->type->bytes < 8 ? "l" : "L";
}

/* What every column says: name, type, offset. */
static bool take_column(const struct place *place, unsigned use, const char *name,
                        const struct layout *layout, struct column *out) {
    if (!need(place, "offset") || !take_number(place, "offset", 0, MAX_STRIDE, &out->offset) ||
        !take_type(place, use, &out->type) || !take_text(place, "name", 255, &out->name)) {
        return false;
    }
    if (out->name == NULL && name == NULL) return need(place, "name");
    if (out->name == NULL && (out->name = milvusdm_arrow_text(name)) == NULL) {
        return no_memory(place);
    }
    if (out->offset > layout->stride || column_bytes(out) > layout->stride - out->offset) {
        return wrong(place, "offset", "%llu bytes at offset %llu pass the stride of %llu",
                     (unsigned long long)column_bytes(out), (unsigned long long)out->offset,
                     (unsigned long long)layout->stride);
    }
    for (const struct column *other = layout->columns; other < out; other++) {
        if (strcmp(other->name, out->name) == 0) {
            return wrong(place, "name", "two columns are called `%s`", out->name);
        }
    }
    return true;
}

static bool take_id(struct place *place, struct layout *layout) {
    static const char *const known[] = {"name", "type", "offset", NULL};
    struct column *id = &layout->columns[layout->n_columns++];
    id->role = ID;
    id->count = 1;
    id->type = &types[6];
    return only_known(place, known) && take_column(place, FOR_ID, "id", layout, id);
}

static bool take_vector(struct place *place, struct layout *layout) {
    static const char *const known[] = {"name", "type", "offset", "dim", "metric", NULL};
    static const char *const metrics[] = {"l2", "ip", "cosine", "l1", "linf"};
    struct column *vector = &layout->columns[layout->n_columns++];
    uint64_t dim = 0;
    size_t i = 0;
    vector->role = VECTOR;
    vector->type = &types[9];
    if (!only_known(place, known) || !need(place, "dim") ||
        !take_number(place, "dim", 1, MAX_DIM, &dim)) {
        return false;
    }
    vector->count = (uint32_t)dim;
    if (!take_column(place, FOR_VECTOR, "vector", layout, vector) ||
        !take_text(place, "metric", 255, &vector->metric)) {
        return false;
    }
    while (vector->metric != NULL && i < 5 && strcmp(metrics[i], vector->metric) != 0) i++;
    return i < 5 || wrong(place, "metric", "wanted one of: l2 ip cosine l1 linf");
}

static bool take_field(struct place *place, struct layout *layout) {
    static const char *const known[] = {"name", "type", "offset", "role", NULL};
    struct milvusdm_json role = milvusdm_json_member(place->object, "role");
    struct column *field = &layout->columns[layout->n_columns++];
    field->role = SCALAR;
    field->count = 1;
    if (!only_known(place, known) || !take_column(place, FOR_FIELD, NULL, layout, field)) {
        return false;
    }
    field->is_partition_key = milvusdm_json_is(role, "partition_key");
    return field->is_partition_key || !is_given(place, "role") ||
           milvusdm_json_is(role, "scalar") ||
           wrong(place, "role", "wanted one of: scalar partition_key");
}

/* The id, the vector and the fields. */
static bool take_columns(const struct place *options, struct layout *layout) {
    struct milvusdm_json fields = milvusdm_json_member(options->object, "fields");
    struct milvusdm_json step = {NULL, NULL};
    size_t count = milvusdm_json_count(fields);
    struct place place = {{NULL, NULL}, "id", options->error};
    if (is_given(options, "fields") && milvusdm_json_kind(fields) != '[') {
        return wrong(options, "fields", "wanted a list");
    }
    if (count > MAX_COLUMNS) {
        return wrong(options, "fields", "%zu fields, at most %u are possible", count, MAX_COLUMNS);
    }
    layout->columns = calloc(count + 2, sizeof(struct column));
    if (layout->columns == NULL) return no_memory(options);
    place.object = milvusdm_json_member(options->object, "id");
    layout->has_id = is_given(options, "id");
    if (layout->has_id && !take_id(&place, layout)) return false;
    place.object = milvusdm_json_member(options->object, "vector");
    strcpy(place.name, "vector");
    if (!need(options, "vector") || !take_vector(&place, layout)) return false;
    for (size_t i = 0; milvusdm_json_next(fields, &step, NULL); i++) {
        place.object = step;
        snprintf(place.name, sizeof(place.name), "fields[%zu]", i);
        if (!take_field(&place, layout)) return false;
    }
    return true;
}

/* Hexadecimal digits, spaces between them allowed. */
static bool take_hex(const struct place *place, const char *hex, struct layout *layout) {
    size_t digits = 0;
    for (; *hex != 0; hex++) {
        const char *all = "0123456789abcdef0123456789ABCDEF", *found = strchr(all, *hex);
        if (*hex == ' ') continue;
        if (found == NULL || digits == 2 * (size_t)MAX_MAGIC) {
            return wrong(place, "magic_hex", "wanted 1 to %u bytes, each of two digits 0-9 a-f",
                         MAX_MAGIC);
        }
        layout->magic[digits / 2] =
            (unsigned char)(layout->magic[digits / 2] << 4 | ((found - all) & 15));
        digits++;
    }
    layout->magic_len = digits / 2;
    return (digits > 0 && digits % 2 == 0) ||
           wrong(place, "magic_hex", "%zu digits, wanted two for each byte", digits);
}

static bool take_magic(const struct place *place, struct layout *layout) {
    char *text = NULL;
    bool fits = true;
    if (is_given(place, "magic") && is_given(place, "magic_hex")) {
        return wrong(place, "magic_hex", "`magic` and `magic_hex` say the same, wanted one of them");
    }
    if (is_given(place, "magic")) {
        fits = take_text(place, "magic", MAX_MAGIC, &text);
        if (fits) memcpy(layout->magic, text, layout->magic_len = strlen(text));
    } else if (is_given(place, "magic_hex")) {
        fits = take_text(place, "magic_hex", 4 * MAX_MAGIC, &text) && take_hex(place, text, layout);
    }
    free(text);
    return fits;
}

/* The name of the file without folder and ending. */
static char *stem(const char *path) {
    const char *start = strrchr(path, '/'), *dot;
    char *name = milvusdm_arrow_text(start == NULL ? path : start + 1);
    dot = name == NULL ? NULL : strrchr(name, '.');
    if (dot != NULL && dot != name) name[dot - name] = 0;
    return name;
}

/* Measures the part of a record that columns lie in. */
static void measure(struct layout *layout) {
    uint64_t start = layout->stride, end = 0;
    for (size_t i = 0; i < layout->n_columns; i++) {
        const struct column *column = &layout->columns[i];
        if (column->offset < start) start = column->offset;
        if (column->offset + column_bytes(column) > end) end = column->offset + column_bytes(column);
    }
    layout->part_offset = start;
    layout->part_bytes = end - start;
}

static bool take_all(const struct place *place, struct layout *layout) {
    static const char *const known[] = {"path",   "collection", "magic", "magic_hex", "header",
                                        "endian", "stride",     "id",    "vector",    "fields", NULL};
    struct milvusdm_json endian = milvusdm_json_member(place->object, "endian");
    if (!only_known(place, known) || !need(place, "path") || !need(place, "stride") ||
        !take_text(place, "path", 4096, &layout->path) ||
        !take_text(place, "collection", 255, &layout->collection) || !take_magic(place, layout)) {
        return false;
    }
    if (layout->collection == NULL && (layout->collection = stem(layout->path)) == NULL) {
        return no_memory(place);
    }
    if (*layout->collection == 0) return wrong(place, "path", "wanted the path of a file");
    layout->header = layout->magic_len;
    if (!take_number(place, "header", 0, (uint64_t)1 << 62, &layout->header) ||
        !take_number(place, "stride", 1, MAX_STRIDE, &layout->stride)) {
        return false;
    }
    if (layout->header < layout->magic_len) {
        return wrong(place, "header", "%llu bytes, but the magic has %zu; it is part of the header",
                     (unsigned long long)layout->header, layout->magic_len);
    }
    layout->is_big_endian = milvusdm_json_is(endian, "big");
    if (is_given(place, "endian") && !layout->is_big_endian && !milvusdm_json_is(endian, "little")) {
        return wrong(place, "endian", "wanted one of: little big");
    }
    return take_columns(place, layout);
}

bool layout_read(struct milvusdm_str options, struct layout *out, struct milvusdm_doc *error) {
    struct place place = {{NULL, NULL}, "", error};
    memset(out, 0, sizeof(*out));
    if (!milvusdm_json_parse(options.ptr, options.len, &place.object)) {
        return wrong(&place, "", "the options are no JSON document of at most %d levels",
                     MILVUSDM_JSON_DEPTH);
    }
    if (take_all(&place, out)) {
        measure(out);
        return true;
    }
    layout_free(out);
    return false;
}

void layout_free(struct layout *layout) {
    for (size_t i = 0; i < layout->n_columns; i++) {
        free(layout->columns[i].name);
        free(layout->columns[i].metric);
    }
    free(layout->columns);
    free(layout->path);
    free(layout->collection);
    memset(layout, 0, sizeof(*layout));
}
