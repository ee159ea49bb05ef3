/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns and batches, well made, and then spoilt as SIN says: `schema:WHAT`, `batch:WHAT`.
 *
 * Each is one block of memory. What was handed out and not released by the end is told on stderr.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sins.h"

static atomic_int live;

__attribute__((destructor)) static void tell_leaks(void) {
    int left = atomic_load(&live);
    if (left != 0)
        fprintf(stderr, "sins: %d structs were not released exactly once\n", left);
}

/* ---- Columns ---- */

struct columns {
    struct ArrowSchema fields[COLUMNS], item, tag;
    struct ArrowSchema *list[COLUMNS], *of_vector[1], *of_tags[1];
    char metadata[1024];
    size_t used;
};

static void keep(struct ArrowSchema *schema) { schema->release = NULL; }

static void release_columns(struct ArrowSchema *schema) {
    free(schema->private_data);
    schema->release = NULL;
    atomic_fetch_sub(&live, 1);
}

static void number(struct columns *columns, int32_t value) {
    memcpy(columns->metadata + columns->used, &value, 4);
    columns->used += 4;
}

/* Metadata of those pairs, as Arrow lays it out. */
static const char *pairs(struct columns *columns, int32_t count, const char *const *texts) {
    const char *start = columns->metadata + columns->used;
    number(columns, count);
    for (int32_t i = 0; i < 2 * count; i++) {
        number(columns, (int32_t)strlen(texts[i]));
        memcpy(columns->metadata + columns->used, texts[i], strlen(texts[i]));
        columns->used += strlen(texts[i]);
    }
    return start;
}

static void spoil_schema(struct columns *columns, struct ArrowSchema *out) {
    struct ArrowSchema *id = &columns->fields[0], *vector = &columns->fields[1];
    const char *what = sin_at("schema");
    if (what == NULL)
        return;
    if (what[0] == '+')
        vector->format = what; /* A format as it stands. */
    else if (!strcmp(what, "unknown_format"))
        id->format = "?";
    else if (!strcmp(what, "no_format"))
        id->format = NULL;
    else if (!strcmp(what, "name_not_utf8"))
        id->name = "\xff\xfe";
    else if (!strcmp(what, "two_of_a_name"))
        columns->fields[2].name = "id";
    else if (!strcmp(what, "child_null"))
        columns->list[0] = NULL;
    else if (!strcmp(what, "child_released"))
        id->release = NULL;
    else if (!strcmp(what, "children_negative"))
        out->n_children = -1;
    else if (!strcmp(what, "children_huge"))
        out->n_children = INT64_MAX;
    else if (!strcmp(what, "children_nowhere"))
        out->children = NULL;
    else if (!strcmp(what, "dictionary"))
        id->dictionary = &columns->item;
    else if (!strcmp(what, "no_version"))
        out->metadata = NULL;
    else if (!strcmp(what, "metadata_negative"))
        out->metadata = "\x01\x00\x00\x00\xff\xff\xff\xff";
    else if (!strcmp(what, "metadata_huge"))
        out->metadata = "\xff\xff\xff\x7f";
    else if (!strcmp(what, "metadata_twice")) {
        static const char *const twice[] = {"milvusdm.version", "1", "milvusdm.version", "1"};
        out->metadata = pairs(columns, 2, twice);
    }
}

void make_schema(struct ArrowSchema *out) {
    static const char *const formats[] = {"l", "+w:2", "u", "+l"};
    static const char *const names[] = {"id", "vector", "note", "tags"};
    static const char *const version[] = {"milvusdm.version", "1"};
    static const char *const id[] = {"milvusdm.role", "id"};
    static const char *const vector[] = {"milvusdm.role", "vector", "milvusdm.kind", "dense",
                                         "milvusdm.elem", "f32",    "milvusdm.dim",  "2"};
    if (sin_is("source_schema", "unfilled"))
        return;
    struct columns *columns = calloc(1, sizeof *columns);
    if (columns == NULL)
        abort();
    for (int i = 0; i < COLUMNS; i++) {
        columns->fields[i] = (struct ArrowSchema){
            .format = formats[i],
            .name = names[i],
            .flags = i < 2 ? 0 : ARROW_FLAG_NULLABLE,
            .release = keep,
        };
        columns->list[i] = &columns->fields[i];
    }
    columns->fields[0].metadata = pairs(columns, 1, id);
    columns->fields[1].metadata = pairs(columns, 4, vector);
    columns->item = (struct ArrowSchema){.format = "f", .name = "item", .release = keep};
    columns->tag = (struct ArrowSchema){.format = "l", .name = "item", .release = keep};
    columns->tag.flags = ARROW_FLAG_NULLABLE;
    columns->of_vector[0] = &columns->item;
    columns->of_tags[0] = &columns->tag;
    columns->fields[1].children = columns->of_vector;
    columns->fields[3].children = columns->of_tags;
    columns->fields[1].n_children = columns->fields[3].n_children = 1;
    *out = (struct ArrowSchema){
        .format = "+s",
        .name = "",
        .metadata = pairs(columns, 1, version),
        .n_children = COLUMNS,
        .children = columns->list,
        .release = release_columns,
        .private_data = columns,
    };
    atomic_fetch_add(&live, 1);
    spoil_schema(columns, out);
}

