// SPDX-License-Identifier: Apache-2.0
//! Batches and schemas that lie, from a plugin in C: each is refused by what is wrong with it,
//! and the target that stood before is as it was.

use crate::support::{Standing, sins};

/// Claims that each sin is a plugin failure which says all of that, and harms nothing.
#[track_caller]
fn each_is_refused(entry: &str, sins: &[(&str, &[&str])]) {
    let standing = Standing::new();
    for (sin, parts) in sins {
        let outcome = standing.bears(sin).exits(3);
        outcome
            .says(&["plugin: sins", &format!("entry: {entry}")])
            .says(parts);
    }
}

#[test]
fn the_plugin_without_a_sin_is_believed_and_frees_all_it_gave() {
    let standing = Standing::new();
    let task = standing.task("sins", true);
    let outcome = standing.run(&[sins()], &["run", &task]).run().exits(0);
    let outcome = outcome.prints(&["100 found = 100 written"]);
    assert!(!outcome.stderr.contains("not released"), "{outcome}");
    assert_eq!(standing.space.list("fresh"), ["b.h5"]);
}

#[test]
fn batches_whose_buffers_or_children_are_not_those_of_the_schema_are_refused() {
    each_is_refused(
        "reader_next",
        &[
            (
                "batch:too_few_buffers",
                &["column `id`: 1 buffers", "wanted 2 and 0 for Int64"],
            ),
            (
                "batch:too_many_buffers",
                &["column `id`: 3 buffers", "wanted 2 and 0"],
            ),
            (
                "batch:buffers_negative",
                &["column `note`: -1 buffers", "wanted 3 and 0 for Utf8"],
            ),
            (
                "batch:buffers_nowhere",
                &["column `id`: the list of buffers or children has no"],
            ),
            (
                "batch:buffers_misaligned_list",
                &["column `id`: the list of buffers"],
            ),
            (
                "batch:values_null",
                &["column `id`: 200 bytes of buffer 1 without an address"],
            ),
            (
                "batch:elements_null",
                &["column `vector`: its `item`: 200 bytes of buffer 1"],
            ),
            (
                "batch:offsets_null",
                &["column `note`: 104 bytes of buffer 1 without an address"],
            ),
            (
                "batch:children_too_few",
                &["batch: 1 buffers and 3 children, wanted 1 and 4"],
            ),
            (
                "batch:children_too_many",
                &["batch: 1 buffers and 5 children, wanted 1 and 4"],
            ),
            (
                "batch:children_of_a_list",
                &["column `tags`: 2 buffers and 0 children, wanted 2"],
            ),
            (
                "batch:children_nowhere",
                &["batch: the list of buffers or children has no usable"],
            ),
            (
                "batch:child_null",
                &["batch: child `id` is missing or released"],
            ),
            (
                "batch:child_misaligned",
                &["child `id` is missing or released"],
            ),
            (
                "batch:child_released",
                &["child `id` is missing or released"],
            ),
            (
                "batch:grandchild_null",
                &["column `vector`: child `item` is missing"],
            ),
            (
                "batch:dictionary",
                &["column `id`: dictionaries do not cross"],
            ),
            ("batch:released", &["a batch that is released already"]),
            ("reader_next:empty", &["a batch that is released already"]),
        ],
    );
}

#[test]
fn batches_with_lengths_or_offsets_that_can_not_be_are_refused() {
    each_is_refused(
        "reader_next",
        &[
            (
                "batch:length_negative",
                &["batch: length -1 or offset 0 is negative"],
            ),
            (
                "batch:length_huge",
                &["batch: length 1152921504606846976 + offset 0 pass 2^31-1"],
            ),
            (
                "batch:length_of_a_child_huge",
                &["`item`: length 1152921504606846976"],
            ),
            (
                "batch:length_of_a_child_negative",
                &["column `note`: length -9223372036854775808"],
            ),
            (
                "batch:longer_than_its_children",
                &["column `id`: 25 elements", "needs 26"],
            ),
            (
                "batch:child_too_short",
                &["`item`: 49 elements, its parent needs 50"],
            ),
            (
                "batch:children_unequal",
                &["column `note`: 20 elements, its parent needs 25"],
            ),
            (
                "batch:offset_negative",
                &["batch: length 25 or offset -5 is negative"],
            ),
            (
                "batch:offset_past_the_end",
                &["column `id`: 25 elements, its parent needs 50"],
            ),
            (
                "batch:offset_overflows",
                &["column `id`: length 25 + offset 9223372036854775807"],
            ),
            (
                "batch:offset_of_a_vector_past_the_end",
                &["`item`: 50 elements", "needs 52"],
            ),
        ],
    );
}

