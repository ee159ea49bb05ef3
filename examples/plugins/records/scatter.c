/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes the values of one column out of records that lie in memory, in the machine's order of bytes:
 * the only loop over rows.
 */
#include "records.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "milvusdm runs on little-endian machines"
#endif

/* Copies one value of a size that the compiler knows out of each record. */
#define COPY(bytes)                                                                                \
    case bytes:                                                                                    \
        for (uint64_t row = 0; row < rows; row++) {                                                \
            memcpy(to + row * bytes, from + row * stride, bytes);                                  \
        }                                                                                          \
        break

static void copy(const unsigned char *from, uint64_t stride, uint64_t bytes, uint64_t rows,
                 unsigned char *to) {
    switch (bytes) {
        COPY(1);
        COPY(2);
        COPY(4);
        COPY(8);
    default:
        for (uint64_t row = 0; row < rows; row++) {
            memcpy(to + row * bytes, from + row * stride, bytes);
        }
    }
}

/* Turns the bytes of each number of a size round. */
#define SWAP(bits)                                                                                 \
    case bits / 8:                                                                                 \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            uint##bits##_t number;                                                                 \
            memcpy(&number, at + i * (bits / 8), bits / 8);                                        \
            number = __builtin_bswap##bits(number);                                                \
            memcpy(at + i * (bits / 8), &number, bits / 8);                                        \
        }                                                                                          \
        break

static void swap(unsigned char *at, uint32_t bytes, uint64_t count) {
    switch (bytes) {
        SWAP(16);
        SWAP(32);
        SWAP(64);
    }
}

/* Ids of fewer than 8 bytes become 64-bit ones of the same value. */
static void widen(const unsigned char *from, uint64_t stride, const struct type *type, bool turned,
                  uint64_t rows, unsigned char *to) {
    unsigned unused = 64 - 8 * type->bytes;
    bool is_signed = *type->name == 'i';
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t raw = 0, id;
        memcpy(&raw, from + row * stride, type->bytes);
        /* The value at the top of the word, shifted down with or without its sign. */
        raw = turned ? __builtin_bswap64(raw) : raw << unused;
        id = is_signed && raw >> 63 ? ~(~raw >> unused) : raw >> unused;
        memcpy(to + row * 8, &id, 8);
    }
}

/* Booleans become bits; a byte that is neither 0 nor 1 ends it. */
static uint64_t pack(const unsigned char *from, uint64_t stride, uint64_t rows, unsigned char *bits,
                     uint64_t first) {
    for (uint64_t row = 0; row < rows; row++) {
        unsigned char value = from[row * stride];
        uint64_t at = first + row;
        if (value > 1) return row;
        if (at % 8 == 0) bits[at / 8] = 0;
        bits[at / 8] |= (unsigned char)(value << (at % 8));
    }
    return rows;
}

uint64_t scatter(const struct layout *layout, const struct column *column,
                 const unsigned char *chunk, uint64_t rows, unsigned char *into, uint64_t first) {
    const struct type *type = column->type;
    const unsigned char *from = chunk + (column->offset - layout->part_offset);
    unsigned char *to = into + first * column_given_bytes(column);
    if (*type->format == 'b') return pack(from, layout->stride, rows, into, first);
    if (column->role == ID && type->bytes < 8) {
        widen(from, layout->stride, type, layout->is_big_endian, rows, to);
        return rows;
    }
    copy(from, layout->stride, column_bytes(column), rows, to);
    if (layout->is_big_endian) swap(to, type->bytes, rows * column->count);
    return rows;
}
