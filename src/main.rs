//! Starts the provider, as Terraform does, or for debugging, as a developer does.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use oam_provider::protocol::handshake::{Handshake, HandshakeError};
use oam_provider::protocol::serve::{ServeError, reattach, serve, serve_debug};
use oam_provider::protocol::{log, resource};
use oam_provider::provider::{OamProvider, SOURCE};

const USAGE: &str = "\
This program is a Terraform provider: Terraform and OpenTofu start it when a configuration uses it.

  terraform {
    required_providers {
      oam = { source = \"oam/oam\" }
    }
  }

Started by hand, it takes one of these:
  --debug     serve until Ctrl-C, and print what TF_REATTACH_PROVIDERS must be set to
  --version   print the version
  --help      print this";

fn main() -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    log::start(log::level("oam", env));
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        Some("--version") => {
            println!("terraform-provider-oam {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some("--help") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some("--debug") => finish(run(async {
            serve_debug(provider(), |address| {
                println!("TF_REATTACH_PROVIDERS='{}'", reattach(SOURCE, address));
            })
            .await
        })),
        Some(other) => fail(&format!("unknown argument {other:?}\n\n{USAGE}")),
        None => match Handshake::from_env(env) {
            Ok(handshake) => finish(run(async { serve(provider(), &handshake).await })),
            Err(HandshakeError::StartedByHand) => fail(USAGE),
            Err(error) => fail(&error.to_string()),
        },
    }
}

fn provider() -> Arc<dyn resource::Provider> {
    Arc::new(OamProvider::new(|name| std::env::var(name).ok()))
}

/// One thread does it all: the work is waiting for servers, and of what there is to compute, waking another
/// thread for it would be the larger part.
fn run(service: impl Future<Output = Result<(), ServeError>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("nothing can be waited for: {error}"))?;
    let result = runtime.block_on(service).map_err(|error| error.to_string());
    // What is still running has been cancelled, and must not hold up the end.
    runtime.shutdown_background();
    result
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
