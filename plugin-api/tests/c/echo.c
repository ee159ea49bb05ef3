/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads documents from standard input, four bytes of length before each, and writes each again on a
 * line of its own through milvusdm_json.h: by its values, not by its text. What is refused becomes
 * `!`. Every document is put into memory of exactly its size, so that a sanitizer sees a read past
 * its end.
 */
#include <stdio.h>

#include "milvusdm_json.h"

static void echo(struct milvusdm_json_writer *w, struct milvusdm_json value);

static void echo_text(struct milvusdm_json_writer *w, struct milvusdm_json value) {
    char *text = milvusdm_json_copy(value);
    /* Only a text with a NUL can't be copied. */
    milvusdm_put_string(w, text == NULL ? "(NUL)" : text);
    if (text != NULL && !milvusdm_json_is(value, text)) milvusdm_put_raw(w, "differs");
    free(text);
}

static void echo_all(struct milvusdm_json_writer *w, struct milvusdm_json value, int is_object) {
    struct milvusdm_json step = {NULL, NULL}, key = {NULL, NULL};
    size_t count = 0;
    milvusdm_put_raw(w, is_object ? "{" : "[");
    while (milvusdm_json_next(value, &step, &key)) {
        struct milvusdm_json member = step;
        count++;
        if (is_object) {
            char *name = milvusdm_json_copy(key);
            /* By name, so that the last of repeated members counts. */
            if (name != NULL) member = milvusdm_json_member(value, name);
            free(name);
            echo_text(w, key);
            milvusdm_put_bytes(w, ":", 1);
        }
        echo(w, member);
    }
    if (count != milvusdm_json_count(value)) milvusdm_put_raw(w, "miscounted");
    milvusdm_put_raw(w, is_object ? "}" : "]");
}

static void echo(struct milvusdm_json_writer *w, struct milvusdm_json value) {
    uint64_t big;
    int64_t small;
    double real;
    int truth;
    switch (milvusdm_json_kind(value)) {
    case '{':
    case '[': echo_all(w, value, milvusdm_json_kind(value) == '{'); break;
    case '"': echo_text(w, value); break;
    case 'n': milvusdm_put_raw(w, "null"); break;
    case '0':
        if (milvusdm_json_u64(value, &big)) {
            milvusdm_put_u64(w, big);
        } else if (milvusdm_json_i64(value, &small)) {
            milvusdm_put_i64(w, small);
        } else if (milvusdm_json_double(value, &real)) {
            milvusdm_put_double(w, real);
        } else {
            milvusdm_put_raw(w, "\"too large\"");
        }
        break;
    default:
        if (milvusdm_json_bool(value, &truth)) milvusdm_put_bool(w, truth);
    }
}

int main(void) {
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        struct milvusdm_json_writer w = {0};
        struct milvusdm_doc doc = {0}, error = {0};
        struct milvusdm_json value;
        char *text = (char *)malloc(len == 0 ? 1 : len);
        if (text == NULL || fread(text, 1, len, stdin) != len) return 1;
        if (milvusdm_json_parse(text, len, &value)) {
            echo(&w, value);
        } else {
            milvusdm_put_raw(&w, "!");
        }
        free(text);
        if (milvusdm_put_doc(&w, &doc, &error) != MILVUSDM_OK) return 1;
        fwrite(doc.ptr, 1, doc.len, stdout);
        putchar('\n');
        doc.release(&doc);
    }
    return 0;
}
