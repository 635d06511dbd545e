//! Tests: a server that misbehaves in every way, and what the client makes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Client, Endpoint, Error, Kind, Repeat, Request, Server, Settings};

/// What the server does with one connection, after it has read the request.
#[derive(Clone, Copy)]
enum Deed {
    /// Sends this text and closes.
    Say(&'static str),
    /// Sends nothing and keeps the connection.
    Hang,
}

/// Serves `deeds` one after the other, the last one for ever; gives the address and a counter of requests.
async fn serve(
    deeds: &'static [Deed],
    tls: Option<Arc<ServerConfig>>,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, tls.clone(), deeds, Arc::clone(&counter)));
        }
    });
    (address, count)
}

async fn connection(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    deeds: &'static [Deed],
    counter: Arc<AtomicUsize>,
) {
    match tls {
        None => answer(stream, deeds, &counter).await,
        Some(config) => {
            if let Ok(stream) = TlsAcceptor::from(config).accept(stream).await {
                answer(stream, deeds, &counter).await;
            }
        }
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    deeds: &'static [Deed],
    counter: &AtomicUsize,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&part[..read]),
        }
    }
    let number = counter.fetch_add(1, Ordering::SeqCst);
    match deeds[number.min(deeds.len() - 1)] {
        Deed::Say(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Deed::Hang => std::future::pending().await,
    }
}

fn endpoint(settings: Settings) -> Endpoint {
    Endpoint::from(Server::Nomad, settings, &|_| None).unwrap()
}

fn client(address: &str) -> Client {
    let settings = Settings {
        address: Some(address.to_owned()),
        token: Some("s3cr3t".into()),
        timeout: Some("2s".to_owned()),
        ..Settings::default()
    };
    Client::new(endpoint(settings))
}

fn read() -> Request {
    Request::get(&["job", "a/b"])
}

