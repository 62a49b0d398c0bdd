//! A peer that answers by a script, one connection a question.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a peer does with a question.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Says this, and a zero byte, and closes.
    Say(String),
    /// Says this and neither ends nor closes.
    SayOn(String),
    /// Closes at once.
    Close,
    /// Says nothing.
    Hang,
    /// Says one letter over and over.
    Endless,
    /// Says an answer letter by letter, slower than anybody waits.
    Drip,
}

/// A peer on a port of its own, until it goes.
#[derive(Debug)]
pub(super) struct Peer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Peer {
    /// A peer that does the same with every question.
    pub(super) async fn always(act: Act) -> Self {
        Self::open(move |_| act.clone()).await
    }

    /// A peer that answers as was recorded: a question that was not is refused. Several
    /// at once it takes where `joins`.
    pub(super) async fn recorded(answers: BTreeMap<String, String>, joins: bool) -> Self {
        Self::open(move |asked| {
            let command = serde_json::from_str::<Value>(asked).ok().map_or_else(
                || asked.to_owned(),
                |asked| asked["command"].as_str().unwrap_or_default().to_owned(),
            );
            let refused = || match asked.starts_with('{') {
                true => {
                    "{\"STATUS\":\"E\",\"Code\":14,\"Msg\":\"invalid cmd\"}".to_owned()
                }
                false => "STATUS=E,Code=14,Msg=Invalid command|".to_owned(),
            };
            if let Some(answer) = answers.get(&command) {
                return Act::Say(answer.clone());
            }
            let each: Option<Vec<String>> = command
                .split('+')
                .map(|one| Some(format!("\"{one}\":[{}]", answers.get(one)?)))
                .collect();
            match each {
                Some(each) if joins => {
                    Act::Say(format!("{{{},\"id\":1}}", each.join(",")))
                }
                Some(_) | None => Act::Say(refused()),
            }
        })
        .await
    }

    /// A peer that does with each question what this says.
    pub(super) async fn open(does: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let does = Arc::new(does);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(one(stream, Arc::clone(&does), Arc::clone(&heard)));
            }
        });
        Self { address, asked, serving }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a list").clone()
    }
}

async fn one(
    mut stream: TcpStream,
    does: Arc<impl Fn(&str) -> Act>,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let mut bytes = [0_u8; 4_096];
    let read = stream.read(&mut bytes).await.unwrap_or(0);
    let question = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let act = does(&question);
    heard.lock().expect("a list").push(question);
    // Whoever asked may have gone.
    match act {
        Act::Say(answer) => {
            drop(stream.write_all(format!("{answer}\0").as_bytes()).await);
        }
        Act::SayOn(answer) => {
            drop(stream.write_all(answer.as_bytes()).await);
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        }
        Act::Close => {}
        Act::Hang => while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {},
        Act::Endless => while stream.write_all(&[b'x'; 4_096]).await.is_ok() {},
        Act::Drip => {
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
