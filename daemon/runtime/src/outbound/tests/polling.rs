//! All work of a request is done within the polls of its call, where it is measured.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use hyper::body::{Body, Frame};
use tokio::io::AsyncWriteExt;

use super::server::{head, listen};
use super::*;

/// Runs `call`, and shows in `polling` whether it is being polled.
async fn observed<F: Future>(polling: &AtomicBool, call: F) -> F::Output {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|context| {
        polling.store(true, Ordering::Relaxed);
        let polled = call.as_mut().poll(context);
        polling.store(false, Ordering::Relaxed);
        polled
    })
    .await
}

/// A body that notes whether the call is being polled when it is asked for a piece.
struct Witness {
    pieces: usize,
    polling: Arc<AtomicBool>,
    outside: Arc<AtomicUsize>,
}

impl Body for Witness {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.polling.load(Ordering::Relaxed) {
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
async fn bodies_are_copied_within_the_polls_of_the_call_even_if_a_task_awaits_the_answer() {
    const PIECES: usize = 100;
    let origin = listen(async |mut stream| {
        head(&mut stream).await;
        let mut sink = vec![0; PIECES * 10_000];
        // Chunked, so that there is more to come than this.
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut sink).await.expect("a body");
        stream.write_all(OK.as_bytes()).await.expect("a reader");
    })
    .await;
    let (polling, outside) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let witness = Witness { pieces: PIECES, polling: polling.clone(), outside: outside.clone() };
    let request = post(&origin, witness.boxed_unsync());
    let call = calling(&[&origin], async |outbound| {
        // As wasmtime does it for `p2`.
        let task = tokio::spawn(begin(outbound, request, None));
        let (response, _) = task.await.expect("a task").expect("an answer");
        response.into_body().collect().await.expect("a body").to_bytes()
    });
    assert_eq!(observed(&polling, call).await, "ok");
    assert_eq!(outside.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_makes_no_progress_while_its_call_is_not_polled() {
    let stages = Arc::new(AtomicUsize::new(0));
    let reached = stages.clone();
    let origin = listen(move |mut stream| {
        let reached = reached.clone();
        async move {
            reached.store(1, Ordering::Relaxed);
            head(&mut stream).await;
            reached.store(2, Ordering::Relaxed);
            stream.write_all(OK.as_bytes()).await.expect("a reader");
            reached.store(3, Ordering::Relaxed);
        }
    })
    .await;
    let background = Background::new();
    let mut outbound = outbound(&[&origin], &background);
    let answer = begin(&mut outbound, get(&origin), None);
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
