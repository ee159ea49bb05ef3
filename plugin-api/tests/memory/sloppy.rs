// SPDX-License-Identifier: Apache-2.0
//! A plugin that neither describes itself nor looks at its options.

use milvusdm_plugin_api::model::Capabilities;
use milvusdm_plugin_api::{
    BatchReader, Dataset, Error, ErrorKind, ReadRequest, Result, Services, Sink, Source, Split,
    TargetRequest, TargetState, TargetWriter,
};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
#[allow(dead_code)]
pub struct Options {
    undocumented: Option<bool>,
}

pub struct Sloppy;

impl Source for Sloppy {
    type Options = Options;

    fn open(_: Options, _: Services) -> Result<Self> {
        Ok(Self)
    }

    fn datasets(&self) -> Result<Vec<Dataset>> {
        Ok(vec![])
    }

    fn splits(&self, _: &str) -> Result<Vec<Split>> {
        Ok(vec![])
    }

    fn read(&self, _: &str, _: &Split, _: &ReadRequest) -> Result<Box<dyn BatchReader>> {
        Err(Error::new(ErrorKind::Config, "no splits"))
    }
}

impl Sink for Sloppy {
    type Options = Options;

    fn open(_: Options, _: Services) -> Result<Self> {
        Ok(Self)
    }

    fn capabilities(&self) -> Result<Capabilities> {
        Ok(Capabilities::default())
    }

    fn check(&self, _: &[TargetRequest]) -> Result<Vec<TargetState>> {
        Ok(vec![])
    }

    fn prepare(&self, _: &TargetRequest) -> Result<Box<dyn TargetWriter>> {
        Err(Error::new(ErrorKind::Unsupported, "can't"))
    }
}

milvusdm_plugin_api::export_plugin! {
    name: "sloppy",
    summary: "two\nlines",
    docs: "Nothing of use.",
    source: Sloppy,
    sink: Sloppy,
}
