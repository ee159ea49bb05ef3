// SPDX-License-Identifier: Apache-2.0
//! `milvusdm_plugin.h` says the same as the table in Rust: layouts, names, order, signatures,
//! hashes, numbers, and the documents in its comments. It compiles as C11 and C++17.
#![allow(missing_docs)]

#[allow(dead_code)]
mod c;
mod c_documents;

use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};

use milvusdm_plugin_api::abi::c_data::FfiArray;
use milvusdm_plugin_api::abi::c_schema::FfiSchema;
use milvusdm_plugin_api::abi::plain::{Doc, END, FAILED, HostServices, OK, ServicesHead, Str};
use milvusdm_plugin_api::abi::table::{API_MAJOR, API_MINOR, PluginTable};
use milvusdm_plugin_api::{LogLevel, WriteAt};

const HEADER: &str = include_str!("../include/milvusdm_plugin.h");

/// A question in C, and the number that Rust gives.
type Claims = Vec<(String, u64)>;

/// Size, alignment and every member's place of a struct.
macro_rules! layout {
    ($claims:ident, $c:literal, $rust:ty { $($member:ident),+ }) => {
        $claims.push((format!("sizeof(struct {})", $c), size_of::<$rust>() as u64));
        $claims.push((format!("ALIGN(struct {})", $c), align_of::<$rust>() as u64));
        $($claims.push((
            format!("offsetof(struct {}, {})", $c, stringify!($member)),
            offset_of!($rust, $member) as u64,
        ));)+
    };
}

fn claims() -> Claims {
    let mut claims = Claims::new();
    layout!(
        claims,
        "ArrowSchema",
        FfiSchema {
            format,
            name,
            metadata,
            flags,
            n_children,
            children,
            dictionary,
            release,
            private_data
        }
    );
    layout!(
        claims,
        "ArrowArray",
        FfiArray {
            length,
            null_count,
            offset,
            n_buffers,
            n_children,
            buffers,
            children,
            dictionary,
            release,
            private_data
        }
    );
    layout!(claims, "milvusdm_str", Str { ptr, len });
    layout!(
        claims,
        "milvusdm_doc",
        Doc {
            ptr,
            len,
            capacity,
            release
        }
    );
    layout!(
        claims,
        "milvusdm_services_head",
        ServicesHead { size, major, minor }
    );
    layout!(
        claims,
        "milvusdm_host_services",
        HostServices {
            head,
            context,
            log,
            progress,
            is_cancelled,
            mask_secret
        }
    );
    layout!(claims, "milvusdm_write_at", WriteAt { split, row });
    layout!(
        claims,
        "milvusdm_plugin_table",
        PluginTable {
            size,
            api_major,
            api_minor,
            n_entries,
            entry_hashes,
            info,
            writer_close
        }
    );
    for (i, entry) in PluginTable::ENTRIES.iter().enumerate() {
        let place = offset_of!(PluginTable, info) + 8 * i;
        claims.push((
            format!("offsetof(struct milvusdm_plugin_table, {entry})"),
            place as u64,
        ));
        claims.push((
            format!("milvusdm_entry_hashes[{i}]"),
            PluginTable::ENTRY_HASHES[i],
        ));
    }
    let numbers = [
        ("MILVUSDM_OK", OK),
        ("MILVUSDM_END", END),
        ("MILVUSDM_FAILED", FAILED),
        ("MILVUSDM_LOG_ERROR", LogLevel::Error as u32),
        ("MILVUSDM_LOG_WARN", LogLevel::Warn as u32),
        ("MILVUSDM_LOG_INFO", LogLevel::Info as u32),
        ("MILVUSDM_LOG_DEBUG", LogLevel::Debug as u32),
        ("MILVUSDM_API_MAJOR", u32::from(API_MAJOR)),
        ("MILVUSDM_API_MINOR", u32::from(API_MINOR)),
        ("MILVUSDM_N_ENTRIES", PluginTable::ENTRIES.len() as u32),
        ("empty.n_entries", PluginTable::ENTRIES.len() as u32),
        ("empty.size", size_of::<PluginTable>() as u32),
        ("empty.api_major", u32::from(API_MAJOR)),
        ("empty.api_minor", u32::from(API_MINOR)),
        ("empty.entry_hashes == milvusdm_entry_hashes", 1),
    ];
    claims.extend(numbers.map(|(name, number)| (name.to_owned(), u64::from(number))));
    claims
}

/// A program that prints the answer to each question.
fn program(claims: &Claims, is_cxx: bool) -> String {
    let (align, table) = match is_cxx {
        true => ("alignof", "milvusdm_table_without_entries()"),
        false => ("_Alignof", "{MILVUSDM_TABLE_HEAD, .info = NULL}"),
    };
    let mut text = format!(
        "#include \"milvusdm_plugin.h\"\n#include <stdio.h>\n#define ALIGN {align}\n\
         MILVUSDM_PLUGIN_NOTE(\"layouts\", \"1.2.3\");\n\
         int main(void) {{\n    const struct milvusdm_plugin_table empty = {table};\n"
    );
    for (question, _) in claims {
        writeln!(
            text,
            "    printf(\"%llu\\n\", (unsigned long long)({question}));"
        )
        .unwrap();
    }
    text + "    return 0;\n}\n"
}

