/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes what the helpers for documents and errors make of hostile texts, one document on a line.
 */
#include <stdio.h>

#include "milvusdm_json.h"

static void show(struct milvusdm_doc *doc) {
    fwrite(doc->ptr, 1, doc->len, stdout);
    putchar('\n');
    if (doc->release != NULL) doc->release(doc);
    memset(doc, 0, sizeof(*doc));
}

int main(void) {
    static const char odd[] = "a\"\\\x01\x7f\n\xC3\xA4\xFF\xED\xA0\x80\xF0\x9F\x98\x80\xF0\x9F";
    static char longest[5000];
    struct milvusdm_json_writer w;
    struct milvusdm_doc doc;
    memset(&doc, 0, sizeof(doc));
    milvusdm_error_begin(&w, "format", "%s: %d", odd, 7);
    milvusdm_error_with(&w, "file", odd);
    milvusdm_error_with(&w, "option", NULL);
    milvusdm_error_at(&w, "offset", UINT64_MAX);
    if (milvusdm_error_end(&w, "try again", &doc) != MILVUSDM_FAILED) return 1;
    show(&doc);
    /* A message that is cut in the middle of a character stays UTF-8. */
    memset(longest, 'x', sizeof(longest) - 1);
    memcpy(longest + 1022, "\xC3\xA4", 2);
    milvusdm_error_begin(&w, "io", "%s", longest);
    milvusdm_error_end(&w, NULL, &doc);
    show(&doc);
    milvusdm_error_io("open the file", "a.rec", ENOENT, &doc);
    show(&doc);
    milvusdm_error_io("open the file", "a.rec", EACCES, &doc);
    show(&doc);
    milvusdm_error_cancelled(&doc);
    show(&doc);
    milvusdm_no_memory(&doc);
    show(&doc);
    memset(&w, 0, sizeof(w));
    milvusdm_put_raw(&w, "[");
    milvusdm_put_i64(&w, INT64_MIN);
    milvusdm_put_double(&w, 0.1);
    milvusdm_put_double(&w, -1e300);
    milvusdm_put_double(&w, NAN);
    milvusdm_put_text(&w, NULL, 0);
    milvusdm_put_text(&w, "a\0b", 3);
    milvusdm_put_string(&w, NULL);
    milvusdm_put_raw(&w, "{");
    milvusdm_put_raw(&w, "}");
    milvusdm_put_bool(&w, 1);
    milvusdm_put_raw(&w, "]");
    milvusdm_put_doc(&w, &doc, &doc);
    show(&doc);
    return 0;
}
