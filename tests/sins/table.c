/* SPDX-License-Identifier: Apache-2.0
 *
 * What the file shows before an entry is called: its note, its door, its table, its constructor.
 * SIN says what is wrong: `table:WHAT`, `constructor:WHAT`. Built with
 *   -DNOTE_NAME='"x"' or -DNOTE_VERSION='"x"' for another note, -DNO_NOTE for none,
 *   -DDOOR_IS_DATA, -DNO_DOOR or -DJUNK_ROOT_MODULE for other doors,
 *   -DCHATTY to print on stdout.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sins.h"

#ifndef NOTE_NAME
#define NOTE_NAME "sins"
#endif
#ifndef NOTE_VERSION
#define NOTE_VERSION "1.2.3"
#endif
#ifndef NO_NOTE
MILVUSDM_PLUGIN_NOTE(NOTE_NAME, NOTE_VERSION);
#endif

const char *sin_at(const char *place) {
    const char *sin = getenv("SIN");
    size_t length = strlen(place);
    if (sin == NULL || strncmp(sin, place, length) != 0 || sin[length] != ':')
        return NULL;
    return sin + length + 1;
}

bool sin_is(const char *place, const char *what) {
    const char *found = sin_at(place);
    return found != NULL && strcmp(found, what) == 0;
}

/* Runs while the system loads the file, and leaves a trace that it did. */
__attribute__((constructor)) static void constructor(void) {
    const char *trace = getenv("SINS_TRACE");
    FILE *file = trace != NULL ? fopen(trace, "a") : NULL;
    if (file != NULL) {
        fputs("loaded\n", file);
        fclose(file);
    }
    CHAT("here I am");
    if (sin_is("constructor", "crashes"))
        raise(SIGILL);
    if (sin_is("constructor", "exits"))
        exit(0);
    while (sin_is("constructor", "hangs"))
        pause();
}

__attribute__((destructor)) static void destructor(void) {
    while (sin_is("destructor", "hangs"))
        pause();
}

/* A table with room for one entry more than this version has. */
struct longer {
    struct milvusdm_plugin_table table;
    uint32_t (*more)(void);
};

static uint32_t more(void) { return MILVUSDM_OK; }

static uint64_t hashes[MILVUSDM_N_ENTRIES + 1];

static void spoil_hashes(const char *what, struct milvusdm_plugin_table *table) {
    if (!strcmp(what, "hashes_null"))
        table->entry_hashes = NULL;
    else if (!strcmp(what, "hashes_misaligned"))
        table->entry_hashes = (const uint64_t *)((const char *)hashes + 4);
    else if (!strcmp(what, "hashes_swapped"))
        hashes[8] = milvusdm_entry_hashes[9], hashes[9] = milvusdm_entry_hashes[8], hashes[20]++;
    else if (!strcmp(what, "hashes_changed"))
        for (int i = 5; i < MILVUSDM_N_ENTRIES; i++)
            hashes[i] ^= 1;
}

/* Entries begin behind the head, each of 8 bytes, in the order of the list in the header. */
static void forget_entry(const char *number, struct milvusdm_plugin_table *table) {
    memset((char *)table + 24 + 8 * (size_t)atoi(number), 0, 8);
}

static const struct milvusdm_plugin_table *spoil_table(const char *what, struct longer *longer) {
    static _Alignas(8) char elsewhere[sizeof(struct longer) + 8];
    struct milvusdm_plugin_table *table = &longer->table;
    if (!strcmp(what, "null"))
        return NULL;
    if (!strcmp(what, "misaligned"))
        return (const struct milvusdm_plugin_table *)(void *)(elsewhere + 4);
    if (!strcmp(what, "major_2"))
        table->api_major = 2;
    else if (!strcmp(what, "major_0"))
        table->api_major = 0;
    else if (!strcmp(what, "shorter"))
        table->n_entries--, table->size -= 8;
    else if (!strcmp(what, "size_too_small"))
        table->size -= 8;
    else if (!strcmp(what, "size_zero"))
        table->size = 0;
    else if (!strcmp(what, "size_huge"))
        table->size = SIZE_MAX;
    else if (!strcmp(what, "entries_huge"))
        table->n_entries = UINT32_MAX;
    else if (!strcmp(what, "longer"))
        table->api_minor = 1, table->n_entries++, table->size += 8;
    else if (!strncmp(what, "lacks_", 6))
        forget_entry(what + 6, table);
    else if (!strcmp(what, "door_exits"))
        exit(0);
    else
        spoil_hashes(what, table);
    return table;
}

#if defined(NO_DOOR) || defined(DOOR_IS_DATA)
#define DOOR another_door
MILVUSDM_EXPORT const struct milvusdm_plugin_table *another_door(void);
#else
#define DOOR milvusdm_plugin_init_v1
#endif

const struct milvusdm_plugin_table *DOOR(void) {
    static struct longer longer;
    longer.table = good_table;
    longer.table.entry_hashes = hashes;
    longer.more = more;
    memcpy(hashes, milvusdm_entry_hashes, sizeof milvusdm_entry_hashes);
    const char *what = sin_at("table");
    return what == NULL ? &longer.table : spoil_table(what, &longer);
}

#ifdef DOOR_IS_DATA
MILVUSDM_EXPORT extern const char data[64] __asm__("milvusdm_plugin_init_v1");
const char data[64] = "no code";
#endif

#ifdef JUNK_ROOT_MODULE
MILVUSDM_EXPORT extern const char junk[4096] __asm__("_1as_0lib_1header_0root_bmodule_bloader");
const char junk[4096] = "no root module";
#endif
