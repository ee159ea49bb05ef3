/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes schemas and batches through milvusdm_arrow.h and frees them, whole and half made, so that a
 * sanitizer sees what is left; and sizes that do not fit, which must be refused.
 */
#include "milvusdm_arrow.h"

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "arrow.c:%d: not so: %s\n", __LINE__, #claim);                         \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

int main(void) {
    struct ArrowSchema schema, half;
    struct ArrowArray batch, partial;
    int64_t *ids;
    float *vectors;
    int32_t pairs;
    static char long_text[300000];
    CHECK(milvusdm_schema_begin(&schema, 3) && milvusdm_schema_id(&schema, 0, "id", "l"));
    CHECK(milvusdm_schema_vector(&schema, 1, "vector", "f32", 4, "l2"));
    CHECK(milvusdm_schema_scalar(&schema, 2, "n", "g"));
    CHECK(milvusdm_schema_meta(schema.children[2], "milvusdm.description", ""));
    memcpy(&pairs, schema.children[1]->metadata, sizeof(pairs));
    CHECK(pairs == 5 && schema.n_children == 3 && strcmp(schema.format, "+s") == 0);
    memset(long_text, 'x', sizeof(long_text) - 1);
    CHECK(!milvusdm_schema_meta(&schema, "long", long_text));
    schema.release(&schema);
    CHECK(schema.release == NULL);
    CHECK(milvusdm_schema_begin(&half, 2) && milvusdm_schema_id(&half, 0, "id", "l"));
    half.release(&half);
    CHECK(!milvusdm_schema_begin(&half, SIZE_MAX / 16));
    milvusdm_schema_release(&half);

    CHECK(milvusdm_batch_begin(&batch, 3, 2));
    ids = (int64_t *)milvusdm_batch_values(&batch, 0, 24);
    vectors = (float *)milvusdm_batch_vectors(&batch, 1, 4, sizeof(float));
    CHECK(ids != NULL && vectors != NULL);
    CHECK((uintptr_t)ids % 64 == 0 && (uintptr_t)vectors % 64 == 0);
    ids[2] = 1, vectors[11] = 1;
    CHECK(batch.children[1]->length == 3 && batch.children[1]->children[0]->length == 12);
    CHECK(batch.children[1]->n_buffers == 1 && batch.children[1]->buffers[0] == NULL);
    batch.release(&batch);
    CHECK(batch.release == NULL);
    CHECK(milvusdm_batch_begin(&partial, 1 << 20, 2));
    CHECK(milvusdm_batch_vectors(&partial, 0, 4096, 4) == NULL);
    CHECK(milvusdm_batch_values(&partial, 1, UINT64_MAX) == NULL);
    milvusdm_array_release(&partial);
    CHECK(!milvusdm_batch_begin(&partial, -1, 2));
    milvusdm_array_release(&partial);
    CHECK(!milvusdm_batch_begin(&partial, (int64_t)1 << 31, 2));
    milvusdm_array_release(&partial);
    return 0;
}
