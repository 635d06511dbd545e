//! What a registry is told when an image is pulled from it with a secret.

use super::secrets::nobody_else_has;
use super::support::api::runtime;
use super::support::{Workspace, eventually};
use super::{application, at, destroy, platform};
use base64::Engine;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// The requests of a registry: the path, and the `Authorization` that came along.
type Seen = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// A registry on 127.0.0.1, which Docker asks without TLS. It answers 401 to who does not say who he is,
/// and that there is no such image to who does.
fn registry() -> (u16, Seen) {
    let seen = Seen::default();
    let all = seen.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime().spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((mut stream, _)) = listener.accept().await {
            let all = all.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                let first = lines.next_line().await.ok().flatten().unwrap_or_default();
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut authorization = None;
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.is_empty() {
                        break;
                    }
                    if let Some((name, value)) = line.split_once(": ")
                        && name.eq_ignore_ascii_case("authorization")
                    {
                        authorization = Some(value.to_owned());
                    }
                }
                let head = match authorization {
                    None => "401 Unauthorized\r\nWww-Authenticate: Basic realm=\"tests\"",
                    Some(_) => "404 Not Found",
                };
                all.lock().unwrap().push((path, authorization));
                let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such image"}]}"#;
                let answer = format!(
                    "HTTP/1.1 {head}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = write.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, seen)
}

#[test]
fn an_image_is_pulled_with_the_credentials_in_vault() {
    let Some(servers) = platform() else { return };
    let vault = servers.vault();
    vault.write(
        "pulls/registry",
        &json!({ "username": "joe-of-the-registry", "password": "of \"the\" word-of-the-registry" }),
    );
    let (port, seen) = registry();
    // Nothing is waited for of a task, which cannot start here.
    let mut work = Workspace::new(
        servers,
        &application(
            "pulled",
            &format!(
                r#"
  component "tool" {{
    type              = "task"
    image             = "127.0.0.1:{port}/private/tool:1"
    image_pull_secret = "secret/data/pulls/registry"
  }}"#
            ),
        ),
    );
    work.set("TF_LOG_PROVIDER", "TRACE");
    work.apply();
    let (path, authorization) = eventually("Docker says who it is", || {
        let seen = seen.lock().unwrap();
        let told = seen
            .iter()
            .find(|(_, authorization)| authorization.is_some())?;
        Some((told.0.clone(), told.1.clone()?))
    });
    let expected = base64::engine::general_purpose::STANDARD
        .encode("joe-of-the-registry:of \"the\" word-of-the-registry");
    assert_eq!(authorization, format!("Basic {expected}"));
    assert!(path.starts_with("/v2/"), "{path}");
    let live = servers.nomad.job("default", "pulled-tool").unwrap();
    assert!(!at(&live, "/TaskGroups/0/Tasks/0/Config/auth").is_null());
    work.plan().assert_empty();
    nobody_else_has(servers, &work, "pulled", &["of-the-registry", &expected]);
    destroy(servers, &work, "pulled");
}
