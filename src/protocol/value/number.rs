//! Numbers of any size, in the three forms that the wire has for them.

use std::fmt;
use std::str::FromStr;

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::Sign;
use bigdecimal::{FromPrimitive, ToPrimitive};

/// More digits than `go-cty`'s 512-bit numbers can hold by far, and few enough to be harmless.
const MAX_DIGITS: i64 = 10_000;

/// How many digits before the point a number may have that an integer or a double holds; negative for zeros
/// after it. To find out what few letters with a great exponent are would take more time than they are worth.
const FORMS: std::ops::RangeInclusive<i64> = -330..=310;

/// A number, always in the first of these forms that holds it exactly, as `go-cty` chooses them
/// when it encodes one. So numbers that are equal compare as equal.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A whole number of at most 64 bits.
    Int(i64),
    /// A number that a double holds exactly, or an infinity.
    Float(f64),
    /// Every other number, without trailing zeros.
    Big(Box<BigDecimal>),
}

/// Text that is not a number, or one with too many digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a number this provider can hold")]
pub struct NumberError(String);

impl Number {
    /// The number as a whole number, where it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether the number has no fraction; infinities have none either.
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Float(value) => value.is_infinite() || value.fract() == 0.0,
            Self::Big(value) => value.is_integer(),
        }
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Big(value) => value.to_f64().unwrap_or(f64::NAN),
        }
    }

    fn from_decimal(value: BigDecimal) -> Self {
        let value = value.normalized();
        let whole_digits = i64::try_from(value.digits())
            .unwrap_or(i64::MAX)
            .saturating_sub(value.as_bigint_and_scale().1);
        if !FORMS.contains(&whole_digits) {
            return Self::Big(Box::new(value));
        }
        if value.is_integer()
            && let Some(small) = value.to_i64()
        {
            return Self::Int(small);
        }
        match value.to_f64() {
            Some(double)
                if double.is_finite() && BigDecimal::from_f64(double).as_ref() == Some(&value) =>
            {
                Self::Float(double)
            }
            _ => Self::Big(Box::new(value)),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(small) => Self::Int(small),
            Err(_) => Self::from_decimal(BigDecimal::from(value)),
        }
    }
}

impl TryFrom<f64> for Number {
    type Error = NumberError;

    /// Refuses NaN, which Terraform's numbers do not have.
    fn try_from(value: f64) -> Result<Self, NumberError> {
        if value.is_infinite() {
            return Ok(Self::Float(value));
        }
        // Exact: a double is a sum of powers of two, each of which has a finite decimal.
        match BigDecimal::from_f64(value) {
            Some(decimal) => Ok(Self::from_decimal(decimal)),
            None => Err(NumberError(value.to_string())),
        }
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let refused = || NumberError(text.chars().take(40).collect());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(refused());
        }
        if text.contains('_') || text.len() > 2 * MAX_DIGITS as usize {
            return Err(refused());
        }
        let value = BigDecimal::from_str(text).map_err(|_| refused())?;
        let (digits, scale) = value.as_bigint_and_exponent();
        if digits.sign() == Sign::NoSign {
            return Ok(Self::Int(0));
        }
        if scale.saturating_abs() > 2 * MAX_DIGITS {
            return Err(refused());
        }
        // In plain digits, as it is printed, so that what was read can be read again.
        let value = value.normalized();
        let scale = value.as_bigint_and_scale().1;
        let whole = i64::try_from(value.digits()).unwrap_or(i64::MAX) - scale;
        if whole.max(1) + scale.max(0) > MAX_DIGITS {
            return Err(refused());
        }
        Ok(Self::from_decimal(value))
    }
}

impl fmt::Display for Number {
    /// Plain digits without an exponent, as `go-cty` writes what is not an integer or a double.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) if value.is_infinite() => value.fmt(f),
            Self::Float(value) => match BigDecimal::from_f64(*value) {
                Some(decimal) => f.write_str(&decimal.normalized().to_plain_string()),
                None => value.fmt(f),
            },
            Self::Big(value) => f.write_str(&value.to_plain_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn takes_the_first_form_that_is_exact() {
        let big = |text: &str| Number::Big(Box::new(BigDecimal::from_str(text).unwrap()));
        for (text, want) in [
            ("0", Number::Int(0)),
            ("-0", Number::Int(0)),
            ("42", Number::Int(42)),
            ("4.20e1", Number::Int(42)),
            ("-9223372036854775808", Number::Int(i64::MIN)),
            (
                "9223372036854775808",
                Number::Float(9_223_372_036_854_775_808.0),
            ),
            ("9223372036854775809", big("9223372036854775809")),
            ("0.5", Number::Float(0.5)),
            ("0.1", big("0.1")),
            ("0.10", big("0.1")),
        ] {
            assert_eq!(Number::from_str(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number_or_too_long() {
        for text in [
            "",
            "x",
            "-",
            "1_0",
            "+1",
            "NaN",
            "1e999999999",
            "1e-999999999",
            "1000e9223372036854775807",
            "21e9999",
            "1e-10000",
            ".5",
        ] {
            assert!(Number::from_str(text).is_err(), "{text}");
        }
        assert!(Number::try_from(f64::NAN).is_err());
    }

    #[test]
    fn prints_plain_digits_that_parse_back() {
        for text in [
            "0.1",
            "123456789012345678901234567890.5",
            "-7",
            "0.5",
            "1e40",
            "21e9998",
            "1e-9999",
        ] {
            let number = Number::from_str(text).unwrap();
            let printed = number.to_string();
            assert!(!printed.contains(['e', 'E']), "{printed}");
            assert_eq!(Number::from_str(&printed).unwrap(), number);
        }
    }
}
