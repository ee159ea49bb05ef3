/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin in C that does one thing wrong, the one that the environment variable SIN names as
 * PLACE:WHAT. Without it the plugin keeps the contract.
 */
#ifndef SINS_H
#define SINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "milvusdm_plugin.h"

enum { ROWS = 100, BATCH_ROWS = 25, DIM = 2, COLUMNS = 4 };

#ifdef CHATTY
#define CHAT(text) (puts("sins: " text), fflush(stdout))
#else
#define CHAT(text) ((void)0)
#endif

/* Whether the sin is PLACE:WHAT. */
bool sin_is(const char *place, const char *what);

/* What goes wrong at that place; NULL if nothing. */
const char *sin_at(const char *place);

/* The columns of the source. */
void make_schema(struct ArrowSchema *out);

/* BATCH_ROWS rows from that one on. */
void make_batch(int64_t first, struct ArrowArray *out);

/* The table as it should be. */
extern const struct milvusdm_plugin_table good_table;

#endif /* SINS_H */
