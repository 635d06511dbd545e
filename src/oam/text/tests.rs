#![allow(clippy::unwrap_used)]
use std::fmt::Write;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(line: usize, column: usize) -> Location {
    Location { line, column }
}

/// `a.b[0]` as a pointer.
fn pointer(text: &str) -> Pointer {
    let mut pointer = Pointer::default();
    for part in text.split(['.', '[']).filter(|part| !part.is_empty()) {
        pointer = match part.strip_suffix(']') {
            Some(index) => pointer.index(index.parse().unwrap()),
            None => pointer.key(part),
        };
    }
    pointer
}

const APPLICATION: &str = "\
apiVersion: core.oam.dev/v1alpha2
metadata:
  name: shop   # a comment
spec:
  components:
    - name: web
      properties:
        image: \"nginx:1.25\"
        ports:
          - {name: http, port: 80}
          - name: größe, 'x'
            port: 0x50
        command: [a,
          b]
        empty:
      ? traits
      : []
";

#[test]
fn every_place_is_known() {
    let document = read(APPLICATION).unwrap();
    assert_eq!(
        document.value,
        json!({
            "apiVersion": "core.oam.dev/v1alpha2",
            "metadata": { "name": "shop" },
            "spec": { "components": [{
                "name": "web",
                "properties": {
                    "image": "nginx:1.25",
                    "ports": [
                        { "name": "http", "port": 80 },
                        { "name": "größe, 'x'", "port": 80 },
                    ],
                    "command": ["a", "b"],
                    "empty": null,
                },
                "traits": [],
            }]},
        })
    );
    // The value and the key of each.
    let table = [
        ("", at(1, 1), at(1, 1)),
        ("apiVersion", at(1, 13), at(1, 1)),
        ("metadata", at(3, 3), at(2, 1)),
        ("metadata.name", at(3, 9), at(3, 3)),
        ("spec.components", at(6, 5), at(5, 3)),
        ("spec.components[0]", at(6, 7), at(6, 7)),
        ("spec.components[0].name", at(6, 13), at(6, 7)),
        ("spec.components[0].properties.image", at(8, 16), at(8, 9)),
        (
            "spec.components[0].properties.ports[0]",
            at(10, 13),
            at(10, 13),
        ),
        (
            "spec.components[0].properties.ports[0].port",
            at(10, 32),
            at(10, 26),
        ),
        (
            "spec.components[0].properties.ports[1].name",
            at(11, 19),
            at(11, 13),
        ),
        (
            "spec.components[0].properties.ports[1].port",
            at(12, 19),
            at(12, 13),
        ),
        (
            "spec.components[0].properties.command[1]",
            at(14, 11),
            at(14, 11),
        ),
        ("spec.components[0].properties.empty", at(15, 14), at(15, 9)),
        ("spec.components[0].traits", at(17, 9), at(16, 9)),
        // Nothing there: the nearest around it.
        (
            "spec.components[0].properties.nothing.at.all",
            at(8, 9),
            at(8, 9),
        ),
        ("spec.components[7].name", at(6, 5), at(6, 5)),
        ("metadata.name.first", at(3, 9), at(3, 9)),
        ("metadata[0]", at(3, 3), at(3, 3)),
    ];
    for (text, value, key) in table {
        let pointer = pointer(text);
        assert_eq!(document.location(&pointer), value, "value of {text}");
        assert_eq!(document.key_location(&pointer), key, "key of {text}");
    }
}

#[test]
fn json_is_read_as_well() {
    let text =
        "{\n\t\"a\":1,\"b\":[true,null,-2.5e3,\"\\u00e9\\ud83d\\ude00\\/\\n\"],\r\n\"c\"\n: {}\n}";
    let document = read(text).unwrap();
    let expected: Value = serde_json::from_str(text).unwrap();
    assert_eq!(document.value, expected);
    assert_eq!(document.location(&pointer("a")), at(2, 6));
    assert_eq!(document.location(&pointer("b[3]")), at(2, 30));
    assert_eq!(document.key_location(&pointer("c")), at(3, 1));
    assert_eq!(document.location(&pointer("c")), at(4, 3));
}

#[test]
fn what_is_quoted_or_a_block_is_text() {
    let text =
        "a: '1'\nb: \"true\"\nc: |\n  12\nd: >-\n  null\ne: !!str 3\nf: ! 4\n'<<': x\n'1': y\n";
    let document = read(text).unwrap();
    let expected = json!({
        "a": "1", "b": "true", "c": "12\n", "d": "null", "e": "3", "f": "4", "<<": "x", "1": "y",
    });
    assert_eq!(document.value, expected);
}

