/* SPDX-License-Identifier: Apache-2.0
 *
 * milvusdm_json.h: reads the JSON documents of milvusdm_plugin.h, so that a plugin in C or C++ needs
 * no JSON library. Functions are static inline; nothing has to be linked.
 *
 * No tree is kept. milvusdm_json_parse() checks a whole document once (grammar, UTF-8, nesting
 * of at most 64) and gives its value, which points into the text; members and elements are found by
 * walking it. Values live as long as the text. Everything stays inside its bounds whatever a value
 * points to, so that a question to the wrong value gives "no", never a wrong read.
 *
 *     struct milvusdm_json options, path;
 *     if (!milvusdm_json_parse(text.ptr, text.len, &options)) return bad();
 *     path = milvusdm_json_member(options, "path");
 *     char *name = milvusdm_json_copy(path);        NULL if it is no text; free() it
 *
 * milvusdm_json_write.h, which comes with it, is the other half.
 */
#ifndef MILVUSDM_JSON_H
#define MILVUSDM_JSON_H

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "milvusdm_plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Deepest nesting that is read. */
#define MILVUSDM_JSON_DEPTH 64

/* A value inside a text that milvusdm_json_parse() checked; without a value `at` is NULL. */
struct milvusdm_json {
    const char *at;  /* First character of the value. */
    const char *end; /* End of the text. */
};

/* What a value is: its letter is '{' '[' '"' 't' 'f' 'n', '0' for numbers, and 0 if it is absent. */
static inline char milvusdm_json_kind(struct milvusdm_json value) {
    if (value.at == NULL || value.at >= value.end) return 0;
    return *value.at == '-' || (*value.at >= '0' && *value.at <= '9') ? '0' : *value.at;
}

/* ---- Scanning: each function gives the first character behind what it read, NULL if the text is
 * not what it should be. ---------------------------------------------------------------------- */

static inline const char *milvusdm_json_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
    return p;
}

static inline const char *milvusdm_json_word(const char *p, const char *end, const char *word) {
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

static inline const char *milvusdm_json_digits(const char *p, const char *end) {
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p == start ? NULL : p;
}

static inline const char *milvusdm_json_number(const char *p, const char *end) {
    if (p < end && *p == '-') p++;
    if (p < end && *p == '0') {
        p++;
    } else {
        p = milvusdm_json_digits(p, end);
        if (p == NULL) return NULL;
    }
    if (p < end && *p == '.') {
        p = milvusdm_json_digits(p + 1, end);
        if (p == NULL) return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        p = milvusdm_json_digits(p, end);
    }
    return p;
}

/* Length of the UTF-8 character at p: 1 to 4, 0 if there is none. */
static inline size_t milvusdm_utf8(const char *p, const char *end) {
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p), len, i;
    if (left == 0) return 0;
    if (s[0] < 0x80) return 1;
    len = s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (len == 0 || len > left) return 0;
    for (i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
    }
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) {
        return 0; /* Longer than needed, a surrogate, or beyond U+10FFFF. */
    }
    return len;
}

/* Four hexadecimal digits; -1 if there are none. */
static inline int32_t milvusdm_json_hex4(const char *p, const char *end) {
    int32_t code = 0;
    int i;
    if (end - p < 4) return -1;
    for (i = 0; i < 4; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) return -1;
        code = code * 16 + digit;
    }
    return code;
}

static inline size_t milvusdm_utf8_of(uint32_t code, char out[4]) {
    static const unsigned char first[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4, i;
    for (i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(first[len] | code);
    return len;
}

/* Reads one character of a text, escaped or not, into `out`, and its length into *len. At the
 * closing quote *len is 0. */
static inline const char *milvusdm_json_char(const char *p, const char *end, char out[4],
                                             size_t *len) {
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found;
    int32_t code, low;
    *len = 0;
    if (p >= end || (unsigned char)*p < 0x20) return NULL;
    if (*p == '"') return p + 1;
    if (*p != '\\') {
        *len = milvusdm_utf8(p, end);
        memcpy(out, p, *len);
        return *len == 0 ? NULL : p + *len;
    }
    if (++p >= end) return NULL;
    if (*p != 'u') {
        found = *p == 0 ? NULL : strchr(plain, *p);
        if (found == NULL) return NULL;
        out[0] = meant[found - plain];
        *len = 1;
        return p + 1;
    }
    code = milvusdm_json_hex4(++p, end);
    if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) return NULL;
    p += 4;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return NULL;
        low = milvusdm_json_hex4(p + 2, end);
        if (low < 0xDC00 || low > 0xDFFF) return NULL;
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
        p += 6;
    }
    *len = milvusdm_utf8_of((uint32_t)code, out);
    return p;
}

