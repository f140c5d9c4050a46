use proptest::prelude::*;

use super::*;

fn read(output: &[u8]) -> Result<CgiAnswer, Malformed> {
    parse(Bytes::copy_from_slice(output))
}

fn answer(output: &str) -> (u16, Vec<(String, String)>, String) {
    let answer = read(output.as_bytes()).expect(output);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    (answer.status.as_u16(), headers, text(&answer.body))
}

fn expect(output: &str, status: u16, headers: &[(&str, &str)], body: &str) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(answer(output), (status, headers, body.to_owned()), "{output:?}");
}

#[test]
fn fields_end_at_the_first_empty_line() {
    let html = [("content-type", "text/html")];
    expect("Content-Type: text/html\n\n<p>\n\nx", 200, &html, "<p>\n\nx");
    expect("content-type:text/html  \r\n\r\nx", 200, &html, "x");
    expect("CONTENT-TYPE: text/html\r\n\n\nx", 200, &html, "\nx");
    expect("Content-Type: text/html\n\r\n", 200, &html, "");
    expect("Status: 404 Not Found\n\nnothing", 404, &[], "nothing");
    expect("Status: 599\nContent-Type: text/html\n\nx", 599, &html, "x");
    expect("X-Mine: 1\nContent-Type: text/html\n\nx", 200, &[("x-mine", "1"), html[0]], "x");
}

#[test]
fn repeated_fields_keep_their_order() {
    let output = "Set-Cookie: a=1\nContent-Type: text/html\nSet-Cookie: b=2\nSet-Cookie: a=3\n\n";
    let answer = read(output.as_bytes()).unwrap();
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2", "a=3"]);
}

#[test]
fn a_location_redirects_unless_a_status_is_given() {
    for location in ["/cart?item=1", "//other.example/", "https://shop.example/#top", "mailto:me@shop.example"] {
        expect(&format!("Location: {location}\n\n"), 302, &[("location", location)], "");
        expect(&format!("Status: 201\nLocation: {location}\n\nmade"), 201, &[("location", location)], "made");
        expect(&format!("Location: {location}\nStatus: 308 Moved\n\n"), 308, &[("location", location)], "");
    }
    for bad in ["cart", "?item=1", ":x", "https:", "1x:y", "/a b", "/ä", "../x", "ht tp:x"] {
        let Err(Malformed::Location { location }) = read(format!("Location: {bad}\n\n").as_bytes()) else {
            panic!("{bad}")
        };
        assert_eq!(location, bad);
    }
}

#[test]
fn output_without_fields_is_plain() {
    let text = [("content-type", "text/plain; charset=utf-8")];
    let plain = [
        "",
        "\n",
        "hello\n",
        "\nContent-Type: text/html\n\n",
        "hello\nContent-Type: text/html\n\nx",
        "Note: this\n\nis text",
        "Note: this\nX-Also: that\r\n\r\nis text",
        "Content-Type: text/html",
        "Content-Type: text/html\n",
        "Content-Type: text/html\r\nand more\n",
        "Content-Type : text/html\n\n",
        " Content-Type: text/html\n\n",
        "Content-Type:\n\nx",
        "Status:  \nLocation:\n\nx",
        "Ünicode: x\nStatus: 200\n\n",
        "[0, 1, 1, 2, 3]\n",
        "{\"a\": 1}\n\nStatus: 200\n\n",
    ];
    for output in plain {
        expect(output, 200, &text, output);
    }
    let bytes = read(b"\xff\xfe\n\n").unwrap();
    assert_eq!((&bytes.headers[CONTENT_TYPE], &bytes.body[..]), (&BYTES, &b"\xff\xfe\n\n"[..]));
}

#[test]
fn too_many_fields_or_bytes_of_them_are_plain_output() {
    let fields = |count: usize| format!("Status: 201\n{}\nx", "X-A: 1\n".repeat(count - 1));
    assert_eq!((answer(&fields(FIELDS_MAX)).0, answer(&fields(FIELDS_MAX + 1)).0), (201, 200));

    let block = |length: usize| {
        let (before, after) = ("Status: 201\nX-A: ", "\n\n");
        format!("{before}{}{after}x", "a".repeat(length - before.len() - after.len()))
    };
    assert_eq!((answer(&block(HEAD_MAX)).0, answer(&block(HEAD_MAX + 1)).0), (201, 200));
}

