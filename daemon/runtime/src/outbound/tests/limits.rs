//! Limits on the time, the number and the size of requests.

use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

use super::server::{answers, closed, head, listen};
use super::*;
use crate::outbound::limits::{CONNECTIONS_MAX, RESPONSE_HEAD_BYTES_MAX};

#[tokio::test]
async fn a_host_that_is_too_slow_or_sends_too_much_is_given_up() {
    let silent = listen(closed).await;
    let stops = listen(async |mut stream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.expect("a reader");
        closed(stream).await;
    })
    .await;
    let header = format!("x: {}\r\n", "a".repeat(1000));
    let long = format!("HTTP/1.1 200 OK\r\n{}\r\n", header.repeat(RESPONSE_HEAD_BYTES_MAX / header.len() + 1));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: a\r\n".repeat(1000));

    let none = RequestOptions::default();
    let connect = RequestOptions { connect_timeout: Some(SHORT), ..none };
    let first_byte = RequestOptions { first_byte_timeout: Some(SHORT), ..none };
    let between_bytes = |timeout| RequestOptions { between_bytes_timeout: Some(timeout), ..none };
    for (origin, options, code) in [
        (&silent.replace("http", "https"), connect, "ConnectionTimeout"),
        (&silent, first_byte, "ConnectionReadTimeout"),
        (&stops, between_bytes(SHORT), "ConnectionReadTimeout"),
        (&stops, between_bytes(Duration::ZERO), "ConnectionReadTimeout"),
        (&answers(long).await, none, "HttpResponseHeaderSectionSize"),
        (&answers(many).await, none, "HttpResponseHeaderSectionSize"),
    ] {
        let failed = calling(&[origin], async |outbound| {
            let (response, _) = begin(outbound, get(origin), Some(options)).await?;
            response.into_body().collect().await
        });
        assert_code(&failed.await.expect_err(code), code);
    }
}

#[tokio::test]
async fn a_guest_may_set_timeouts_beyond_the_range_of_the_clock() {
    let origin = answers(OK).await;
    let ages = Some(Duration::MAX);
    let options = RequestOptions { connect_timeout: ages, first_byte_timeout: ages, between_bytes_timeout: ages };
    calling(&[&origin], async |outbound| {
        let (response, _) = begin(outbound, get(&origin), Some(options)).await.expect("an answer");
        assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "ok");
    })
    .await;
}

#[tokio::test]
async fn time_in_which_the_guest_reads_nothing_does_not_count() {
    let (go_on, may_go_on) = watch::channel(false);
    let origin = listen(move |mut stream| {
        let mut may_go_on = may_go_on.clone();
        async move {
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.expect("a reader");
            tokio::time::sleep(SHORT / 2).await;
            stream.write_all(b"ha").await.expect("a reader");
            may_go_on.wait_for(|may| *may).await.expect("a test");
            tokio::time::sleep(SHORT / 2).await;
            stream.write_all(b"lf").await.expect("a reader");
        }
    })
    .await;
    let options = RequestOptions { between_bytes_timeout: Some(SHORT * 2), ..RequestOptions::default() };
    calling(&[&origin], async |outbound| {
        let (response, _) = begin(outbound, get(&origin), Some(options)).await.expect("an answer");
        let mut body = response.into_body();
        assert_eq!(body.frame().await.expect("a piece").expect("a piece").into_data().expect("data"), "ha");
        tokio::time::sleep(SHORT * 3).await;
        go_on.send(true).expect("a server");
        assert_eq!(body.collect().await.expect("the rest").to_bytes(), "lf");
    })
    .await;
}

#[tokio::test]
async fn the_requests_of_a_call_that_are_under_way_are_bounded() {
    let origin = listen(closed).await;
    calling(&[&origin], async |outbound| {
        let mut pending: Vec<_> = (0..CONNECTIONS_MAX).map(|_| begin(outbound, get(&origin), None)).collect();
        for _ in 0..2 {
            let refused = ask(outbound, get(&origin)).await.expect_err("one too many");
            assert_code(&refused, "ConnectionLimitReached");
            // Now they are on their way.
            tokio::task::yield_now().await;
        }
        // A request that is dropped makes room.
        pending.pop();
        tokio::task::yield_now().await;
        assert!(begin(outbound, get(&origin), None).now_or_never().is_none());
    })
    .await;
}

/// A server that reports when a request has come and when its connection is closed.
async fn reporting() -> (String, mpsc::UnboundedReceiver<&'static str>) {
    let (report, reports) = mpsc::unbounded_channel();
    let origin = listen(move |mut stream| {
        let report = report.clone();
        async move {
            head(&mut stream).await;
            report.send("asked").expect("a test");
            closed(stream).await;
            report.send("closed").expect("a test");
        }
    });
    (origin.await, reports)
}

#[tokio::test]
async fn a_dropped_call_closes_its_connections() {
    let (origin, mut reports) = reporting().await;
    let call = calling(&[&origin], async |o| ask(o, get(&origin)).await.map(|_| ()));
    tokio::select! {
        answer = call => panic!("nobody answers: {answer:?}"),
        report = reports.recv() => assert_eq!(report, Some("asked")),
    }
    assert_eq!(reports.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_dropped_request_closes_its_connection_while_the_call_goes_on() {
    let (origin, mut reports) = reporting().await;
    calling(&[&origin], async |outbound| {
        let answer = begin(outbound, get(&origin), None);
        assert_eq!(reports.recv().await, Some("asked"));
        drop(answer);
        assert_eq!(reports.recv().await, Some("closed"));
    })
    .await;
}
