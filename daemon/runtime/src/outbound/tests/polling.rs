//! All work of a request is done within the polls of its call, where it is measured.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use hyper::body::{Body, Frame};
use tokio::io::AsyncWriteExt;

use super::server::{head, listen};
use super::*;

/// Whether the call is being polled.
#[derive(Default)]
struct Polling(AtomicUsize);

impl Polling {
    fn now(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    async fn during<F: Future>(&self, call: F) -> F::Output {
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|context| {
            self.0.fetch_add(1, Ordering::Relaxed);
            let polled = call.as_mut().poll(context);
            self.0.fetch_sub(1, Ordering::Relaxed);
            polled
        })
        .await
    }
}

/// A body that notes whether the call is being polled when it is asked for a piece.
struct Witness {
    pieces: usize,
    polling: Arc<Polling>,
    outside: Arc<AtomicUsize>,
}

impl Body for Witness {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.polling.now() {
            self.outside.fetch_add(1, Ordering::Relaxed);
        }
        if self.pieces == 0 {
            return Poll::Ready(None);
        }
        self.pieces -= 1;
        context.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; 10_000])))))
    }
}

#[tokio::test]
async fn bodies_are_copied_within_the_calls_polls_also_when_a_task_awaits_the_answer() {
    const PIECES: usize = 100;
    let port = listen(async |mut stream| {
        head(&mut stream).await;
        let mut sink = vec![0; PIECES * 10_000];
        // Chunked, so that there is more to come than this.
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut sink).await.expect("a body");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("a reader");
    })
    .await;
    let entry = format!("http://127.0.0.1:{port}");
    let (polling, outside) = (Arc::new(Polling::default()), Arc::new(AtomicUsize::new(0)));
    let witness = Witness { pieces: PIECES, polling: polling.clone(), outside: outside.clone() };
    let request = post(&entry, witness.boxed_unsync());
    let call = calling(&[&entry], async |outbound| {
        // As wasmtime does it for `p2`.
        let task = tokio::spawn(begin(outbound, request, None));
        let (response, _) = task.await.expect("a task").expect("an answer");
        response.into_body().collect().await.expect("a body").to_bytes()
    });
    assert_eq!(polling.during(call).await, "ok");
    assert_eq!(outside.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn nothing_goes_on_while_the_call_is_not_polled() {
    let stages = Arc::new(AtomicUsize::new(0));
    let reached = stages.clone();
    let port = listen(move |mut stream| {
        let reached = reached.clone();
        async move {
            reached.store(1, Ordering::Relaxed);
            head(&mut stream).await;
            reached.store(2, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("a reader");
            reached.store(3, Ordering::Relaxed);
        }
    })
    .await;
    let entry = format!("http://127.0.0.1:{port}");
    let background = Background::new();
    let mut outbound = outbound(&[&entry], &background);
    let answer = begin(&mut outbound, get(&entry), None);
    let answer = tokio::spawn(async { answer.await.map(|(response, _)| response.status()) });
    // The server's loop and the kernel have all the time they want.
    let others = async || tokio::time::sleep(SHORT).await;
    others().await;
    assert_eq!(stages.load(Ordering::Relaxed), 0, "nobody has connected");
    let mut call = Box::pin(background.beside(std::future::pending::<()>()));
    while stages.load(Ordering::Relaxed) < 3 {
        assert!(call.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    others().await;
    assert!(!answer.is_finished(), "the answer is in the socket, and nobody has read it");
    while !answer.is_finished() {
        assert!(call.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert_eq!(answer.await.expect("a task").expect("an answer"), 200);
}
