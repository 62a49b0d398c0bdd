//! A VTN that answers wrongly, late, without end or not at all: a poll ends, says why,
//! and nothing that held changes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use adapters::deliver::{Secret, Trust};
use adapters::openadr::{Access, Client, ClientError};

/// A server that answers every request with `said`; its URL. It ends with the test.
fn vtn(said: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("a clone"));
            let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
            if reader.read_line(&mut first).is_err() {
                continue;
            }
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let heard = reader.read_exact(&mut body);
            // Whoever asked may have left.
            drop(heard.and_then(|()| stream.write_all(&said(&first))));
        }
    });
    url
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

const TOKEN: &str = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;

/// What a client makes of a VTN that gives tokens and answers lists with `said`.
fn events(said: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Result<usize, ClientError> {
    let url = vtn(move |first| match first.starts_with("POST /auth/token") {
        true => ok(TOKEN),
        false => said(first),
    });
    client(&url).events("p", Duration::from_secs(5)).map(|list| list.len())
}

fn client(url: &str) -> Client {
    let access = Access {
        url: url.to_owned(),
        client_id: Secret::new("ven".to_owned()),
        client_secret: Secret::new("s3cret".to_owned()),
        allow_plain: false,
        trust: Trust::System,
    };
    Client::new(access).expect("a client")
}

fn check(found: Result<usize, ClientError>, says: &str) {
    let why = found.expect_err(says).to_string();
    assert!(why.contains(says), "{says}: {why}");
    assert!(!why.contains("s3cret"), "{why}");
}

#[test]
fn a_list_that_is_none_is_an_error_and_no_list() {
    check(events(|_| ok("<!doctype html><script>")), "found no JSON but `?");
    check(events(|_| ok("{\"events\": []}")), "found JSON that is no list");
    check(events(|_| ok("[{\"id\": \"a\"}")), "found no JSON");
    check(
        events(|_| b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n".to_vec()),
        "redirect",
    );
    check(
        events(|_| b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno".to_vec()),
        "found 500 Oops: no",
    );
    check(events(|_| b"220 mail ESMTP\r\n".to_vec()), "found `220 mail ESMTP`");
    check(
        events(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[]".to_vec()),
        "closed",
    );
    check(
        events(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n[".to_vec()),
        "found more than",
    );
    let endless = |_: &str| {
        let mut said = b"HTTP/1.1 200 OK\r\n".to_vec();
        said.extend(std::iter::repeat_n(b'x', 200_000));
        said
    };
    check(events(endless), "found more than");
}

#[test]
fn a_list_without_end_is_no_list() {
    let page = format!("[{}]", vec!["{\"id\":\"a\"}"; 50].join(","));
    check(events(move |_| ok(&page)), "found more than 2000 of them");
}

#[test]
fn chunks_and_pages_are_put_together() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    4\r\n[{\"i\r\na;x=1\r\nd\":\"b\"},{}\r\n1\r\n]\r\n0\r\n\r\n";
    assert_eq!(events(|_| chunked.to_vec()), Ok(2));
    let page = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    let (full, rest) = (page(50), page(3));
    let paged = move |first: &str| match first.contains("skip=0&") {
        true => ok(&full),
        false => ok(&rest),
    };
    assert_eq!(events(paged), Ok(53));
}

#[test]
fn a_login_that_is_not_accepted_is_said() {
    let refused =
        vtn(|_| b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec());
    let found = client(&refused).events("p", Duration::from_secs(5));
    assert!(matches!(found, Err(ClientError::Login(_))), "{found:?}");
    let forbidden =
        |_: &str| b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec();
    assert!(matches!(events(forbidden), Err(ClientError::Login(_))));
}

#[test]
fn a_silent_one_is_left_by_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let found = client(&url).events("p", Duration::from_millis(200));
    let why = found.expect_err("silence").to_string();
    assert!(why.contains("none before the deadline"), "{why}");
}

#[test]
fn plain_http_stays_on_this_machine() {
    let access = Access {
        url: "http://vtn.example".to_owned(),
        client_id: Secret::new(String::new()),
        client_secret: Secret::new(String::new()),
        allow_plain: false,
        trust: Trust::System,
    };
    let why = Client::new(access).expect_err("plain").to_string();
    assert!(why.contains("expected https to vtn.example"), "{why}");
}
