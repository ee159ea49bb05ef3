// SPDX-License-Identifier: Apache-2.0
//! The helpers for authors in C read and write JSON as serde_json does, whatever they are given,
//! and free what they take: under the sanitizers, by gcc and clang, as C and as C++.
#![allow(missing_docs)]

mod c;

use std::path::{Path, PathBuf};

use milvusdm_plugin_api::{Error, ErrorKind};
use serde_json::Value;

/// Builds one of the programs in `tests/c` with every compiler; gives what it prints with each.
fn outputs(name: &str, languages: &[&str], input: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/c")
        .join(name);
    let mut printed = Vec::new();
    for language in languages {
        let (compilers, chosen): (_, &[&str]) = match *language {
            "c" => (c::compilers("gcc", "clang"), &["-std=c11"]),
            _ => (c::compilers("g++", "clang++"), &["-std=c++17", "-x", "c++"]),
        };
        for compiler in compilers {
            let program: PathBuf = folder.path().join(format!("{compiler}.out"));
            let mut arguments = chosen.to_vec();
            arguments.extend(c::sanitizers(folder.path(), compiler));
            c::compile(compiler, &arguments, &source, &program);
            printed.push(c::run(&program, input.to_vec()));
        }
    }
    printed
}

const SEEDS: &[&str] = &[
    r#"{"path":"/data/a.rec","header":16,"fields":[{"name":"x","type":"f64","offset":520}]}"#,
    r#"[0,-1,18446744073709551615,-9223372036854775808,18446744073709551616,1.5e-3,1E5,0.1,-0]"#,
    "[\"\",\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u00e4\\ud83d\\ude00\\u0041\",\"ä€😀\"]",
    r#" { "a" : { "a" : [ [ ] , { } , null , true , false ] } , "a" : 2 } "#,
    r#""text""#,
    "7",
    "[[[[[[[[1,[2,[3]]]]]]]]]]",
];

/// Documents that are wrong in one way each.
const WRONG: &[&str] = &[
    "",
    " ",
    "{",
    "}",
    "[",
    "]",
    "[1,]",
    "[,1]",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\":1 \"b\":2}",
    "[1 2]",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "tru",
    "nulll",
    "truefalse",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\ud800x\"",
    "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"\\ud83d\\ud83d\"",
    "\"\n\"",
    "\"\t\"",
    "1 1",
    "{} {}",
    "[1]]",
    "'a'",
    "/*x*/1",
    "\u{feff}1",
    "[\"a\":1]",
    "{\"a\",1}",
    "{1:2}",
];

/// Bytes that are no UTF-8, inside a text.
const NO_UTF8: &[&[u8]] = &[
    b"\"\x80\"",
    b"\"\xC0\xAF\"",
    b"\"\xC3\"",
    b"\"\xE0\x80\x80\"",
    b"\"\xED\xA0\x80\"",
    b"\"\xF4\x90\x80\x80\"",
    b"\"\xF8\x88\x80\x80\x80\"",
    b"\"\xE2\x82",
    b"\xFF",
    b"\"\xC3\\u0041\"",
];

/// A stream of numbers that is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

/// Documents, good ones and ones with up to four bytes changed, left out or doubled.
fn documents() -> Vec<Vec<u8>> {
    let texts = SEEDS
        .iter()
        .chain(WRONG)
        .map(|text| text.as_bytes().to_vec());
    let mut documents: Vec<Vec<u8>> = texts.chain(NO_UTF8.iter().map(|b| b.to_vec())).collect();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    const BYTES: &[u8] = b"{}[]\",:\\u0019eE+-.tfn d8\xC3\xA4\xF0\x80\0\n/";
    for _ in 0..20_000 {
        let mut document = SEEDS[numbers.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..=numbers.below(4) {
            let at = numbers.below(document.len());
            match numbers.below(4) {
                0 => document.insert(at, BYTES[numbers.below(BYTES.len())]),
                1 if !document.is_empty() => drop(document.remove(at)),
                2 => document.truncate(at),
                _ if !document.is_empty() => document[at] = BYTES[numbers.below(BYTES.len())],
                _ => {}
            }
        }
        documents.push(document);
    }
    documents
}

/// Whether two values are one, up to the last digit of a float.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Array(f), Value::Array(w)) => {
            f.len() == w.len() && f.iter().zip(w).all(|(f, w)| same(f, w))
        }
        (Value::Object(f), Value::Object(w)) => {
            f.len() == w.len() && f.iter().all(|(k, f)| w.get(k).is_some_and(|w| same(f, w)))
        }
        (Value::Number(f), Value::Number(w)) if f.is_f64() || w.is_f64() => {
            let (f, w) = (f.as_f64().unwrap(), w.as_f64().unwrap());
            (f - w).abs() <= f.abs() * 1e-15
        }
        (f, w) => f == w,
    }
}