#[test]
fn reserved_fields_are_left_out() {
    let connection = "Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade Proxy-Authenticate Proxy-Connection";
    let others = "Content-Length Nebula-Energy-Joules X-CGI-Trace";
    for name in connection.split(' ').chain(others.split(' ')) {
        expect(&format!("{name}: 1\nContent-Type: a/b\n\nx"), 200, &[("content-type", "a/b")], "x");
    }
    expect("Content-Type: a/b\nX-Empty:\n\nx", 200, &[("content-type", "a/b")], "x");
}

#[test]
fn invalid_fields_are_refused() {
    let table = [
        ("Status: 200\n folded\n\n", Malformed::Folded { line: 2 }),
        ("Status: 200\nX-A: 1\n\tfolded\n\n", Malformed::Folded { line: 3 }),
        ("Status: 200\nno field\n\n", Malformed::Field { line: 2 }),
        ("Status: 200\nX A: 1\n\n", Malformed::Field { line: 2 }),
        ("Status: 200\n: 1\n\n", Malformed::Field { line: 2 }),
        ("Status: 200\nX-A: a\rb\n\n", Malformed::Value { name: HeaderName::from_static("x-a") }),
        ("Status: 200\nX-A: a\0b\n\n", Malformed::Value { name: HeaderName::from_static("x-a") }),
        ("Status: 200\nStatus: 200\n\n", Malformed::Twice { name: STATUS }),
        ("Content-Type: a/b\nContent-Type: a/b\n\n", Malformed::Twice { name: CONTENT_TYPE }),
        ("Location: /a\nLocation: /b\n\n", Malformed::Twice { name: LOCATION }),
    ];
    for (output, expected) in table {
        assert_eq!(read(output.as_bytes()), Err(expected), "{output:?}");
    }
    for bad in ["20", "2000", "OK", "200OK", "099", "600", "999", "+20", "100 Continue", "101", "-200", "2.0", "²00"] {
        let expected = Malformed::Status { status: bad.into() };
        assert_eq!(read(format!("Status: {bad}\n\n").as_bytes()), Err(expected), "{bad}");
    }
    let long = read(format!("Status: {}\n\n", "é".repeat(5000)).as_bytes()).unwrap_err().to_string();
    assert!(long.starts_with(&format!("`{}…` in the answer is not a status", "é".repeat(SHOWN_MAX))), "{long}");
}

#[test]
fn some_statuses_have_no_body() {
    for status in [204, 205, 304] {
        expect(&format!("Status: {status}\n\nnot sent"), status, &[], "");
    }
}

#[test]
fn bodies_are_not_copied() {
    let output = Bytes::from_static(b"Status: 200\n\nbody");
    let answer = parse(output.clone()).unwrap();
    assert_eq!(answer.body.as_ptr(), output[13..].as_ptr());
    let plain = Bytes::from_static(b"body");
    assert_eq!(parse(plain.clone()).unwrap().body.as_ptr(), plain.as_ptr());
}

/// Bytes that look like fields more often than chance would have it.
fn fieldlike() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        prop::sample::select(vec!["Status", "Location", "Content-Type", ":", ": ", "\n", "\r\n", "\n\n", "200", "/"])
            .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(part, 0..16).prop_map(|parts| parts.concat())
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #[test]
    fn any_output_is_parsed_or_refused(output in prop_oneof![bytes(300), fieldlike()]) {
        if let Ok(answer) = read(&output) {
            prop_assert!((200..600).contains(&answer.status.as_u16()));
            prop_assert!(output.ends_with(&answer.body));
        }
    }

    #[test]
    fn every_byte_of_a_body_arrives(
        names in prop::collection::vec("X-[a-z]{1,8}", 0..20),
        ends in prop::collection::vec(prop::bool::ANY, 22),
        code in prop::sample::select(vec![200_u16, 202, 404, 418, 503]),
        body in bytes(300),
    ) {
        let lines = names.iter().map(|name| format!("{name}: v")).chain([format!("Status: {code} Words"), String::new()]);
        let lines = lines.zip(&ends).map(|(line, crlf)| line + if *crlf { "\r\n" } else { "\n" });
        let answer = read(&[lines.collect::<String>().as_bytes(), &body].concat()).unwrap();
        prop_assert_eq!(answer.status.as_u16(), code);
        prop_assert_eq!(answer.headers.len(), names.iter().filter(|name| !name.starts_with("X-cgi-")).count());
        prop_assert_eq!(&answer.body[..], &body[..]);
    }

    #[test]
    fn output_without_an_empty_line_arrives_unchanged(output in "([ -~]{1,20}\n){0,8}[ -~]{0,20}") {
        let answer = read(output.as_bytes()).unwrap();
        prop_assert_eq!(&answer.body[..], output.as_bytes());
    }
}