#[test]
fn batches_with_nulls_or_values_that_can_not_be_are_refused() {
    each_is_refused(
        "reader_next",
        &[
            (
                "batch:null_count_above_length",
                &["column `note`: null count 26 of 25 rows"],
            ),
            (
                "batch:null_count_below_minus_one",
                &["column `note`: null count -2"],
            ),
            (
                "batch:null_count_without_validity",
                &["3 nulls without a validity buffer"],
            ),
            (
                "batch:null_count_hides_nulls",
                &["column `id`: row 3 of the batch is null"],
            ),
            (
                "batch:id_null",
                &["column `id`: row 3 of the batch is null", "non-null"],
            ),
            ("batch:element_null", &["column `vector`", "contains nulls"]),
            (
                "batch:row_null",
                &["a batch whose rows are null as a whole"],
            ),
            (
                "batch:offsets_descend",
                &["column `note`: offset 2 of row 5", "before, 16"],
            ),
            (
                "batch:offsets_negative",
                &["column `note`: offset -4 of row 0"],
            ),
            (
                "batch:offsets_past_the_child",
                &["`item`: 50 elements, its parent needs 51"],
            ),
            ("batch:not_utf8", &["column `note` is invalid", "UTF8"]),
        ],
    );
}

#[test]
fn misaligned_buffers_are_no_sin() {
    let standing = Standing::new();
    let tasks = [standing.task("sins", true), standing.task("sins", false)];
    for (task, sin) in tasks.iter().zip(["batch:misaligned", ""]) {
        let run = standing.run(&[sins()], &["run", task]).env("SIN", sin);
        run.run().exits(0);
    }
    let read = |path| std::fs::read(path).expect("a target");
    let (skewed, straight) = (
        read(standing.space.path("fresh/b.h5")),
        read(standing.path()),
    );
    assert!(skewed == straight, "the values arrived");
}

#[test]
fn schemas_that_can_not_be_are_refused() {
    each_is_refused(
        "source_schema",
        &[
            (
                "source_schema:unfilled",
                &["released already, or was never filled in"],
            ),
            (
                "schema:child_null",
                &["a schema's child has no usable address"],
            ),
            (
                "schema:child_released",
                &["a schema that is released already"],
            ),
            ("schema:children_negative", &["a schema with -1 children"]),
            (
                "schema:children_huge",
                &["9223372036854775807 children", "at most 65536"],
            ),
            (
                "schema:children_nowhere",
                &["list of children has no usable address"],
            ),
            (
                "schema:dictionary",
                &["without a format, or with a dictionary"],
            ),
            ("schema:no_format", &["without a format"]),
            ("schema:unknown_format", &["an invalid schema", "\"?\""]),
            ("schema:name_not_utf8", &["a column's name is not UTF-8"]),
            ("schema:two_of_a_name", &["two columns are named `id`"]),
            (
                "schema:no_version",
                &["`milvusdm.version` is missing, wanted `1`"],
            ),
            ("schema:metadata_negative", &["a negative metadata length"]),
            (
                "schema:metadata_huge",
                &["more than 1 MiB of names and metadata"],
            ),
            (
                "schema:metadata_twice",
                &["metadata key `milvusdm.version` twice"],
            ),
            (
                "schema:+w:0",
                &["column `vector`", "size of 0, wanted 1 to 1048576"],
            ),
            (
                "schema:+w:-3",
                &["column `vector`", "size of -3, wanted 1 to 1048576"],
            ),
            ("schema:+w:abc", &["FixedSizeList", "integer"]),
            ("schema:+w:", &["FixedSizeList", "integer"]),
            (
                "schema:+w:3",
                &["column `vector`", "2 x f32", "found FixedSizeList(3"],
            ),
            ("schema:+w:99999999999", &["FixedSizeList"]),
            ("schema:+l", &["column `vector`", "found List"]),
        ],
    );
}
