//! How long, how many, how much.

use futures_util::FutureExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

use super::server::{answers, closed, head, listen};
use super::*;
use crate::outbound::limits::{CONNECTIONS_MAX, RESPONSE_HEAD_BYTES_MAX};

async fn failing(scheme: &str, port: u16, options: RequestOptions) -> Error {
    let entry = format!("{scheme}://127.0.0.1:{port}");
    let failed = calling(&[&entry], async |outbound| {
        let (response, _) = begin(outbound, get(&entry), Some(options)).await?;
        response.into_body().collect().await.map(http_body_util::Collected::to_bytes)
    });
    failed.await.expect_err("a failure")
}

#[tokio::test]
async fn a_host_that_does_not_shake_hands_is_given_up() {
    let port = listen(closed).await;
    let options = RequestOptions { connect_timeout: Some(SHORT), ..RequestOptions::default() };
    let error = failing("https", port, options).await;
    assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up() {
    let port = listen(closed).await;
    let options = RequestOptions { first_byte_timeout: Some(SHORT), ..RequestOptions::default() };
    let error = failing("http", port, options).await;
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn a_host_that_stops_answering_is_given_up() {
    let port = listen(async |mut stream| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.expect("a reader");
        closed(stream).await;
    })
    .await;
    for timeout in [SHORT, Duration::ZERO] {
        let options = RequestOptions { between_bytes_timeout: Some(timeout), ..RequestOptions::default() };
        let error = failing("http", port, options).await;
        assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    }
}

#[tokio::test]
async fn a_guest_may_wait_for_ages() {
    let port = answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let entry = format!("http://127.0.0.1:{port}");
    let ages = Some(Duration::MAX);
    let options = RequestOptions { connect_timeout: ages, first_byte_timeout: ages, between_bytes_timeout: ages };
    calling(&[&entry], async |outbound| {
        let (response, _) = begin(outbound, get(&entry), Some(options)).await.expect("an answer");
        assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "ok");
    })
    .await;
}

#[tokio::test]
async fn a_pause_of_the_guest_is_not_the_hosts() {
    let (go_on, may_go_on) = watch::channel(false);
    let port = listen(move |mut stream| {
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
    let entry = format!("http://127.0.0.1:{port}");
    let options = RequestOptions { between_bytes_timeout: Some(SHORT * 2), ..RequestOptions::default() };
    calling(&[&entry], async |outbound| {
        let (response, _) = begin(outbound, get(&entry), Some(options)).await.expect("an answer");
        let mut body = response.into_body();
        assert_eq!(body.frame().await.expect("a piece").expect("a piece").into_data().expect("data"), "ha");
        tokio::time::sleep(SHORT * 3).await;
        go_on.send(true).expect("a server");
        assert_eq!(body.collect().await.expect("the rest").to_bytes(), "lf");
    })
    .await;
}

#[tokio::test]
async fn a_call_has_so_many_requests_under_way_and_no_more() {
    let port = listen(closed).await;
    let entry = format!("http://127.0.0.1:{port}");
    calling(&[&entry], async |outbound| {
        let mut pending: Vec<_> = (0..CONNECTIONS_MAX).map(|_| begin(outbound, get(&entry), None)).collect();
        for _ in 0..2 {
            let answer = ask(outbound, &entry).await;
            assert!(matches!(answer, Err(Error::ConnectionLimitReached)), "{answer:?}");
            // Now they are on their way.
            tokio::task::yield_now().await;
        }
        // Whoever is not waited for any more makes room.
        pending.pop();
        tokio::task::yield_now().await;
        let mut next = Box::pin(begin(outbound, get(&entry), None));
        assert!(next.as_mut().now_or_never().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_response_whose_head_does_not_end_is_given_up() {
    let header = format!("x: {}\r\n", "a".repeat(1000));
    let long = format!("HTTP/1.1 200 OK\r\n{}\r\n", header.repeat(RESPONSE_HEAD_BYTES_MAX / header.len() + 1));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: a\r\n".repeat(1000));
    for response in [long, many] {
        let error = failing("http", answers(response).await, RequestOptions::default()).await;
        assert!(matches!(error, Error::HttpResponseHeaderSectionSize(_)), "{error:?}");
    }
}

/// A server that tells when a request has come and when its connection is closed.
async fn telling() -> (u16, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = mpsc::unbounded_channel();
    let port = listen(move |mut stream| {
        let tell = tell.clone();
        async move {
            head(&mut stream).await;
            tell.send("asked").expect("a test");
            closed(stream).await;
            tell.send("closed").expect("a test");
        }
    })
    .await;
    (port, told)
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connections() {
    let (port, mut told) = telling().await;
    let entry = format!("http://127.0.0.1:{port}");
    let call = calling(&[&entry], async |o| ask(o, &entry).await.map(|_| ()));
    tokio::select! {
        answer = call => panic!("nobody answers: {answer:?}"),
        told = told.recv() => assert_eq!(told, Some("asked")),
    }
    assert_eq!(told.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_closes_its_connection() {
    let (port, mut told) = telling().await;
    let entry = format!("http://127.0.0.1:{port}");
    calling(&[&entry], async |outbound| {
        let answer = begin(outbound, get(&entry), None);
        assert_eq!(told.recv().await, Some("asked"));
        drop(answer);
        // The guest is still there: its end is not what closes the connection.
        assert_eq!(told.recv().await, Some("closed"));
    })
    .await;
}