/* From the opening quote to behind the closing one. */
static inline const char *milvusdm_json_string(const char *p, const char *end) {
    char one[4];
    size_t len = 1;
    if (p >= end || *p != '"') return NULL;
    p++;
    while (p != NULL && len > 0) p = milvusdm_json_char(p, end, one, &len);
    return p;
}

/* The end of any value, checked. */
static inline const char *milvusdm_json_value(const char *p, const char *end, int depth) {
    char close;
    if (p >= end || depth > MILVUSDM_JSON_DEPTH) return NULL;
    switch (*p) {
    case '"': return milvusdm_json_string(p, end);
    case 't': return milvusdm_json_word(p, end, "true");
    case 'f': return milvusdm_json_word(p, end, "false");
    case 'n': return milvusdm_json_word(p, end, "null");
    case '{':
    case '[': close = *p == '{' ? '}' : ']'; break;
    default: return milvusdm_json_number(p, end);
    }
    p = milvusdm_json_space(p + 1, end);
    if (p < end && *p == close) return p + 1;
    for (;;) {
        if (close == '}') {
            p = milvusdm_json_string(p, end);
            if (p == NULL) return NULL;
            p = milvusdm_json_space(p, end);
            if (p >= end || *p != ':') return NULL;
            p = milvusdm_json_space(p + 1, end);
        }
        p = milvusdm_json_value(p, end, depth + 1);
        if (p == NULL) return NULL;
        p = milvusdm_json_space(p, end);
        if (p >= end || (*p != close && *p != ',')) return NULL;
        if (*p == close) return p + 1;
        p = milvusdm_json_space(p + 1, end);
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

/* Checks a document and gives its value; 0 if it is not one valid JSON value, or nested deeper than
 * MILVUSDM_JSON_DEPTH. Repeated members are not refused: the last one counts. */
static inline int milvusdm_json_parse(const char *text, size_t len, struct milvusdm_json *out) {
    const char *end, *behind;
    out->at = out->end = NULL;
    if (text == NULL || len == 0) return 0;
    end = text + len;
    text = milvusdm_json_space(text, end);
    behind = milvusdm_json_value(text, end, 0);
    if (behind == NULL || milvusdm_json_space(behind, end) != end) return 0;
    out->at = text;
    out->end = end;
    return 1;
}

/* Steps through the members of an object or the elements of a list. Start with *step of
 * {NULL, NULL}; 0 at the end. `key` (may be NULL) gets the member's name, a text. */
static inline int milvusdm_json_next(struct milvusdm_json of, struct milvusdm_json *step,
                                     struct milvusdm_json *key) {
    char kind = milvusdm_json_kind(of);
    const char *p;
    if (kind != '{' && kind != '[') return 0;
    p = step->at == NULL ? of.at + 1 : milvusdm_json_value(step->at, of.end, 0);
    if (p == NULL) return 0;
    p = milvusdm_json_space(p, of.end);
    if (p >= of.end || *p == '}' || *p == ']') return 0;
    if (*p == ',') p = milvusdm_json_space(p + 1, of.end);
    if (kind == '{') {
        if (key != NULL) key->at = p, key->end = of.end;
        p = milvusdm_json_string(p, of.end);
        if (p == NULL) return 0;
        p = milvusdm_json_space(p, of.end);
        if (p >= of.end || *p != ':') return 0;
        p = milvusdm_json_space(p + 1, of.end);
    }
    step->at = p;
    step->end = of.end;
    return p < of.end;
}

/* Whether a value is this text, escapes resolved. */
static inline int milvusdm_json_is(struct milvusdm_json value, const char *text) {
    const char *p;
    char one[4];
    size_t len;
    if (milvusdm_json_kind(value) != '"') return 0;
    for (p = value.at + 1;;) {
        p = milvusdm_json_char(p, value.end, one, &len);
        if (p == NULL) return 0;
        if (len == 0) return *text == 0;
        if (one[0] == 0 || strncmp(text, one, len) != 0) return 0;
        text += len;
    }
}

/* The member of that name; without a value if `of` is no object or has none. */
static inline struct milvusdm_json milvusdm_json_member(struct milvusdm_json of, const char *name) {
    struct milvusdm_json found = {NULL, NULL}, step = {NULL, NULL}, key = {NULL, NULL};
    if (milvusdm_json_kind(of) != '{') return found;
    while (milvusdm_json_next(of, &step, &key)) {
        if (milvusdm_json_is(key, name)) found = step;
    }
    return found;
}

/* Elements of a list or members of an object; 0 for anything else. */
static inline size_t milvusdm_json_count(struct milvusdm_json of) {
    struct milvusdm_json step = {NULL, NULL};
    size_t count = 0;
    while (milvusdm_json_next(of, &step, NULL)) count++;
    return count;
}

/* A text's bytes, escapes resolved, NUL-terminated: free() them. NULL if it is no text, holds a NUL
 * itself, or there is no memory. */
static inline char *milvusdm_json_copy(struct milvusdm_json value) {
    const char *p, *close;
    char *copy, *to, one[4];
    size_t len;
    if (milvusdm_json_kind(value) != '"') return NULL;
    close = milvusdm_json_string(value.at, value.end);
    if (close == NULL) return NULL;
    /* An escape is never shorter than what it stands for. */
    copy = (char *)malloc((size_t)(close - value.at));
    if (copy == NULL) return NULL;
    for (p = value.at + 1, to = copy;; to += len) {
        p = milvusdm_json_char(p, value.end, one, &len);
        if (p == NULL || len == 0) break;
        if (one[0] == 0) {
            free(copy);
            return NULL;
        }
        memcpy(to, one, len);
    }
    *to = 0;
    return copy;
}

/* An integer from 0 to 2^64-1, written without fraction or exponent; 0 if it is none. */
static inline int milvusdm_json_u64(struct milvusdm_json value, uint64_t *out) {
    const char *p = value.at, *behind;
    uint64_t sum = 0;
    if (milvusdm_json_kind(value) != '0' || *p == '-') return 0;
    behind = milvusdm_json_number(p, value.end);
    for (; behind != NULL && p < behind; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10) return 0;
        sum = sum * 10 + digit;
    }
    *out = sum;
    return behind != NULL;
}

/* An integer from -2^63 to 2^63-1, likewise. */
static inline int milvusdm_json_i64(struct milvusdm_json value, int64_t *out) {
    uint64_t size, most = INT64_MAX;
    int negative = milvusdm_json_kind(value) == '0' && *value.at == '-';
    if (negative) value.at++, most++;
    if (!milvusdm_json_u64(value, &size) || size > most) return 0;
    *out = !negative ? (int64_t)size : size == 0 ? 0 : -(int64_t)(size - 1) - 1;
    return 1;
}

/* Any number as a double; 0 if it is none, or too large for one. */
static inline int milvusdm_json_double(struct milvusdm_json value, double *out) {
    const char *behind, *point = localeconv()->decimal_point, *p;
    char small[64], *text = small, *to, *stop;
    size_t len;
    if (milvusdm_json_kind(value) != '0') return 0;
    behind = milvusdm_json_number(value.at, value.end);
    if (behind == NULL) return 0;
    /* strtod wants a NUL behind the number and the locale's point inside it. */
    len = (size_t)(behind - value.at) + strlen(point) + 1;
    if (len > sizeof(small)) text = (char *)malloc(len);
    if (text == NULL) return 0;
    for (p = value.at, to = text; p < behind; p++) {
        if (*p != '.') {
            *to++ = *p;
        } else {
            memcpy(to, point, strlen(point));
            to += strlen(point);
        }
    }
    *to = 0;
    *out = strtod(text, &stop);
    len = (size_t)(to - stop);
    if (text != small) free(text);
    return len == 0 && isfinite(*out);
}

/* true or false; 0 if it is neither. */
static inline int milvusdm_json_bool(struct milvusdm_json value, int *out) {
    char kind = milvusdm_json_kind(value);
    *out = kind == 't';
    return kind == 't' || kind == 'f';
}

#ifdef __cplusplus
}
#endif

#include "milvusdm_json_write.h"

#endif /* MILVUSDM_JSON_H */
