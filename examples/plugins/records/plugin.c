/* SPDX-License-Identifier: Apache-2.0
 *
 * What the plugin is called and offers: its note, its table, its page.
 */
#include "records.h"

/* Made from docs.md and options.json by the Makefile. */
static const char docs[] =
#include "docs.md.inc"
    ;
static const char options[] =
#include "options.json.inc"
    ;

MILVUSDM_PLUGIN_NOTE(RECORDS_NAME, RECORDS_VERSION);

static uint32_t records_info(struct milvusdm_doc *out, struct milvusdm_doc *error) {
    struct milvusdm_json_writer w = {0};
    milvusdm_put_raw(&w, "{");
    milvusdm_put_key(&w, "name");
    milvusdm_put_string(&w, RECORDS_NAME);
    milvusdm_put_key(&w, "version");
    milvusdm_put_string(&w, RECORDS_VERSION);
    milvusdm_put_key(&w, "summary");
    milvusdm_put_string(&w, "reads files of fixed-size records, declared in the task");
    milvusdm_put_key(&w, "docs");
    milvusdm_put_string(&w, docs);
    milvusdm_put_key(&w, "source_options");
    milvusdm_put_raw(&w, options);
    milvusdm_put_raw(&w, "}");
    return milvusdm_put_doc(&w, out, error);
}

static const struct milvusdm_plugin_table table = {
    MILVUSDM_TABLE_HEAD,
    .info = records_info,
    .source_open = records_open,
    .source_datasets = records_datasets,
    .source_schema = records_schema,
    .source_splits = records_splits,
    .source_inspect = records_inspect,
    .source_read = records_read,
    .source_close = records_close,
    .reader_next = records_next,
    .reader_account = records_account,
    .reader_close = records_reader_close,
};

const struct milvusdm_plugin_table *milvusdm_plugin_init_v1(void) { return &table; }
