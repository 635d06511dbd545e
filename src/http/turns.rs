//! How many requests of a process are at a server at one time.
//!
//! A server limits the connections of one address: Nomad to 100 and Consul to 200, unless it is configured
//! otherwise (`http_max_conns_per_client` in <https://developer.hashicorp.com/nomad/docs/configuration#limits> and
//! <https://developer.hashicorp.com/consul/docs/reference/agent/configuration-file/general#limits>). An apply waits
//! for each of its jobs, and many may run on one machine, so the rest waits here for its turn.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most requests that are answered as soon as the server can.
const QUICK: usize = 16;
/// The most that wait at the server for a change. They have places of their own: they keep them for long.
const WAITING: usize = 24;
/// How long one of those waits at most where there are more of them than places.
const CROWDED: Duration = Duration::from_secs(1);

/// The places at one server.
#[derive(Debug)]
pub(super) struct Turns {
    quick: Semaphore,
    waiting: Semaphore,
}

/// A place, until it is dropped.
pub(super) struct Turn<'a> {
    _place: Option<SemaphorePermit<'a>>,
    /// How long the request may wait at the server.
    pub(super) wait: Duration,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            quick: Semaphore::new(QUICK),
            waiting: Semaphore::new(WAITING),
        }
    }
}

impl Turns {
    /// A place for a request that waits at the server for this long, or not at all; first come, first served.
    pub(super) async fn take(&self, wait: Duration) -> Turn<'_> {
        let places = match wait.is_zero() {
            true => &self.quick,
            false => &self.waiting,
        };
        match places.try_acquire() {
            Ok(place) => Turn {
                _place: Some(place),
                wait,
            },
            // None is ever closed.
            Err(_) => Turn {
                _place: places.acquire().await.ok(),
                wait: wait.min(CROWDED),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::http::{Client, Endpoint, Request, Server, Settings};

    /// What a server has seen.
    #[derive(Default)]
    struct Seen {
        now: usize,
        most: usize,
        waits: Vec<u64>,
    }

    /// A server that answers each request after a tenth of what it may wait, and at once where it may not.
    async fn serve(seen: Arc<Mutex<Seen>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, Arc::clone(&seen)));
            }
        });
        address
    }

    async fn connection(mut stream: TcpStream, seen: Arc<Mutex<Seen>>) {
        let mut part = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut part).await {
            let text = String::from_utf8_lossy(&part[..read]).into_owned();
            let wait = text
                .split_once("wait=")
                .and_then(|(_, rest)| rest.split_once("ms"));
            let wait = wait.map_or(0, |(wait, _)| wait.parse().unwrap());
            {
                let mut seen = seen.lock().unwrap();
                seen.now += 1;
                seen.most = seen.most.max(seen.now);
                seen.waits.push(wait);
            }
            tokio::time::sleep(Duration::from_millis(wait / 10 + 20)).await;
            seen.lock().unwrap().now -= 1;
            let good = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(good).await.unwrap();
        }
    }

    #[tokio::test]
    async fn many_requests_take_turns_and_wait_for_less() {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let settings = Settings {
            address: Some(serve(Arc::clone(&seen)).await),
            ..Settings::default()
        };
        let client = Client::new(Endpoint::from(Server::Nomad, settings, &|_| None).unwrap());
        let ask = |wait: u64| {
            let request = Request::get(&["jobs"]);
            let request = match wait {
                0 => request,
                wait => request.blocking(1, Duration::from_millis(wait)),
            };
            client.send(request)
        };
        // A quick one has its place whoever waits.
        let long = join_all((0..100).map(|_| ask(5000)));
        let quick = join_all((0..100).map(|_| ask(0)));
        let (long, quick) = tokio::join!(long, quick);
        assert!(long.iter().chain(&quick).all(Result::is_ok));
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert!(seen.most > QUICK.max(WAITING), "{}", seen.most);
        assert!(seen.most <= QUICK + WAITING, "{}", seen.most);
        let count = |wait| seen.waits.iter().filter(|it| **it == wait).count();
        let waits = [count(0), count(5000), count(1000)];
        assert_eq!(waits, [100, WAITING, 100 - WAITING]);
    }
}
