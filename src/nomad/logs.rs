//! The end of what a task has written, for the one who is told that it failed.
//!
//! A task may write anything: what it wrote goes to nobody but the caller, is never in this provider's own
//! log, and is cut down to printable text first.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use super::client::{Client, found};
use crate::http::{Error, Request};

/// How many bytes of a log are asked for.
const BYTES: usize = 4096;
/// How many lines are told.
const LINES: usize = 20;

/// The last lines of a task's log, without control characters. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Tail {
    /// `stderr` or `stdout`.
    pub stream: &'static str,
    /// The lines, oldest first; at least one, and none is empty.
    pub lines: Vec<String>,
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tail({} lines of {})", self.lines.len(), self.stream)
    }
}

impl Client {
    /// The last lines that a task has written to stderr, or else to stdout: at most 20, of at most 4 KiB.
    /// `None` where it has written nothing, or nothing is left of it.
    ///
    /// Sets no time limit of its own, and the node need not answer: wrap it in one.
    ///
    /// Source: <https://developer.hashicorp.com/nomad/api-docs/client#stream-logs>.
    ///
    /// # Errors
    /// As of [`crate::http::Client::send`].
    pub async fn last_lines(
        &self,
        namespace: &str,
        allocation: &str,
        task: &str,
    ) -> Result<Option<Tail>, Error> {
        for stream in ["stderr", "stdout"] {
            let path = ["client", "fs", "logs", allocation];
            let request = self
                .at(Request::get(&path), namespace)
                .query("task", task)
                .query("type", stream)
                .query("plain", "true")
                .query("origin", "end")
                .query("offset", BYTES.to_string());
            let Some(answer) = found(self.send(request).await)? else {
                continue;
            };
            let lines = last_lines(answer.bytes());
            if !lines.is_empty() {
                return Ok(Some(Tail { stream, lines }));
            }
        }
        Ok(None)
    }
}

/// The last lines of the end of a log.
fn last_lines(log: &[u8]) -> Vec<String> {
    let cut = log.len() >= BYTES;
    // A task that goes on writing may have made it longer.
    let log = &log[log.len().saturating_sub(BYTES)..];
    let text = String::from_utf8_lossy(log);
    // What a progress bar overwrites is a line of its own here.
    let mut lines: Vec<&str> = text.split(['\n', '\r']).collect();
    if cut && lines.len() > 1 {
        lines.remove(0);
    }
    let lines: Vec<_> = lines
        .into_iter()
        .map(printable)
        .filter(|line| !line.is_empty())
        .collect();
    let first = lines.len().saturating_sub(LINES);
    lines.into_iter().skip(first).collect()
}

/// A line without terminal sequences (ECMA-48), control characters, and those that turn the direction of
/// writing.
fn printable(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\t' => kept.push(' '),
            '\u{1b}' => match rest.next() {
                Some('[') => skip_control(&mut rest),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_string(&mut rest),
                // Of two characters, or with one between them.
                Some(' '..='/') => drop(rest.next()),
                _ => {}
            },
            '\u{9b}' => skip_control(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut rest),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            _ if next.is_control() => {}
            _ => kept.push(next),
        }
    }
    kept.trim_end().to_owned()
}

/// Skips a control sequence up to its final character.
fn skip_control(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| matches!(next, ' '..='?')).is_some() {}
    let _ = rest.next_if(|next| matches!(next, '@'..='~'));
}

/// Skips a string, such as the title of a window, up to what ends it.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(next) = rest.next() {
        match next {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                let _ = rest.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_text_is_told() {
        for (line, told) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred", "red"),
            ("\u{1b}]0;a title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Btext\u{1b}7\u{1b}c", "text"),
            ("a\tb\0\u{8}c\u{7f}\u{85}", "a bc"),
            ("\u{202e}back\u{2069}", "back"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[31", ""),
            ("grüße €", "grüße €"),
        ] {
            assert_eq!(printable(line), told, "{line:?}");
        }
    }

    #[test]
    fn so_many_lines_are_told_and_no_half_ones() {
        assert_eq!(last_lines(b""), Vec::<String>::new());
        assert_eq!(last_lines(b"\n\r\n"), Vec::<String>::new());
        assert_eq!(last_lines(b"10 %\r20 %\r\nend"), ["10 %", "20 %", "end"]);
        assert_eq!(last_lines(b"\xff\xfe"), ["\u{fffd}\u{fffd}"]);
        let many: String = (0..500).map(|it| format!("line {it}\n")).collect();
        let lines = last_lines(many.as_bytes());
        assert_eq!((lines.len(), &*lines[0]), (20, "line 480"));
        // Three lines of which the first is cut.
        let long = format!("{}\n{}\nend", "a".repeat(BYTES), "b".repeat(3000));
        assert_eq!(
            last_lines(long.as_bytes()),
            ["b".repeat(3000), "end".to_owned()]
        );
        let one = "x".repeat(3 * BYTES);
        assert_eq!(last_lines(one.as_bytes()), ["x".repeat(BYTES)]);
    }

    #[test]
    fn what_a_task_wrote_is_not_in_any_log() {
        let lines = vec!["password".to_owned()];
        let stream = "stderr";
        assert_eq!(
            format!("{:?}", Tail { stream, lines }),
            "Tail(1 lines of stderr)"
        );
    }
}