/// Whether a text in it holds a NUL, which a text in C can't.
fn holds_nul(document: &[u8]) -> bool {
    document.windows(6).any(|part| part == b"\\u0000")
}

#[test]
fn json_is_read_and_refused_as_serde_json_does() {
    let documents: Vec<_> = documents().into_iter().filter(|d| !holds_nul(d)).collect();
    let mut input = Vec::new();
    for document in &documents {
        input.extend_from_slice(&(document.len() as u32).to_le_bytes());
        input.extend_from_slice(document);
    }
    let (mut good, mut bad) = (0, 0);
    for printed in outputs("echo.c", &["c"], &input) {
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), documents.len());
        for (line, document) in lines.iter().zip(&documents) {
            let shown = String::from_utf8_lossy(document);
            match serde_json::from_slice::<Value>(document) {
                Ok(wanted) => {
                    let found: Value = serde_json::from_str(line)
                        .unwrap_or_else(|e| panic!("{shown} became {line}: {e}"));
                    assert!(same(&found, &wanted), "{shown} became {line}");
                    good += 1;
                }
                // A number that no float holds is an error there, a matter of its reader here.
                Err(e) if e.to_string().contains("out of range") => {}
                Err(e) => {
                    assert_eq!(*line, "!", "{shown} was taken, serde_json says {e}");
                    bad += 1;
                }
            }
        }
    }
    assert!(
        good > 2000 && bad > 10_000,
        "{good} good, {bad} bad documents"
    );
}

#[test]
fn nesting_is_bounded_and_texts_with_a_nul_are_no_texts() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let deep = [
        nested(64),
        nested(65),
        nested(1_000_000),
        "[".repeat(5_000_000),
    ];
    let others = [
        "{\"a\\u0000b\":1}".to_owned(),
        "\"a\\u0000b\"".to_owned(),
        "[1e999,-1e999,1e-999]".to_owned(),
        format!("0.{}1", "0".repeat(100_000)),
        format!("[{}]", "9".repeat(300)),
    ];
    let mut input = Vec::new();
    for document in deep.iter().chain(&others) {
        input.extend_from_slice(&(document.len() as u32).to_le_bytes());
        input.extend_from_slice(document.as_bytes());
    }
    for printed in outputs("echo.c", &["c"], &input) {
        let lines: Vec<&str> = printed.lines().collect();
        let wanted = [
            &nested(64),
            "!",
            "!",
            "!",
            r#"{"(NUL)":1}"#,
            r#""(NUL)""#,
            r#"["too large","too large",0]"#,
            "0",
            "[1.0000000000000001e+300]",
        ];
        assert_eq!(lines, wanted);
    }
}

#[test]
fn errors_and_documents_stay_json_whatever_they_hold() {
    for printed in outputs("errors.c", &["c", "c++"], b"") {
        let lines: Vec<&str> = printed.lines().collect();
        let errors: Vec<Error> = lines[..6]
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")))
            .collect();
        let odd = "a\"\\\u{1}\u{7f}\nä\u{fffd}\u{fffd}\u{fffd}\u{fffd}😀\u{fffd}\u{fffd}";
        assert_eq!(errors[0].message(), format!("{odd}: 7"));
        assert_eq!(errors[0].context_value("file"), Some(odd));
        assert_eq!(errors[0].context_value("option"), Some(""));
        assert_eq!(
            errors[0].context_value("offset"),
            Some("18446744073709551615")
        );
        assert_eq!(errors[0].help_text(), Some("try again"));
        assert_eq!(errors[1].message().chars().count(), 1023);
        let kinds: Vec<ErrorKind> = errors.iter().map(Error::kind).collect();
        use ErrorKind as K;
        assert_eq!(
            kinds,
            [
                K::Format,
                K::Io,
                K::NotFound,
                K::Denied,
                K::Cancelled,
                K::Io
            ]
        );
        assert!(
            errors[2].cause_text().unwrap().contains("os error 2"),
            "{}",
            errors[2]
        );
        let list = r#"[-9223372036854775808,0.1,-1e300,null,"","a\u0000b",null,{},true]"#;
        let wanted: Value = serde_json::from_str(list).unwrap();
        assert!(
            same(&serde_json::from_str(lines[6]).unwrap(), &wanted),
            "{}",
            lines[6]
        );
    }
}

#[test]
fn schemas_and_batches_are_freed_whole_and_half_made() {
    outputs("arrow.c", &["c", "c++"], b"");
}