fn write() -> Request {
    Request::post(&["jobs"], Repeat::Unsent).body(b"{}".to_vec())
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-nomad-index: 7\r\n\r\n{}";

#[tokio::test]
async fn what_is_tried_again() {
    use Deed::{Hang, Say};
    const BUSY: Deed =
        Say("HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy");
    const LONG: Deed =
        Say("HTTP/1.1 429 Too Many Requests\r\nretry-after: 3600\r\ncontent-length: 4\r\n\r\nbusy");
    const BROKEN: Deed =
        Say("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 12\r\n\r\ndisk is full");
    const LEADERLESS: Deed =
        Say("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 17\r\n\r\nNo cluster leader");
    const LEADER_GONE: Deed = Say(
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 35\r\n\r\nrpc error: failed to get conn: dial",
    );
    const CUT: Deed = Say("HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{\"ID\":");
    const SILENT: Deed = Say("");
    const GARBAGE: Deed = Say("SSH-2.0-OpenSSH_9.2\r\n");
    const WRONG: Deed =
        Say("HTTP/1.1 403 Forbidden\r\ncontent-length: 17\r\n\r\nPermission denied");
    const MISSING: Deed = Say("HTTP/1.1 404 Not Found\r\ncontent-length: 13\r\n\r\njob not found");
    const MOVED: Deed = Say(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://evil.example\r\ncontent-length: 0\r\n\r\n",
    );
    const FINE: Deed = Say(GOOD);

    // What the server does; requests of a read and its kind of failure; the same of a write.
    type Outcome = (usize, Option<&'static str>);
    let cases: &[(&str, &'static [Deed], Outcome, Outcome)] = &[
        ("good", &[FINE], (1, None), (1, None)),
        ("busy once", &[BUSY, FINE], (2, None), (2, None)),
        ("busy twice", &[BUSY, BUSY, FINE], (3, None), (3, None)),
        (
            "always busy",
            &[BUSY],
            (3, Some("RateLimited")),
            (3, Some("RateLimited")),
        ),
        (
            "busy for long",
            &[LONG, FINE],
            (1, Some("RateLimited")),
            (1, Some("RateLimited")),
        ),
        (
            "broken once",
            &[BROKEN, FINE],
            (2, None),
            (1, Some("Server")),
        ),
        (
            "always broken",
            &[BROKEN],
            (3, Some("Server")),
            (1, Some("Server")),
        ),
        (
            "no leader at first",
            &[LEADERLESS, FINE],
            (2, None),
            (2, None),
        ),
        (
            "no leader",
            &[LEADERLESS],
            (8, Some("NoLeader")),
            (8, Some("NoLeader")),
        ),
        (
            "a leader that is not there any more",
            &[LEADER_GONE, FINE],
            (2, None),
            (2, None),
        ),
        (
            "cut in the answer once",
            &[CUT, FINE],
            (2, None),
            (1, Some("Interrupted")),
        ),
        (
            "always cut",
            &[CUT],
            (3, Some("Interrupted")),
            (1, Some("Interrupted")),
        ),
        (
            "no answer",
            &[SILENT, FINE],
            (2, None),
            (1, Some("Interrupted")),
        ),
        (
            "not HTTP",
            &[GARBAGE],
            (3, Some("Interrupted")),
            (1, Some("Interrupted")),
        ),
        (
            "wrong token",
            &[WRONG, FINE],
            (1, Some("Unauthorized")),
            (1, Some("Unauthorized")),
        ),
        (
            "missing",
            &[MISSING, FINE],
            (1, Some("Rejected")),
            (1, Some("Rejected")),
        ),
        (
            "moved",
            &[MOVED, FINE],
            (1, Some("Rejected")),
            (1, Some("Rejected")),
        ),
        (
            "too slow",
            &[Hang, FINE],
            (1, Some("Timeout")),
            (1, Some("Timeout")),
        ),
    ];
    for (what, deeds, for_read, for_write) in cases {
        for (request, (requests, kind)) in [(read(), for_read), (write(), for_write)] {
            let (address, count) = serve(deeds, None).await;
            let client = client(&address);
            let method = request.method_name();
            let result = client.send(request).await;
            assert_eq!(count.load(Ordering::SeqCst), *requests, "{what}: {method}");
            assert_eq!(client.requests(), *requests as u64, "{what}: {method}");
            match (result, kind) {
                (Ok(answer), None) => assert_eq!(answer.index(), Some(7), "{what}"),
                (Err(error), Some(kind)) => {
                    let found = format!("{:?}", error.kind);
                    assert!(found.starts_with(kind), "{what}: {method}: {found}");
                    assert_eq!(error.attempts as usize, *requests, "{what}: {method}");
                    told(&error);
                }
                (result, _) => panic!("{what}: {method}: {result:?}"),
            }
        }
    }
}

/// Every error names the server and the request, says what to do, and keeps the token to itself.
fn told(error: &Error) {
    let text = error.to_string();
    assert!(
        text.contains("Nomad") && text.contains(&error.path) && text.contains(error.method),
        "{text}"
    );
    assert!(error.detail().contains(". "), "it says what to do: {text}");
    assert!(!format!("{text}{error:?}").contains("s3cr3t"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&address);
    for request in [read(), write()] {
        let error = client.send(request).await.unwrap_err();
        assert!(
            matches!(&error.kind, Kind::Unreachable { reason } if reason.contains("refused")),
            "{error:?}"
        );
        assert!(!error.may_have_been_done());
        assert_eq!(error.attempts, 3);
        assert!(
            error.detail().contains("NOMAD_ADDR") && error.detail().contains("tried 3 times"),
            "{error}"
        );
        told(&error);
    }
}

#[tokio::test]
async fn a_token_that_the_server_sends_back_is_not_shown() {
    const ECHO: &str =
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 25\r\n\r\ntoken \"s3cr3t\" is unknown";
    let (address, _) = serve(&[Deed::Say(ECHO)], None).await;
    let error = client(&address).send(read()).await.unwrap_err();
    assert!(
        error.detail().contains("token \"<redacted>\" is unknown"),
        "{error}"
    );
    told(&error);
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_told() {
    const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n<html>Welcome</html>";
    let (address, _) = serve(&[Deed::Say(PAGE)], None).await;
    let answer = client(&address).send(read()).await.unwrap();
    let error = answer.json::<serde_json::Value>().unwrap_err();
    assert!(matches!(error.kind, Kind::Unreadable { .. }), "{error:?}");
    assert!(
        error.detail().contains("and not of something else"),
        "{error}"
    );
    assert!(error.may_have_been_done());
    told(&error);
}

#[tokio::test]
async fn a_long_message_is_cut() {
    let body = "x".repeat(100_000);
    let text = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (address, _) = serve(vec![Deed::Say(text.leak())].leak(), None).await;
    let error = client(&address).send(read()).await.unwrap_err();
    assert!(
        error.detail().len() < 3000,
        "{} bytes",
        error.detail().len()
    );
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut part = [0; 4096];
                while stream.read(&mut part).await.is_ok_and(|read| read > 0) {
                    stream.write_all(GOOD.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let client = client(&address);
    for _ in 0..20 {
        client.clone().send(read()).await.unwrap();
    }
    assert_eq!(
        (connections.load(Ordering::SeqCst), client.requests()),
        (1, 20)
    );
}

/// A CA, and a server configuration with a certificate of it for `name`.
fn authority(name: &str) -> (String, Arc<ServerConfig>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Test CA");
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&leaf_key, &issuer)
        .unwrap();
    let secret = PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], secret)
        .unwrap();
    (ca.pem(), Arc::new(config))
}

#[tokio::test]
async fn certificates() {
    let (ca, config) = authority("nomad.example");
    let (other, _) = authority("nomad.example");
    let (address, _) = serve(&[Deed::Say(GOOD)], Some(config)).await;
    let named = Some("nomad.example".to_owned());
    let cases = [
        (Some(ca.clone()), named.clone(), None),
        (Some(other), named.clone(), Some("`ca_file` or `ca_pem`")),
        (Some(ca.clone()), None, Some("`tls_server_name`")),
        (
            Some(ca),
            Some("consul.example".to_owned()),
            Some("`tls_server_name`"),
        ),
    ];
    for (ca_pem, tls_server_name, advice) in cases {
        let settings = Settings {
            address: Some(address.clone()),
            ca_pem,
            tls_server_name,
            ..Settings::default()
        };
        match (Client::new(endpoint(settings)).send(read()).await, advice) {
            (Ok(_), None) => {}
            (Err(error), Some(advice)) => {
                assert!(matches!(error.kind, Kind::Tls { .. }), "{error:?}");
                assert!(error.detail().contains(advice), "{error}");
                assert_eq!(error.attempts, 1);
                told(&error);
            }
            (result, advice) => panic!("{advice:?}: {result:?}"),
        }
    }
    // The system's roots do not know this CA; where the system has none, that is told instead.
    let settings = Settings {
        address: Some(address.clone()),
        tls_server_name: Some("nomad.example".to_owned()),
        ..Settings::default()
    };
    let error = Client::new(endpoint(settings))
        .send(read())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind, Kind::Tls { .. } | Kind::Setup(_)),
        "{error:?}"
    );
    assert!(error.detail().contains("`ca_file` or `ca_pem`"), "{error}");
    let settings = Settings {
        address: Some(address),
        skip_verify: Some(true),
        ..Settings::default()
    };
    Client::new(endpoint(settings)).send(read()).await.unwrap();
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_told() {
    const PLAIN: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(PLAIN.as_bytes()).await;
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let error = client_skipping(&address).send(read()).await.unwrap_err();
    assert!(error.detail().contains("does not speak TLS"), "{error}");
}

fn client_skipping(address: &str) -> Client {
    let settings = Settings {
        address: Some(address.to_owned()),
        skip_verify: Some(true),
        ..Settings::default()
    };
    Client::new(endpoint(settings))
}

#[tokio::test]
async fn files_that_cannot_be_used_are_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path.display().to_string())
    };
    let base = || Settings {
        address: Some("https://127.0.0.1:1".to_owned()),
        ..Settings::default()
    };
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["a".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap()
        .pem();
    let other = Some(KeyPair::generate().unwrap().serialize_pem().into());
    let cases = [
        (
            Settings {
                ca_file: Some("/no/such/ca".to_owned()),
                ..base()
            },
            "ca_file",
            "/no/such/ca",
        ),
        (
            Settings {
                ca_file: file("empty", ""),
                ..base()
            },
            "ca_file",
            "no PEM certificate",
        ),
        (
            Settings {
                ca_pem: Some("nonsense".to_owned()),
                ..base()
            },
            "ca_pem",
            "-----BEGIN",
        ),
        (
            Settings {
                ca_pem: Some(cert.clone()),
                cert_pem: Some(cert.clone()),
                key_pem: Some("nonsense".into()),
                ..base()
            },
            "key_pem",
            "-----BEGIN",
        ),
        (
            Settings {
                ca_pem: Some(cert.clone()),
                cert_pem: Some(cert.clone()),
                key_pem: other,
                ..base()
            },
            "key_pem",
            "key",
        ),
        (
            Settings {
                ca_pem: Some(cert),
                tls_server_name: Some("a b".to_owned()),
                ..base()
            },
            "tls_server_name",
            "host name",
        ),
        (
            Settings {
                token: Some("a\nb".into()),
                ca_pem: None,
                skip_verify: Some(true),
                ..base()
            },
            "token",
            "line break",
        ),
    ];
    for (settings, field, part) in cases {
        let client = Client::new(endpoint(settings));
        let error = client.send(read()).await.unwrap_err();
        let Kind::Setup(setup) = &error.kind else {
            panic!("{field}: {error:?}")
        };
        assert_eq!(setup.field, field, "{error}");
        assert!(error.to_string().contains(part), "{field}: {error}");
        assert_eq!(client.requests(), 0);
    }
}

#[tokio::test]
async fn a_token_file_is_read_at_the_first_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let name = path.display().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        stream.write_all(GOOD.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&part[..read]).into_owned()
    });
    let make = || {
        let settings = Settings {
            address: Some(address.clone()),
            ..Settings::default()
        };
        let env = |variable: &str| (variable == "CONSUL_HTTP_TOKEN_FILE").then(|| name.clone());
        Client::new(Endpoint::from(Server::Consul, settings, &env).unwrap())
    };
    let error = make().send(read()).await.unwrap_err();
    assert!(error.detail().contains("CONSUL_HTTP_TOKEN_FILE"), "{error}");
    let client = make();
    std::fs::write(&path, "s3cr3t\n").unwrap();
    client.send(read()).await.unwrap();
    let request = server.await.unwrap();
    assert!(
        request.contains("\r\nx-consul-token: s3cr3t\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_blocking_query_may_take_its_wait_on_top() {
    use tokio::sync::Notify;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Notify::new());
    let notify = Arc::clone(&asked);
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.unwrap();
        notify.notify_one();
        // Longer than the client's timeout for one request.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(GOOD.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&part[..read]).into_owned()
    });
    let settings = Settings {
        address: Some(address),
        timeout: Some("100ms".to_owned()),
        ..Settings::default()
    };
    let client = Client::new(endpoint(settings));
    client
        .send(read().blocking(41, Duration::from_secs(60)))
        .await
        .unwrap();
    asked.notified().await;
    let request = server.await.unwrap();
    assert!(
        request.starts_with("GET /v1/job/a%2Fb?index=41&wait=60000ms HTTP/1.1\r\n"),
        "{request}"
    );
}
