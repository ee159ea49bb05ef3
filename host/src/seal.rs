// SPDX-License-Identifier: Apache-2.0
//! Seals a JSON document, so that a change of it is noticed: a member holds the SHA-256 of
//! everything else in it. It keeps out mistakes, not people who seal it anew.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The member that seals a document.
const DIGEST: &str = "sha256";

/// Why a document is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// It has no digest.
    Unsealed,
    /// It was altered.
    Altered {
        /// The digest of what is there.
        found: String,
        /// The digest that it has.
        said: String,
    },
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsealed => write!(f, "it has no `{DIGEST}`"),
            Self::Altered { found, said } => {
                write!(f, "it was altered: its digest is {found}, it says {said}")
            }
        }
    }
}

/// Adds the digest of everything else.
pub fn seal(members: &mut Map<String, Value>) {
    members.remove(DIGEST);
    let digest = digest(members);
    members.insert(DIGEST.to_owned(), digest.into());
}

/// Takes the digest out, if it is that of everything else.
///
/// # Errors
/// What is wrong with it.
pub fn unseal(members: &mut Map<String, Value>) -> Result<(), Broken> {
    let Some(Value::String(said)) = members.remove(DIGEST) else {
        return Err(Broken::Unsealed);
    };
    let found = digest(members);
    match found == said {
        true => Ok(()),
        false => Err(Broken::Altered { found, said }),
    }
}

fn digest(members: &Map<String, Value>) -> String {
    let text = serde_json::to_string(members).unwrap_or_default();
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_sealed_document_is_the_same_when_it_is_read_again() {
        // Numbers that a careless reader gets wrong in their last digit.
        for seconds in [
            3.300_000_000_000_000_3,
            12_345.678_901_234_567,
            1e-7,
            0.1 + 0.2,
        ] {
            let mut members = read("{\"a\": [1, \"x\"]}");
            members.insert("seconds".to_owned(), seconds.into());
            let plain = members.clone();
            seal(&mut members);
            let mut again = read(&format!("{:#}", Value::Object(members)));
            assert_eq!(unseal(&mut again), Ok(()));
            assert_eq!(again, plain);
        }
    }

    #[test]
    fn what_was_altered_is_told() {
        let mut members = read("{\"rows\": 7}");
        seal(&mut members);
        members.insert("rows".to_owned(), 8.into());
        assert!(matches!(unseal(&mut members), Err(Broken::Altered { .. })));
        assert_eq!(unseal(&mut members), Err(Broken::Unsealed));
    }
}
