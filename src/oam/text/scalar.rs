//! What a scalar means, by the core schema of YAML 1.2
//! (<https://yaml.org/spec/1.2.2/#103-core-schema>).

use granit_parser::Tag;
use serde_json::{Number, Value};

/// Why a node cannot be used: summary and detail.
pub(super) type Refusal = (String, String);

/// The value of a scalar. Only a plain one, which has no quotes and is no block, can be other than
/// text.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, Refusal> {
    let kind = tag.map(core).transpose()?;
    match kind {
        None if plain => untagged(text),
        None | Some("!" | "str") => Ok(Value::String(text.to_owned())),
        Some(kind) if plain => tagged(kind, text),
        Some(kind) => Err(does_not_fit(kind)),
    }
}

/// Checks the tag of a list (`seq`) or a map (`map`).
pub(super) fn check_collection(tag: Option<&Tag>, expected: &str) -> Result<(), Refusal> {
    match tag.map(core).transpose()? {
        Some(kind) if kind != expected && kind != "!" => Err(does_not_fit(kind)),
        _ => Ok(()),
    }
}

/// The name of a core tag, such as `str`; `!` for the non-specific tag.
fn core(tag: &Tag) -> Result<&str, Refusal> {
    if tag.parts() == ("", "!") {
        return Ok("!");
    }
    tag.core_suffix().ok_or_else(|| {
        (
            format!("Unknown tag `{}`", tag.original()),
            "Tags are read only if they are of the core of YAML, such as `!!str`. Remove it."
                .to_owned(),
        )
    })
}

fn does_not_fit(kind: &str) -> Refusal {
    (
        format!("The tag `!!{kind}` does not fit"),
        "The value behind it is of another kind. Remove the tag, or change the value.".to_owned(),
    )
}

fn tagged(kind: &str, text: &str) -> Result<Value, Refusal> {
    let value = untagged(text)?;
    match (kind, &value) {
        ("null", Value::Null) | ("bool", Value::Bool(_)) => Ok(value),
        ("int", Value::Number(number)) if !number.is_f64() => Ok(value),
        ("float", Value::Number(_)) if is_decimal(text) => float(text),
        _ => Err(does_not_fit(kind)),
    }
}

fn untagged(text: &str) -> Result<Value, Refusal> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        let digits = text.strip_prefix(prefix).filter(|digits| {
            // Not left to the parser of integers, which takes a sign as well.
            !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
        });
        if let Some(digits) = digits {
            let number = u64::from_str_radix(digits, radix);
            return number.map(Value::from).map_err(|_| too_many_digits(text));
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err((
            format!("`{text}` is no number that can be used"),
            "Infinity and not-a-number have no place here. Write it in quotes if it is text."
                .to_owned(),
        ));
    }
    if is_digits(unsigned) {
        let signed = text.parse::<i64>().map(Value::from);
        let number = signed.or_else(|_| text.parse::<u64>().map(Value::from));
        return number.map_err(|_| too_many_digits(text));
    }
    if is_decimal(text) {
        return float(text);
    }
    Ok(Value::String(text.to_owned()))
}

fn float(text: &str) -> Result<Value, Refusal> {
    let number = text.parse().ok().and_then(Number::from_f64);
    number.map(Value::Number).ok_or_else(|| {
        (
            format!("`{}` is too large a number", shortened(text)),
            "Numbers go up to 1.7e308. Write it in quotes if it is text.".to_owned(),
        )
    })
}

fn too_many_digits(text: &str) -> Refusal {
    (
        format!("`{}` is too large a whole number", shortened(text)),
        format!(
            "Whole numbers go from {} to {}, so that no digit is lost. Write it in quotes if it is \
             text.",
            i64::MIN,
            u64::MAX
        ),
    )
}

