//! Free loopback ports.
//!
//! They are picked below the range that the kernel hands out to outgoing connections and that Nomad
//! hands out to jobs, so that nobody takes one between the look and the server's own bind. Should it
//! happen all the same, the server is started anew with others.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A port on 127.0.0.1 that is free for TCP and UDP and that this process has not had before.
pub fn free() -> u16 {
    let mut given = GIVEN.lock().unwrap();
    for _ in 0..10_000 {
        let port = fastrand::u16(10_000..20_000);
        if !given.contains(&port)
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", port)).is_ok()
        {
            given.push(port);
            return port;
        }
    }
    panic!("no free port between 10000 and 20000 on 127.0.0.1");
}

/// First and last port of a range that one Nomad client gives to its jobs: agents that run beside
/// each other do not know of each other's jobs, so each gets one of 48 ranges.
pub fn range_for_jobs() -> (u16, u16) {
    let first = 20_000 + 250 * fastrand::u16(0..48);
    (first, first + 249)
}