#[test]
fn columns_are_characters_and_every_line_end_counts() {
    let document = read("\u{feff}größe: x\r\n\"日本\": [é, y]\rz: 1\n").unwrap();
    assert_eq!(document.location(&pointer("größe")), at(1, 8));
    assert_eq!(document.location(&pointer("日本[1]")), at(2, 11));
    assert_eq!(document.key_location(&pointer("z")), at(3, 1));
}

#[test]
fn aliases_are_expanded() {
    let text = "base: &base\n  image: x\n  ports: [1]\na: *base\nb:\n  - *base\n&k c: *k\n*k : 1\n";
    let error = read(text).unwrap_err();
    assert_eq!(
        (error.location, &*error.summary),
        (at(8, 1), "Duplicate key \"c\"")
    );
    let document = read(&text.replace("*k : 1\n", "")).unwrap();
    let base = json!({ "image": "x", "ports": [1] });
    let expected = json!({ "base": base, "a": base, "b": [base], "c": "c" });
    assert_eq!(document.value, expected);
    assert_eq!(document.location(&pointer("a")), at(4, 4));
    assert_eq!(document.key_location(&pointer("a")), at(4, 1));
    assert_eq!(document.location(&pointer("b[0]")), at(6, 5));
    assert_eq!(document.location(&pointer("b[0].ports[0]")), at(3, 11));
    let document = read("a: &x 1\nb: &x 2\nc: *x\n").unwrap();
    assert_eq!(document.value["c"], 2);
}