/// Each language, with the compilers that are there.
fn languages() -> [(&'static str, &'static str, Vec<&'static str>); 2] {
    [
        ("c", "-std=c11", c::compilers("gcc", "clang")),
        ("cpp", "-std=c++17", c::compilers("g++", "clang++")),
    ]
}

#[test]
fn sizes_offsets_hashes_and_numbers_are_those_of_rust() {
    let folder = tempfile::tempdir().unwrap();
    let claims = claims();
    for (ending, standard, compilers) in languages() {
        for compiler in compilers {
            let source = folder.path().join(format!("layouts.{ending}"));
            let binary = folder.path().join(compiler);
            std::fs::write(&source, program(&claims, ending == "cpp")).unwrap();
            c::compile(compiler, &[standard], &source, &binary);
            let printed = c::run(&binary, Vec::new());
            let answers: Vec<u64> = printed.lines().map(|l| l.parse().unwrap()).collect();
            assert_eq!(answers.len(), claims.len());
            let differ: Vec<String> = claims
                .iter()
                .zip(answers)
                .filter(|((_, wanted), found)| found != wanted)
                .map(|((question, wanted), found)| {
                    format!("{question}: {found:#018x}, wanted {wanted:#018x}")
                })
                .collect();
            assert!(differ.is_empty(), "{compiler}:\n{}", differ.join("\n"));
        }
    }
}

#[test]
fn each_header_compiles_alone_and_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut headers = 0;
    for entry in std::fs::read_dir(c::include()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        headers += 1;
        for (ending, standard, compilers) in languages() {
            let source = folder.path().join(format!("alone.{ending}"));
            let include = format!("#include \"{name}\"\n");
            std::fs::write(&source, include.repeat(2)).unwrap();
            for compiler in compilers {
                let arguments = [standard, "-Wshadow", "-c"];
                c::compile(
                    compiler,
                    &arguments,
                    &source,
                    &folder.path().join("alone.o"),
                );
            }
        }
    }
    assert!(headers >= 4, "{headers}");
}

/// The entries of the table in the header, each with the types of its arguments.
fn entries_in_c() -> Vec<(String, Vec<String>)> {
    let (_, table) = HEADER.split_once("struct milvusdm_plugin_table {").unwrap();
    let (table, _) = table.split_once("\n};").unwrap();
    let mut code = String::new();
    for part in table.split("/*") {
        code += part.split_once("*/").map_or(part, |(_, behind)| behind);
    }
    let entry = |text: &str| {
        let (name, arguments) = text.trim().strip_prefix("uint32_t (*")?.split_once(")(")?;
        let arguments = arguments.strip_suffix(')')?.split(',');
        Some((name.to_owned(), arguments.map(type_of).collect()))
    };
    code.split(';').filter_map(entry).collect()
}

/// The type of an argument in C, in Rust's words.
fn type_of(argument: &str) -> String {
    let words: Vec<&str> = argument.split_whitespace().collect();
    let text = words.join(" ");
    let name_at = text.rfind([' ', '*']).unwrap();
    let mut rest = text[..=name_at].trim_end();
    let mut stars = 0;
    while let Some(shorter) = rest.strip_suffix('*') {
        rest = shorter.trim_end();
        stars += 1;
    }
    let (is_const, rest) = rest
        .strip_prefix("const ")
        .map_or((false, rest), |rest| (true, rest));
    let name = match rest.strip_prefix("struct ").unwrap() {
        "milvusdm_doc" => "Doc",
        "milvusdm_str" => "Str",
        "milvusdm_services_head" => "ServicesHead",
        "milvusdm_write_at" => "WriteAt",
        "ArrowSchema" => "FfiSchema",
        "ArrowArray" => "FfiArray",
        "milvusdm_source" | "milvusdm_reader" | "milvusdm_sink" | "milvusdm_writer" => "Opaque",
        other => panic!("no such struct in the table: {other}"),
    };
    let star = if is_const { "*const " } else { "*mut " };
    star.repeat(stars) + name
}

/// The same of the table in Rust.
fn entries_in_rust() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../src/abi/table.rs");
    let (_, table) = source.split_once("\ntable! {").unwrap();
    let (table, _) = table.split_once("\n}").unwrap();
    let entry = |line: &str| {
        let (name, arguments) = line.trim().strip_suffix("),")?.split_once(": (")?;
        Some((
            name.to_owned(),
            arguments.split(", ").map(str::to_owned).collect(),
        ))
    };
    table
        .lines()
        .filter(|line| !line.contains("//"))
        .filter_map(entry)
        .collect()
}

#[test]
fn entries_have_the_order_and_signatures_of_rust() {
    let (in_c, in_rust) = (entries_in_c(), entries_in_rust());
    let names: Vec<&str> = in_rust.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, PluginTable::ENTRIES);
    for (c, rust) in in_c.iter().zip(&in_rust) {
        assert_eq!(c, rust);
    }
    assert_eq!(in_c.len(), in_rust.len());
}

#[test]
fn hashes_stand_beside_their_names() {
    let (_, list) = HEADER
        .split_once("milvusdm_entry_hashes[MILVUSDM_N_ENTRIES] = {")
        .unwrap();
    let (list, _) = list.split_once("};").unwrap();
    let names: Vec<&str> = list
        .lines()
        .filter_map(|line| Some(line.split_once("/* ")?.1.split_once(" */")?.0))
        .collect();
    assert_eq!(names, PluginTable::ENTRIES);
}
