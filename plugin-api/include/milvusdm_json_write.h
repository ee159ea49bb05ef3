/* SPDX-License-Identifier: Apache-2.0
 *
 * milvusdm_json_write.h: makes the JSON documents of milvusdm_plugin.h, errors among them.
 *
 * Writing fills a buffer that grows. Commas come by themselves. A failed allocation is remembered,
 * and told once at the end.
 *
 *     struct milvusdm_json_writer w = {0};
 *     milvusdm_put_raw(&w, "{");
 *     milvusdm_put_key(&w, "rows");
 *     milvusdm_put_u64(&w, 7);
 *     milvusdm_put_raw(&w, "}");
 *     return milvusdm_put_doc(&w, out, error);      MILVUSDM_OK or MILVUSDM_FAILED
 *
 * Failing, in one expression per step:
 *
 *     struct milvusdm_json_writer e;
 *     milvusdm_error_begin(&e, "format", "record 7 ends after 3 bytes, wanted 16");
 *     milvusdm_error_with(&e, "file", path);
 *     return milvusdm_error_end(&e, "copy the file again", error);
 */
#ifndef MILVUSDM_JSON_WRITE_H
#define MILVUSDM_JSON_WRITE_H

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "milvusdm_json.h"
#include "milvusdm_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Writing -------------------------------------------------------------------------------- */

/* A document in the making; begin with all zero. */
struct milvusdm_json_writer {
    char *text;
    size_t len;
    size_t capacity;
    int failed; /* There was no memory; what follows is not written. */
};

/* Appends bytes as they are, without a comma. */
static inline void milvusdm_put_bytes(struct milvusdm_json_writer *w, const char *bytes,
                                      size_t len) {
    if (w->failed || len == 0) return;
    if (len > w->capacity - w->len) {
        size_t wanted = w->capacity == 0 ? 256 : w->capacity;
        char *grown;
        while (wanted - w->len < len && wanted <= SIZE_MAX / 4) wanted *= 2;
        grown = wanted - w->len < len ? NULL : (char *)realloc(w->text, wanted);
        if (grown == NULL) {
            w->failed = 1;
            return;
        }
        w->text = grown;
        w->capacity = wanted;
    }
    memcpy(w->text + w->len, bytes, len);
    w->len += len;
}

/* Appends a comma where the next key or value needs one. */
static inline void milvusdm_put_comma(struct milvusdm_json_writer *w) {
    if (w->len > 0 && strchr("{[:,", w->text[w->len - 1]) == NULL) milvusdm_put_bytes(w, ",", 1);
}

/* Appends JSON as it stands: "{", "]", "null", "[]", a whole value. */
static inline void milvusdm_put_raw(struct milvusdm_json_writer *w, const char *json) {
    if (*json != '}' && *json != ']') milvusdm_put_comma(w);
    milvusdm_put_bytes(w, json, strlen(json));
}

/* Appends a text, escaped; bytes that are not UTF-8 become U+FFFD. */
static inline void milvusdm_put_text(struct milvusdm_json_writer *w, const char *text, size_t len) {
    static const char hex[] = "0123456789abcdef";
    const char *end, *plain = text;
    char escape[6] = {'\\', 'u', '0', '0', 0, 0};
    milvusdm_put_comma(w);
    milvusdm_put_bytes(w, "\"", 1);
    for (end = len == 0 ? text : text + len; text < end;) {
        unsigned char c = (unsigned char)*text;
        size_t one = milvusdm_utf8(text, end);
        if (c >= 0x20 && c != '"' && c != '\\' && one > 0) {
            text += one;
            continue;
        }
        milvusdm_put_bytes(w, plain, (size_t)(text - plain));
        plain = ++text;
        if (one == 0) {
            milvusdm_put_bytes(w, "\xEF\xBF\xBD", 3);
        } else if (c >= 0x20) {
            milvusdm_put_bytes(w, c == '"' ? "\\\"" : "\\\\", 2);
        } else {
            escape[4] = hex[c >> 4];
            escape[5] = hex[c & 15];
            milvusdm_put_bytes(w, escape, 6);
        }
    }
    milvusdm_put_bytes(w, plain, (size_t)(text - plain));
    milvusdm_put_bytes(w, "\"", 1);
}

/* The same for a NUL-terminated text; NULL becomes null. */
static inline void milvusdm_put_string(struct milvusdm_json_writer *w, const char *text) {
    if (text == NULL) {
        milvusdm_put_raw(w, "null");
    } else {
        milvusdm_put_text(w, text, strlen(text));
    }
}

/* Appends a member's name; its value comes next. */
static inline void milvusdm_put_key(struct milvusdm_json_writer *w, const char *name) {
    milvusdm_put_string(w, name);
    milvusdm_put_bytes(w, ":", 1);
}

static inline void milvusdm_put_u64(struct milvusdm_json_writer *w, uint64_t number) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    milvusdm_put_raw(w, text);
}

static inline void milvusdm_put_i64(struct milvusdm_json_writer *w, int64_t number) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    milvusdm_put_raw(w, text);
}