/// A message is not to be as long as the longest number that one can write.
pub(in crate::oam) fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa = match mantissa.split_once('.') {
        None => is_digits(mantissa),
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
    };
    let exponent = exponent
        .is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    mantissa && exponent
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_by_the_core_schema() {
        let table = [
            (json!(null), vec!["", "~", "null", "Null", "NULL"]),
            (json!(true), vec!["true", "True", "TRUE"]),
            (json!(false), vec!["false", "False", "FALSE"]),
            (json!(0), vec!["0", "-0", "+0", "00", "0o0", "0x0"]),
            (json!(12), vec!["12", "+12", "012", "0o14", "0xC", "0xc"]),
            (json!(-12), vec!["-12"]),
            (json!(i64::MIN), vec!["-9223372036854775808"]),
            (
                json!(u64::MAX),
                vec!["18446744073709551615", "0xffffffffffffffff"],
            ),
            (json!(1.0), vec!["1.", "1.0", "+1.0", "1e0", "10E-1"]),
            (json!(0.5), vec![".5", "0.5", "+.5", "5e-1"]),
            (json!(-1500.0), vec!["-1.5e3", "-1500."]),
        ];
        for (expected, texts) in table {
            for text in texts {
                assert_eq!(resolve(text, true, None).unwrap(), expected, "{text}");
                let quoted = resolve(text, false, None).unwrap();
                assert_eq!(quoted, json!(text), "in quotes");
            }
        }
    }

    #[test]
    fn everything_else_is_text() {
        let texts = [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "N",
            "nULL",
            "tRUE",
            "1_000",
            "0b1",
            "0o8",
            "0xg",
            "0x",
            "0x+1",
            "-0x1",
            "+0o7",
            "1:30",
            ".",
            "-",
            "+",
            "e3",
            ".e3",
            "1e",
            "1e+",
            "1.2.3",
            "--1",
            "+-1",
            "500m",
            "256Mi",
            "2026-01-01",
            "1 2",
            "inf",
            "nan",
            "+.nan",
            "infinity",
            "١",
        ];
        for text in texts {
            assert_eq!(resolve(text, true, None).unwrap(), json!(text));
        }
    }

    #[test]
    fn numbers_that_would_not_be_kept_are_refused() {
        for text in [".inf", "-.INF", "+.Inf", ".nan", ".NaN", ".NAN"] {
            let (summary, _) = resolve(text, true, None).unwrap_err();
            assert_eq!(summary, format!("`{text}` is no number that can be used"));
        }
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "0x10000000000000000",
        ] {
            let (summary, _) = resolve(text, true, None).unwrap_err();
            assert_eq!(summary, format!("`{text}` is too large a whole number"));
        }
        for text in ["1e309", "-1.0e999"] {
            let (summary, _) = resolve(text, true, None).unwrap_err();
            assert_eq!(summary, format!("`{text}` is too large a number"));
        }
        let (summary, _) = resolve(&"9".repeat(100_000), true, None).unwrap_err();
        assert!(summary.len() < 100, "{summary}");
    }

    #[test]
    fn core_tags() {
        let tag = |name: &str| Tag::new("tag:yaml.org,2002:", name);
        let fits = [
            ("str", "1", true, json!("1")),
            ("str", "1", false, json!("1")),
            ("int", "1", true, json!(1)),
            ("float", "1", true, json!(1.0)),
            ("float", "1.5", true, json!(1.5)),
            ("bool", "true", true, json!(true)),
            ("null", "", true, json!(null)),
        ];
        for (name, text, plain, expected) in fits {
            assert_eq!(
                resolve(text, plain, Some(&tag(name))).unwrap(),
                expected,
                "{name} {text}"
            );
        }
        assert_eq!(
            resolve("1", true, Some(&Tag::new("", "!"))).unwrap(),
            json!("1")
        );
        let misfits = [
            ("int", "1.5", true),
            ("int", "1", false),
            ("float", "0x1", true),
            ("bool", "yes", true),
            ("null", "x", true),
            ("map", "x", true),
        ];
        for (name, text, plain) in misfits {
            let (summary, _) = resolve(text, plain, Some(&tag(name))).unwrap_err();
            assert_eq!(summary, format!("The tag `!!{name}` does not fit"));
        }
        let (summary, _) = resolve("x", true, Some(&tag("binary"))).unwrap_err();
        assert_eq!(summary, "Unknown tag `tag:yaml.org,2002:binary`");
    }
}