/// A text, where it is wrong, and the summary.
#[test]
fn every_error_has_its_place() {
    let long = "x".repeat(MAX_TEXT + 1);
    let deep_flow = format!("a:\n  {}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    let deep_block = "- ".repeat(MAX_DEPTH + 1);
    let deep_alias = format!("a: &a {}{}\nb: [*a]\n", "[".repeat(63), "]".repeat(63));
    let many = format!("a: b\nc: [{}]", "1,".repeat(MAX_NODES));
    let text = format!(
        "a: &a {}\nb:\n- *a\n- *a\n- *a\n",
        "x".repeat(MAX_BYTES / 3 - 4)
    );
    let table = [
        ("", 1, 1, "Empty document"),
        ("\n# nothing\n", 1, 1, "Empty document"),
        (&long, 1, 1, "Document too long"),
        (&deep_flow, 2, 66, "Nested too deeply"),
        (&deep_block, 1, 129, "Nested too deeply"),
        (&deep_alias, 2, 5, "Nested too deeply"),
        (&many, 2, 2 * MAX_NODES - 5, "Too many values"),
        (&text, 5, 3, "Too much text"),
        ("a: 1\n---\nb: 2\n", 2, 1, "More than one document"),
        ("---\n...\n---\n", 3, 1, "More than one document"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "Duplicate key \"a\""),
        ("- {a: 1, 'a': 2}\n", 1, 10, "Duplicate key \"a\""),
        (
            "{\"a\": {\"b\": 1,\n \"b\": 2}}",
            2,
            2,
            "Duplicate key \"b\"",
        ),
        ("a:\n  1: x\n", 2, 3, "Key that is not text"),
        ("true: x\n", 1, 1, "Key that is not text"),
        ("a:\n  : x\n", 2, 3, "Key that is not text"),
        ("a:\n  [b]: x\n", 2, 3, "Key that is not text"),
        ("? {b: c}\n: x\n", 1, 3, "Key that is not text"),
        ("- &a [b]\n- *a : x\n", 2, 3, "Key that is not text"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", 3, 3, "Merge key `<<`"),
        ("a: *b\n", 1, 4, "Unknown anchor"),
        ("a: *b\nb: &b 1\n", 1, 4, "Unknown anchor"),
        ("a: &a\n  b: *a\n", 2, 6, "Alias of what it is in"),
        ("a:\n  - !secret x\n", 2, 13, "Unknown tag `!secret`"),
        ("a: !!binary x\n", 1, 13, "Unknown tag `!!binary`"),
        (
            "a: !<tag:x.org:y> x\n",
            1,
            19,
            "Unknown tag `!<tag:x.org:y>`",
        ),
        ("a: !!set {b}\n", 1, 10, "Unknown tag `!!set`"),
        ("a: !!map [b]\n", 1, 10, "The tag `!!map` does not fit"),
        ("a: !!str {b: 1}\n", 1, 10, "The tag `!!str` does not fit"),
        ("a: !!int '1'\n", 1, 10, "The tag `!!int` does not fit"),
        (
            "a: [0, .nan]\n",
            1,
            8,
            "`.nan` is no number that can be used",
        ),
        ("a: -.inf\n", 1, 4, "`-.inf` is no number that can be used"),
        (
            "a: 18446744073709551616\n",
            1,
            4,
            "`18446744073709551616` is too large a whole number",
        ),
        ("a: 1e999\n", 1, 4, "`1e999` is too large a number"),
        ("%YAML 1.1\n---\na: 1\n", 1, 1, "Directive"),
        ("%TAG ! x:\n---\na: 1\n", 1, 1, "Directive"),
        ("a:\n\tb: 1\n", 2, 2, "Unreadable document"),
        ("a: b: c\n", 1, 5, "Unreadable document"),
        ("a: 'x\n", 1, 4, "Unreadable document"),
        ("a: [1,\n  2\n", 1, 4, "Unreadable document"),
        ("a: {b: 1]\n", 1, 4, "Unreadable document"),
        ("a: @b\n", 1, 4, "Unreadable document"),
        ("a: \"\\ud800\"\n", 1, 4, "Unreadable document"),
        ("a: \"\\x\"\n", 1, 4, "Unreadable document"),
        ("a: 1\n b: 2\n", 2, 3, "Unreadable document"),
        ("a: x\0y\n", 1, 5, "Unreadable document"),
        ("{\"a\": 1,}}", 1, 10, "Unreadable document"),
    ];
    let mut wrong = String::new();
    for (text, line, column, summary) in table {
        let start: String = text.chars().take(40).collect();
        match read(text) {
            Err(error) if error.location == at(line, column) && error.summary == summary => {
                assert!(error.detail.ends_with('.'), "{error}");
            }
            Err(error) => {
                writeln!(wrong, "{start:?}, not {line}:{column} {summary}: {error}").unwrap()
            }
            Ok(_) => writeln!(wrong, "{start:?} was read").unwrap(),
        }
    }
    assert_eq!(wrong, "");
}

#[test]
fn the_limits_themselves_are_allowed() {
    let mut text = "x".repeat(MAX_TEXT - 2);
    text.push_str("\n#");
    read(&text).unwrap();
    read(&format!(
        "{}{}",
        "[".repeat(MAX_DEPTH),
        "]".repeat(MAX_DEPTH)
    ))
    .unwrap();
    read(&"- ".repeat(MAX_DEPTH)).unwrap();
    let many = "1,".repeat(MAX_NODES - 1);
    let document = read(&format!("[{many}]")).unwrap();
    assert_eq!(document.value.as_array().unwrap().len(), MAX_NODES - 1);
}

/// Texts that cost some readers time or memory out of proportion, all about as long as is read.
#[test]
fn no_text_takes_long() {
    let fill = |part: &str| part.repeat(MAX_TEXT / part.len());
    let mut lol = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    let mut anchors = String::new();
    for level in 1..10 {
        let alias = format!("*a{},", level - 1).repeat(9);
        writeln!(lol, "a{level}: &a{level} [{alias}]").unwrap();
    }
    for number in 0..MAX_NODES {
        writeln!(anchors, "- &{number}").unwrap();
    }
    anchors.truncate(MAX_TEXT);
    let text = format!(
        "a: &a {}\nb: [{}]",
        "x".repeat(MAX_TEXT / 2),
        "*a,".repeat(40_000)
    );
    let mut keys = String::new();
    for number in 0..MAX_NODES {
        writeln!(keys, "k{number}:").unwrap();
    }
    let texts = [
        lol,
        text,
        anchors,
        keys,
        fill("["),
        fill("{"),
        fill("- "),
        fill("? "),
        fill(": "),
        fill("[]"),
        fill("{a: "),
        fill("[a,"),
        fill("\n"),
        fill(" "),
        fill("\t"),
        fill("#\n"),
        fill("# "),
        fill("a "),
        fill("a\n"),
        fill("a:\n"),
        fill("a\n\n\n\n"),
        fill("'\n"),
        fill("\"\\\n"),
        fill("\"\\u0041"),
        fill("|\n"),
        fill("|\n "),
        fill("- |\n "),
        fill("&a "),
        fill("*a "),
        fill("!a "),
        fill("!!str "),
        fill("%a\n"),
        fill("---\n"),
        fill("...\n"),
        fill("\r"),
        fill("\u{feff}"),
        fill("\0"),
        fill("é"),
        fill("- - a\n"),
        fill("?\n"),
        fill("? a\n"),
        fill("- '"),
        fill("{a: 1, "),
        fill("[a: "),
        fill("\"a\": "),
        format!("'{}'", " \n".repeat(MAX_TEXT / 2 - 2)),
        format!("a: |\n{}", " \n".repeat(MAX_TEXT / 2 - 8)),
        format!("a: >\n{}", "  b\n".repeat(MAX_TEXT / 4 - 8)),
        format!("a: >\n{}", "\n".repeat(MAX_TEXT - 8)),
        format!("[{}", "a, ".repeat(MAX_TEXT / 3 - 1)),
        format!("- {}", "9".repeat(MAX_TEXT - 2)),
        format!("- {}", "0.".repeat(MAX_TEXT / 2 - 2)),
    ];
    let mut slow = Vec::new();
    for text in texts {
        let start = Instant::now();
        let result = read(&text);
        let took = start.elapsed();
        let start: String = text.chars().take(20).collect();
        let error = result.err().map(|error| error.to_string());
        println!("{took:>12?} {start:?} {}", error.unwrap_or_default());
        // A tenth of a second is the most in a debug build; a quadratic reader would take minutes.
        if took > Duration::from_secs(5) {
            slow.push((start, took));
        }
    }
    assert_eq!(slow, []);
}

#[test]
fn a_yaml_bomb_is_stopped_at_the_alias_that_is_too_much() {
    let mut text = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{},", level - 1).repeat(9);
        writeln!(text, "a{level}: &a{level} [{alias}]").unwrap();
    }
    let error = read(&text).unwrap_err();
    assert_eq!(error.summary, "Too many values");
    // Nine times nine values to the power of four are still allowed, to that of five no more.
    assert_eq!(error.location.line, 5);
}

/// Every place of a document that was read has a location inside the text.
fn check_places(text: &str, document: &Document) {
    let lines = text.split('\n').flat_map(|line| line.split('\r')).count();
    let mut open = vec![(Pointer::default(), &document.value)];
    while let Some((pointer, value)) = open.pop() {
        for place in [document.location(&pointer), document.key_location(&pointer)] {
            assert!(
                place.line >= 1 && place.line <= lines,
                "{place} of {text:?}"
            );
            assert!(
                place.column >= 1 && place.column <= text.len() + 1,
                "{place} of {text:?}"
            );
        }
        match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                open.extend(items.map(|(index, item)| (pointer.clone().index(index), item)));
            }
            Value::Object(entries) => {
                open.extend(
                    entries
                        .iter()
                        .map(|(key, item)| (pointer.clone().key(key), item)),
                );
            }
            _ => {}
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no infinity", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[ -~é\u{0}-\u{1f}]{0,6}", inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Pieces that mean something in YAML.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "- ",
        "? ",
        ": ",
        ":",
        ", ",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "&x ",
        "*x",
        "!!str ",
        "!t ",
        "'",
        "\"",
        "|\n",
        ">-\n",
        "#",
        " #c",
        "---\n",
        "...\n",
        "%Y",
        "<<",
        "~",
        "1",
        "-1.5",
        "0x1F",
        "true",
        ".nan",
        "\\",
        "\\n",
        "é",
        "\u{feff}",
        "\r",
        "\r\n",
        "a: b\n",
        "- c\n",
        "key: [1, {x: y}]\n",
        "  d: &x e\n",
        " ",
        "\u{85}",
        "\u{2028}",
        "\0",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn all_json_is_read_as_it_was_written(value in json_value()) {
        for text in [serde_json::to_string(&value)?, serde_json::to_string_pretty(&value)?] {
            let document = read(&text).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
            check_places(&text, &document);
            prop_assert_eq!(&document.value, &value);
        }
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(document) = read(&text) {
            check_places(&text, &document);
        }
    }

    #[test]
    fn nothing_that_looks_like_yaml_brings_it_down(text in yamlish()) {
        match read(&text) {
            Ok(document) => check_places(&text, &document),
            Err(error) => {
                let place = error.location;
                prop_assert!(place.line >= 1 && place.column >= 1, "{place} of {text:?}");
                prop_assert!(place.column <= text.chars().count() + 1, "{place} of {text:?}");
            }
        }
    }
}