/* ---- Batches ---- */

enum node { ID, VECTOR, NOTE, TAGS, ITEM, TAG, NODES };

struct batch {
    struct ArrowArray node[NODES];
    struct ArrowArray *list[COLUMNS], *of_vector[1], *of_tags[1];
    const void *none[1], *buffers[NODES][3];
    int64_t ids[BATCH_ROWS + 1], tags[2 * BATCH_ROWS];
    float elements[DIM * BATCH_ROWS];
    int32_t note_offsets[BATCH_ROWS + 1], tag_offsets[BATCH_ROWS + 1];
    char notes[4 * BATCH_ROWS];
    uint8_t some_null[16];
};

static void keep_array(struct ArrowArray *array) { array->release = NULL; }

static void release_batch(struct ArrowArray *array) {
    free(array->private_data);
    array->release = NULL;
    atomic_fetch_sub(&live, 1);
}

static void fill(struct batch *batch, int64_t first) {
    static const int64_t lengths[] = {BATCH_ROWS, BATCH_ROWS,       BATCH_ROWS,
                                      BATCH_ROWS, DIM * BATCH_ROWS, 2 * BATCH_ROWS};
    static const int64_t counts[] = {2, 1, 3, 2, 2, 2};
    for (int i = 0; i < BATCH_ROWS; i++) {
        batch->ids[i] = first + i;
        batch->tags[2 * i] = batch->tags[2 * i + 1] = i;
        batch->elements[2 * i] = batch->elements[2 * i + 1] = (float)i;
        batch->note_offsets[i + 1] = 4 * (i + 1);
        batch->tag_offsets[i + 1] = 2 * (i + 1);
        memcpy(batch->notes + 4 * i, "note", 4);
    }
    memset(batch->some_null, 0xff, sizeof batch->some_null);
    batch->some_null[0] = 0xf7; /* The fourth. */
    for (int i = 0; i < NODES; i++)
        batch->node[i] = (struct ArrowArray){
            .length = lengths[i],
            .n_buffers = counts[i],
            .buffers = batch->buffers[i],
            .release = keep_array,
        };
    batch->buffers[ID][1] = batch->ids;
    batch->buffers[NOTE][1] = batch->note_offsets;
    batch->buffers[NOTE][2] = batch->notes;
    batch->buffers[TAGS][1] = batch->tag_offsets;
    batch->buffers[ITEM][1] = batch->elements;
    batch->buffers[TAG][1] = batch->tags;
    for (int i = 0; i < COLUMNS; i++)
        batch->list[i] = &batch->node[i];
    batch->of_vector[0] = &batch->node[ITEM];
    batch->of_tags[0] = &batch->node[TAG];
    batch->node[VECTOR].children = batch->of_vector;
    batch->node[TAGS].children = batch->of_tags;
    batch->node[VECTOR].n_children = batch->node[TAGS].n_children = 1;
}

/* Counts and addresses of buffers and children. */
static bool spoil_shape(const char *what, struct batch *batch, struct ArrowArray *out) {
    struct ArrowArray *node = batch->node;
    if (!strcmp(what, "too_few_buffers"))
        node[ID].n_buffers = 1;
    else if (!strcmp(what, "too_many_buffers"))
        node[ID].n_buffers = 3;
    else if (!strcmp(what, "buffers_negative"))
        node[NOTE].n_buffers = -1;
    else if (!strcmp(what, "buffers_nowhere"))
        node[ID].buffers = NULL;
    else if (!strcmp(what, "buffers_misaligned_list"))
        node[ID].buffers = (const void **)((char *)batch->buffers[ID] + 1);
    else if (!strcmp(what, "values_null"))
        batch->buffers[ID][1] = NULL;
    else if (!strcmp(what, "elements_null"))
        batch->buffers[ITEM][1] = NULL;
    else if (!strcmp(what, "offsets_null"))
        batch->buffers[NOTE][1] = NULL;
    else if (!strcmp(what, "children_too_few"))
        out->n_children = 3;
    else if (!strcmp(what, "children_too_many"))
        out->n_children = 5;
    else if (!strcmp(what, "children_of_a_list"))
        node[TAGS].n_children = 0;
    else if (!strcmp(what, "children_nowhere"))
        out->children = NULL;
    else if (!strcmp(what, "child_null"))
        batch->list[ID] = NULL;
    else if (!strcmp(what, "child_misaligned"))
        batch->list[ID] = (struct ArrowArray *)((char *)&node[ID] + 1);
    else if (!strcmp(what, "child_released"))
        node[ID].release = NULL;
    else if (!strcmp(what, "grandchild_null"))
        batch->of_vector[0] = NULL;
    else if (!strcmp(what, "dictionary"))
        node[ID].dictionary = &node[TAG];
    else
        return false;
    return true;
}

