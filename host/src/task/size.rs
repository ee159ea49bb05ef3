// SPDX-License-Identifier: Apache-2.0
//! Sizes as people write them: `256MiB`, `1GB`, `268435456`.

/// The size in bytes of `text`: a whole number, alone or with a unit.
///
/// `kB MB GB TB` are powers of 1000, `KiB MiB GiB TiB` powers of 1024; capitals do not matter.
/// `256M` is refused, because tools differ in what it means.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    const WANTED: &str = "a whole number of bytes or a size such as `256MiB` or `1GB`";
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("wanted {WANTED}"));
    }
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "k" | "m" | "g" | "t" => {
            return Err(format!(
                "wanted {WANTED}; write the unit out (`MiB` or `MB`)"
            ));
        }
        _ => return Err(format!("wanted {WANTED}")),
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| "wanted a size below 16 EiB".to_owned())
}

/// `bytes` in the largest unit that divides it.
pub(super) fn show_bytes(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        assert_eq!(parse_bytes("256MiB"), Ok(256 << 20));
        assert_eq!(parse_bytes("1GB"), Ok(1_000_000_000));
        assert_eq!(parse_bytes(" 2 gib "), Ok(2 << 30));
        assert_eq!(parse_bytes("16777216"), Ok(16 << 20));
        assert_eq!(parse_bytes("7b"), Ok(7));
    }

    #[test]
    fn refuses_what_is_no_size() {
        for text in [
            "",
            "MiB",
            "-1",
            "1.5GiB",
            "256M",
            "1 ZiB",
            "99999999999999999999",
            "20000000TiB",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
        assert!(parse_bytes("256M").unwrap_err().contains("`MiB` or `MB`"));
    }

    #[test]
    fn shows_what_was_meant() {
        assert_eq!(show_bytes(256 << 20), "256MiB");
        assert_eq!(show_bytes(1_000_000_000), "1000000000 bytes");
    }
}