/* Appends a number that reads back as the same one; NaN and infinities become null. */
static inline void milvusdm_put_double(struct milvusdm_json_writer *w, double number) {
    char text[64], *p, *to = text;
    snprintf(text, sizeof(text), "%.17g", number);
    /* Whatever the locale has between the digits, in one byte or several, is the point. */
    for (p = text; *p != 0; p++) {
        if (strchr("0123456789+-e", *p) != NULL) {
            *to++ = *p;
        } else if (to > text && to[-1] != '.') {
            *to++ = '.';
        }
    }
    *to = 0;
    milvusdm_put_raw(w, isfinite(number) ? text : "null");
}

static inline void milvusdm_put_bool(struct milvusdm_json_writer *w, int truth) {
    milvusdm_put_raw(w, truth ? "true" : "false");
}

static inline void milvusdm_json_release(struct milvusdm_doc *doc) {
    free(doc->ptr);
    doc->ptr = NULL;
}

/* Says that there was no memory, without taking any. */
static inline uint32_t milvusdm_no_memory(struct milvusdm_doc *error) {
    static char text[] = "{\"kind\":\"io\",\"message\":\"the plugin could not get memory\"}";
    error->ptr = text;
    error->len = sizeof(text) - 1;
    return MILVUSDM_FAILED;
}

/* Hands the document over and gives MILVUSDM_OK; without memory, MILVUSDM_FAILED with an error. */
static inline uint32_t milvusdm_put_doc(struct milvusdm_json_writer *w, struct milvusdm_doc *out,
                                        struct milvusdm_doc *error) {
    if (w->failed) {
        free(w->text);
        return milvusdm_no_memory(error);
    }
    out->ptr = w->text;
    out->len = w->len;
    out->capacity = w->capacity;
    out->release = milvusdm_json_release;
    return MILVUSDM_OK;
}

/* ---- Failing -------------------------------------------------------------------------------- */

/* Begins an Error of that kind; the message is made as by printf. */
__attribute__((format(printf, 3, 4))) static inline void
milvusdm_error_begin(struct milvusdm_json_writer *w, const char *kind, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0) message[0] = 0;
    va_end(arguments);
    memset(w, 0, sizeof(*w));
    milvusdm_put_raw(w, "{");
    milvusdm_put_key(w, "kind");
    milvusdm_put_string(w, kind);
    milvusdm_put_key(w, "message");
    milvusdm_put_string(w, message);
    milvusdm_put_key(w, "context");
    milvusdm_put_raw(w, "[");
}

/* Adds where it happened: a file, an option. */
static inline void milvusdm_error_with(struct milvusdm_json_writer *w, const char *key,
                                       const char *value) {
    milvusdm_put_raw(w, "[");
    milvusdm_put_string(w, key);
    milvusdm_put_string(w, value == NULL ? "" : value);
    milvusdm_put_raw(w, "]");
}

/* The same with a number: a row, an offset. */
static inline void milvusdm_error_at(struct milvusdm_json_writer *w, const char *key,
                                     uint64_t value) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    milvusdm_error_with(w, key, text);
}

/* Ends the error, with what to do next (may be NULL), and gives MILVUSDM_FAILED. */
static inline uint32_t milvusdm_error_end(struct milvusdm_json_writer *w, const char *help,
                                          struct milvusdm_doc *error) {
    milvusdm_put_raw(w, "]");
    if (help != NULL) {
        milvusdm_put_key(w, "help");
        milvusdm_put_string(w, help);
    }
    milvusdm_put_raw(w, "}");
    milvusdm_put_doc(w, error, error);
    return MILVUSDM_FAILED;
}

/* An operating-system failure (errno) while doing something to a file. */
static inline uint32_t milvusdm_error_io(const char *doing, const char *file, int code,
                                         struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    char cause[128];
    const char *kind = code == ENOENT || code == ENOTDIR                    ? "not_found"
                       : code == EACCES || code == EPERM || code == EROFS   ? "denied"
                       : code == EEXIST                                     ? "exists"
                                                                            : "io";
    milvusdm_error_begin(&w, kind, "%s", doing);
    milvusdm_error_with(&w, "file", file);
    snprintf(cause, sizeof(cause), "%s (os error %d)", strerror(code), code);
    milvusdm_put_raw(&w, "]");
    milvusdm_put_key(&w, "cause");
    milvusdm_put_string(&w, cause);
    milvusdm_put_raw(&w, "}");
    milvusdm_put_doc(&w, error, error);
    return MILVUSDM_FAILED;
}

/* For calls that last: fails with kind `cancelled`. */
static inline uint32_t milvusdm_error_cancelled(struct milvusdm_doc *error) {
    struct milvusdm_json_writer w;
    milvusdm_error_begin(&w, "cancelled", "stopped on request");
    return milvusdm_error_end(&w, NULL, error);
}

#ifdef __cplusplus
}
#endif

#endif /* MILVUSDM_JSON_WRITE_H */
