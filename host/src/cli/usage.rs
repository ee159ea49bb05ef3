// SPDX-License-Identifier: Apache-2.0
//! Help, version, and what is wrong with a command line.
//!
//! Clap lays its errors out for people. Programs asked for something else, and must get it though
//! the arguments that say so could not be parsed: a log line with `--log-format json`, a document
//! with `--json`.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind as Wrong};
use milvusdm_plugin_api::{Error, ErrorKind};

use super::args::{LogFormat, OutputOptions};
use super::session::Session;
use super::{errors, logs};
use crate::failure::{DONE, Failure, REFUSED};
use crate::plugin_options::PluginOptions;
use crate::program::typed;

/// Shows it; gives the exit code.
pub(super) fn show(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if !error.use_stderr() {
        // Nobody can be told that the stream is gone.
        let _ = error.print();
        return DONE;
    }
    let session = session(arguments);
    let failure = Failure {
        error: in_words(error),
        exit: REFUSED,
    };
    match session.output.log_format {
        LogFormat::Text => {
            let _ = error.print();
        }
        LogFormat::Json => {
            logs::start(&session, false);
            errors::show(&session, "", &failure.error, failure.exit);
        }
    }
    if session.output.json {
        let body = session.json(&errors::document(&failure));
        return session.print(super::Answer::new(body, failure.exit));
    }
    failure.exit
}

/// A session for what comes before the command line is understood.
pub(super) fn session(arguments: &[OsString]) -> Session {
    let output = OutputOptions {
        json: is_given(arguments, "--json"),
        log_format: if wants_json_lines(arguments) {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
        ..OutputOptions::default()
    };
    Session::new(output, PluginOptions::default())
}

/// Everything behind `--` is no option.
fn options(arguments: &[OsString]) -> impl Iterator<Item = &OsStr> {
    let words = arguments.iter().skip(1).map(OsString::as_os_str);
    words.take_while(|word| *word != "--")
}

fn is_given(arguments: &[OsString], option: &str) -> bool {
    options(arguments).any(|word| word == option)
}

fn wants_json_lines(arguments: &[OsString]) -> bool {
    let values = options(arguments).skip(1);
    let apart = options(arguments)
        .zip(values)
        .any(|(option, value)| option == "--log-format" && value == "json");
    apart || is_given(arguments, "--log-format=json")
}

/// Clap's error as one of ours: its first paragraph in one line, its tips as help.
fn in_words(error: &clap::Error) -> Error {
    let message = if error.kind() == Wrong::DisplayHelpOnMissingArgumentOrSubcommand {
        // Its text is the help itself.
        "wanted a command".to_owned()
    } else {
        let text = error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = first.split_whitespace().collect();
        words.join(" ").trim_start_matches("error: ").to_owned()
    };
    let nearest = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ]
    .into_iter()
    .find_map(|kind| suggestion(error.get(kind)?));
    let shows = format!("{} shows what can be typed", typed("--help"));
    let help = match nearest {
        Some(near) => format!("did you mean `{near}`? {shows}"),
        None => shows,
    };
    Error::new(ErrorKind::Config, format!("the command line: {message}")).help(help)
}

fn suggestion(value: &ContextValue) -> Option<&str> {
    match value {
        ContextValue::String(one) => Some(one),
        ContextValue::Strings(several) => several.first().map(String::as_str),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::take;
    use super::*;
    use crate::program::Program;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn refused(line: &str) -> Error {
        in_words(&take(Program::HOST, words(line)).expect_err(line))
    }

    #[test]
    fn what_programs_ask_for_is_seen_in_arguments_that_do_not_parse() {
        for (line, json, lines) in [
            ("milvusdm frob --json --log-format json", true, true),
            ("milvusdm --log-format=json frob", false, true),
            (
                "milvusdm frob --log-format text -- --json --log-format=json",
                false,
                false,
            ),
            ("milvusdm frob json --log-format", false, false),
        ] {
            let session = session(&words(line));
            assert_eq!(session.output.json, json, "{line}");
            assert_eq!(
                session.output.log_format == LogFormat::Json,
                lines,
                "{line}"
            );
        }
    }

    #[test]
    fn an_error_of_clap_is_one_sentence_with_its_tip() {
        let error = refused("milvusdm inspct faiss:a");
        assert_eq!(
            error.message(),
            "the command line: unrecognized subcommand 'inspct'"
        );
        assert_eq!(
            error.help_text(),
            Some("did you mean `inspect`? `milvusdm --help` shows what can be typed")
        );
        let error = refused("milvusdm run");
        assert_eq!(
            error.message(),
            "the command line: the following required arguments were not provided: <TASK.yaml>"
        );
        assert_eq!(
            refused("milvusdm").message(),
            "the command line: wanted a command"
        );
    }
}
