// SPDX-License-Identifier: Apache-2.0
//! The feed of a decimal number: that of the integer or float that it equals, else its digits.

use super::scalar;

/// Integers below 2^64 in size are fed as such.
const INTEGER_END: u128 = 1 << 64;
/// Integers below it are floats without loss.
const EXACT_END: u128 = 1 << 53;

/// Writes the feed of `digits` × 10^-`scale`.
pub(super) fn write(digits: i128, scale: i32, out: &mut Vec<u8>) {
    let (mut digits, mut exponent) = (digits, -scale);
    if digits == 0 {
        return scalar::integer(0, out);
    }
    while digits % 10 == 0 {
        digits /= 10;
        exponent += 1;
    }
    if exponent >= 0
        && let Some(value) = 10i128
            .checked_pow(exponent.unsigned_abs())
            .and_then(|power| digits.checked_mul(power))
            .filter(|value| value.unsigned_abs() < INTEGER_END)
    {
        return scalar::integer(value, out);
    }
    match as_float(digits, exponent) {
        Some(value) => scalar::float(value, out),
        None => {
            out.push(b'D');
            let text = plain(digits, exponent);
            out.extend_from_slice(&(text.len() as u64).to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// The float that is equal to `digits` × 10^`exponent`, if there is one.
fn as_float(digits: i128, exponent: i32) -> Option<f64> {
    // digits × 5^exponent × 2^exponent; the twos are free.
    let twos = digits.trailing_zeros();
    let odd = digits >> twos;
    let power = 5i128.checked_pow(exponent.unsigned_abs())?;
    let odd = match exponent {
        0.. => odd.checked_mul(power)?,
        _ if odd % power == 0 => odd / power,
        _ => return None,
    };
    let exponent = exponent + i32::try_from(twos).ok()?;
    // Within ±165, so the power of two is a float without loss as well.
    (odd.unsigned_abs() < EXACT_END).then(|| odd as f64 * 2f64.powi(exponent))
}

/// All digits, without an exponent and without zeros at the end of a fraction.
fn plain(digits: i128, exponent: i32) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let digits = digits.unsigned_abs().to_string();
    let places = exponent.unsigned_abs() as usize;
    if exponent >= 0 {
        return format!("{sign}{digits}{}", "0".repeat(places));
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(digits: i128, scale: i32) -> Vec<u8> {
        let mut out = Vec::new();
        write(digits, scale, &mut out);
        out
    }

    fn float(value: f64) -> Vec<u8> {
        let mut out = Vec::new();
        scalar::float(value, &mut out);
        out
    }

    #[test]
    fn a_decimal_is_the_number_that_it_equals() {
        for (digits, scale, value) in [
            (0, 5, 0.0),
            (-700, 2, -7.0),
            (7, -2, 700.0),
            (25, 1, 2.5),
            (-125, 3, -0.125),
            (1, -30, f64::NAN),
            (1 << 70, 0, 2f64.powi(70)),
            (3 << 100, 0, 3.0 * 2f64.powi(100)),
            (5i128.pow(30), 30, 0.5f64.powi(30)),
            (1, -20, 1e20),
        ] {
            if value.is_nan() {
                assert_eq!(fed(digits, scale)[0], b'D', "1e30 is no float");
            } else {
                assert_eq!(fed(digits, scale), float(value), "{digits} {scale}");
            }
        }
    }

    #[test]
    fn other_decimals_are_their_digits() {
        for (digits, scale, text) in [
            (10, 2, "0.1"),
            (-12_345, 2, "-123.45"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (i128::MAX, 0, "170141183460469231731687303715884105727"),
            (11, -30, "11000000000000000000000000000000"),
        ] {
            let mut wanted = vec![b'D'];
            wanted.extend_from_slice(&(text.len() as u64).to_le_bytes());
            wanted.extend_from_slice(text.as_bytes());
            assert_eq!(fed(digits, scale), wanted, "{text}");
        }
        fed(i128::MIN, -38);
        fed(i128::MIN, 38);
    }
}
