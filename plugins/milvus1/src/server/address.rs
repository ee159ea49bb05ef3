// SPDX-License-Identifier: Apache-2.0
//! Where a server is.

use std::fmt;

use milvusdm_plugin_api::{Error, ErrorKind, Result};
use url::Url;

/// The port that Milvus 1.x listens on by default.
const PORT: u16 = 19530;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads `grpc://host:port`; `tcp://` (as pymilvus has it), `http://` or nothing in front do
    /// as well, and the port may be left out.
    ///
    /// # Errors
    /// `Config` for anything else: no path, no user, no TLS, which Milvus 1.x does not have.
    pub fn parse(uri: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(
                ErrorKind::Config,
                format!("{what}, wanted `grpc://host:port`"),
            )
            .with("option", "uri")
        };
        let text = uri.trim();
        // Under `http` the port 80 would not be told from none.
        let schemes = ["grpc://", "tcp://", "http://"];
        let place = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
        if let (None, Some((scheme, _))) = (place, text.split_once("://")) {
            return Err(wrong(format!("found the scheme `{scheme}`")));
        }
        let full = format!("grpc://{}", place.unwrap_or(text));
        let url = Url::parse(&full).map_err(|e| wrong(format!("the address is none ({e})")))?;
        let has_more = !matches!(url.path(), "" | "/")
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some();
        if has_more {
            return Err(wrong(
                "the address has more in it than host and port".to_owned(),
            ));
        }
        match url.host_str() {
            Some(host) if !host.is_empty() => Ok(Self {
                host: host.to_owned(),
                port: url.port().unwrap_or(PORT),
            }),
            _ => Err(wrong("the address has no host".to_owned())),
        }
    }

    /// The same for the HTTP/2 client.
    pub(super) fn http(&self) -> String {
        format!("http://{}:{}", self.host, self.port)
    }

    pub(super) fn wrong(&self, why: &str) -> Error {
        Error::new(ErrorKind::Config, format!("`{self}` is no address: {why}"))
            .with("option", "uri")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grpc://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings_are_read() {
        for (uri, wanted) in [
            ("grpc://db:19531", "grpc://db:19531"),
            ("tcp://127.0.0.1:1", "grpc://127.0.0.1:1"),
            ("http://db:80/", "grpc://db:80"),
            ("db", "grpc://db:19530"),
            ("db:7/", "grpc://db:7"),
            ("grpc://[::1]:7", "grpc://[::1]:7"),
        ] {
            assert_eq!(Address::parse(uri).unwrap().to_string(), wanted, "{uri}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for uri in [
            "",
            "https://db:1",
            "grpc://db:1/x",
            "grpc://u:p@db:1",
            "grpc://db:99999",
            "grpc://",
        ] {
            let error = Address::parse(uri).unwrap_err();
            assert_eq!(error.context_value("option"), Some("uri"), "{uri}");
        }
    }
}
