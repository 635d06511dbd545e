//! Logs as Terraform understands them: one JSON object a line on standard error, in hclog's form.
//!
//! Only this crate's own events are written. The libraries below it log what passes through them,
//! and that can be a token.

use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// The level that the environment asks for: the first of `TF_LOG_PROVIDER_<NAME>`,
/// `TF_LOG_PROVIDER` and `TF_LOG` that is set. Unset is silent, and text that is no level means
/// everything, as in Terraform.
pub fn level(name: &str, env: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let specific = format!("TF_LOG_PROVIDER_{}", name.to_uppercase());
    let text = [specific.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|variable| env(variable).filter(|text| !text.is_empty()));
    match text.map(|text| text.to_uppercase()).as_deref() {
        None | Some("OFF") => LevelFilter::OFF,
        Some("ERROR") => LevelFilter::ERROR,
        Some("WARN") => LevelFilter::WARN,
        Some("INFO") => LevelFilter::INFO,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some(_) => LevelFilter::TRACE,
    }
}

/// Starts logging for the whole process. A second call has no effect.
pub fn start(level: LevelFilter) {
    if level == LevelFilter::OFF {
        return;
    }
    let layer = Hclog.with_filter(tracing_subscriber::filter::filter_fn(move |metadata| {
        *metadata.level() <= level && metadata.target().starts_with("oam_provider")
    }));
    let subscriber = tracing_subscriber::registry().with(layer);
    let _ = tracing::subscriber::set_global_default(subscriber);
}

struct Hclog;

/// What a span adds to each event inside it.
struct SpanFields(Map<String, Json>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Hclog {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if let Some(span) = ctx.span(id) {
            let mut fields = Map::new();
            attributes.record(&mut Fields(&mut fields));
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut line = Map::new();
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(fields)) = span.extensions().get() {
                line.extend(fields.clone());
            }
        }
        event.record(&mut Fields(&mut line));
        let metadata = event.metadata();
        let message = line.remove("message").unwrap_or_default();
        line.insert("@message".to_owned(), message);
        line.insert("@level".to_owned(), name(*metadata.level()).into());
        let module = metadata
            .target()
            .replace("::", ".")
            .replacen("oam_provider", "oam", 1);
        line.insert("@module".to_owned(), module.into());
        let now = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        line.insert("@timestamp".to_owned(), now.into());
        let mut text = Json::Object(line).to_string();
        text.push('\n');
        // One write a line, so that lines of several threads do not mix; nobody is left to tell
        // when the host no longer reads.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

struct Fields<'a>(&'a mut Map<String, Json>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Json) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_wins() {
        for (env, want) in [
            (vec![], LevelFilter::OFF),
            (vec![("TF_LOG", "debug")], LevelFilter::DEBUG),
            (vec![("TF_LOG", "JSON")], LevelFilter::TRACE),
            (
                vec![("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "WARN")],
                LevelFilter::WARN,
            ),
            (
                vec![("TF_LOG_PROVIDER", "WARN"), ("TF_LOG_PROVIDER_OAM", "off")],
                LevelFilter::OFF,
            ),
            (vec![("TF_LOG_PROVIDER", "")], LevelFilter::OFF),
        ] {
            let get = |name: &str| {
                let found = env.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(level("oam", get), want, "{env:?}");
        }
    }
}