/* Lengths and offsets. */
static bool spoil_extent(const char *what, struct batch *batch, struct ArrowArray *out) {
    struct ArrowArray *node = batch->node;
    if (!strcmp(what, "length_negative"))
        out->length = -1;
    else if (!strcmp(what, "length_huge"))
        out->length = INT64_C(1) << 60;
    else if (!strcmp(what, "length_of_a_child_huge"))
        node[ITEM].length = INT64_C(1) << 60;
    else if (!strcmp(what, "length_of_a_child_negative"))
        node[NOTE].length = INT64_MIN;
    else if (!strcmp(what, "longer_than_its_children"))
        out->length = BATCH_ROWS + 1;
    else if (!strcmp(what, "child_too_short"))
        node[ITEM].length = DIM * BATCH_ROWS - 1;
    else if (!strcmp(what, "children_unequal"))
        node[NOTE].length = BATCH_ROWS - 5;
    else if (!strcmp(what, "offset_negative"))
        out->offset = -5;
    else if (!strcmp(what, "offset_past_the_end"))
        out->offset = BATCH_ROWS;
    else if (!strcmp(what, "offset_overflows"))
        node[ID].offset = INT64_MAX;
    else if (!strcmp(what, "offset_of_a_vector_past_the_end"))
        node[VECTOR].offset = 1;
    else
        return false;
    return true;
}

/* Nulls and values. */
static void spoil_values(const char *what, struct batch *batch, struct ArrowArray *out) {
    struct ArrowArray *node = batch->node;
    if (!strcmp(what, "null_count_above_length"))
        node[NOTE].null_count = BATCH_ROWS + 1;
    else if (!strcmp(what, "null_count_below_minus_one"))
        node[NOTE].null_count = -2;
    else if (!strcmp(what, "null_count_without_validity"))
        node[NOTE].null_count = 3;
    else if (!strcmp(what, "null_count_hides_nulls"))
        batch->buffers[ID][0] = batch->some_null; /* And null_count stays 0. */
    else if (!strcmp(what, "id_null"))
        batch->buffers[ID][0] = batch->some_null, node[ID].null_count = 1;
    else if (!strcmp(what, "element_null"))
        batch->buffers[ITEM][0] = batch->some_null, node[ITEM].null_count = -1;
    else if (!strcmp(what, "row_null"))
        batch->none[0] = batch->some_null, out->null_count = 1;
    else if (!strcmp(what, "offsets_descend"))
        batch->note_offsets[5] = 2;
    else if (!strcmp(what, "offsets_negative"))
        batch->note_offsets[0] = -4;
    else if (!strcmp(what, "offsets_past_the_child"))
        batch->tag_offsets[BATCH_ROWS] = 2 * BATCH_ROWS + 1;
    else if (!strcmp(what, "not_utf8"))
        batch->notes[6] = (char)0xff;
    else if (!strcmp(what, "misaligned")) {
        /* Allowed: the host copies. */
        memmove((char *)batch->ids + 1, batch->ids, sizeof(int64_t) * BATCH_ROWS);
        batch->buffers[ID][1] = (char *)batch->ids + 1;
    } else if (!strcmp(what, "released"))
        release_batch(out);
}

void make_batch(int64_t first, struct ArrowArray *out) {
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        abort();
    fill(batch, first);
    *out = (struct ArrowArray){
        .length = BATCH_ROWS,
        .n_buffers = 1,
        .n_children = COLUMNS,
        .buffers = batch->none,
        .children = batch->list,
        .release = release_batch,
        .private_data = batch,
    };
    atomic_fetch_add(&live, 1);
    const char *what = sin_at("batch");
    /* In the middle, so that rows are on their way already. */
    if (what == NULL || first != ROWS / 2)
        return;
    if (!spoil_shape(what, batch, out) && !spoil_extent(what, batch, out))
        spoil_values(what, batch, out);
}
