//! `POST /api/wasm`: the form of the thesis on Nebula, with the fields `function_name`, `input` and `num_calls`. The function
//! is called `num_calls` times, one call after the other, and the answer has a result for each.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use nebula_api::call::{Cost, Output, Times};
use nebula_api::form::{FormReport, FormResult, FormTotals};
use nebula_metering::Joules;
use tokio::time::{Instant, timeout_at};

use super::plain::has_succeeded;
use super::{Caller, Context};
use crate::functions::Registry;
use crate::http::access::Visitor;
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, json, output};
use crate::http::request::Peers;
use crate::http::request::body;
use crate::http::{Request, Response};
use crate::invocation::RequestContext;

/// Most output of all calls together, in bytes: it is kept in memory until the last call has ended.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

const FIELDS: [&str; 3] = ["function_name", "input", "num_calls"];
/// About how many bytes a result takes besides its output.
const RESULT_BYTES: usize = 1 << 10;

#[derive(Debug, PartialEq, Eq)]
struct Form {
    function: String,
    input: Bytes,
    calls: u32,
}

/// Calls a function as often as the form says.
pub async fn answer(
    caller: &Arc<Caller>,
    registry: &Registry,
    request: Request,
    visitor: &Visitor,
    peers: Peers,
) -> Result<Response, Problem> {
    let (mut head, body) = request.into_parts();
    let body = caller.bodies.read(body).await?;
    let wanted = read(&head, body.bytes, caller.form.calls).await?;
    visitor.check_function(&wanted.function)?;
    let function = registry.find(&wanted.function);
    let function = &function.ok_or(Problem::UnknownFunction(wanted.function))?;
    let context = Context { caller, visitor, function, peers };
    let (until, mut written) = (Instant::now() + caller.form.wall, 0);
    let (mut results, mut reason) = (Vec::new(), None);
    let mut waiting = caller.backlog.reserve();
    for _ in 0..wanted.calls {
        if written > OUTPUT_BYTES_MAX {
            reason = Some(format!("the calls wrote more than {OUTPUT_BYTES_MAX} bytes"));
            break;
        }
        let before = written;
        let call = context.call_for_form(&head, &wanted.input, &mut written);
        let Ok(result) = timeout_at(until, call).await else {
            reason = Some(format!("the calls took longer than {:?} (`api.wall`)", caller.form.wall));
            break;
        };
        results.push(result);
        if !waiting.add(written - before + RESULT_BYTES) {
            reason = Some("too many answers wait to be sent (`http.buffered`)".to_owned());
            break;
        }
        // The first call has the request's id and its line in the log; all calls share its trace and its name.
        if let Some(context) = head.extensions.get_mut::<RequestContext>() {
            (context.id, context.record) = (None, None);
        }
    }
    let totals = totals(&results);
    let function_name = function.name.as_str().into();
    let report = FormReport { function_name, num_calls: wanted.calls, results, totals, reason };
    Ok(json(StatusCode::OK, JSON, &report))
}

impl Context<'_> {
    /// Calls the function once. A failure is a result too.
    async fn call_for_form(&self, head: &Parts, input: &Bytes, written: &mut usize) -> FormResult<'static> {
        let mut finished = match self.capture(head.clone(), Vec::new(), input.clone(), false).await {
            Ok(finished) => finished,
            Err(problem) => return FormResult { error: Some(problem.document(None)), ..FormResult::default() },
        };
        let Cost { energy_joules, energy, timing, .. } = self.cost(&mut finished).await;
        let result = FormResult {
            invocation_id: Some(finished.id),
            metrics: Some(timing.times),
            energy_joules,
            energy: Some(energy),
            ..FormResult::default()
        };
        if !has_succeeded(&finished) {
            let problem = Problem::Guest(finished.completion.ending);
            return FormResult { error: Some(problem.document(None)), ..result };
        }
        *written += finished.completion.output.len();
        match output(&finished.completion.output) {
            Output::Text(text) => FormResult { result: Some(text.into_owned()), ..result },
            Output::Base64(text) => FormResult { result_base64: Some(text), ..result },
        }
    }
}

fn totals(results: &[FormResult<'_>]) -> FormTotals {
    let failed = results.iter().filter(|call| call.error.is_some()).count();
    let ran = || results.iter().filter(|call| call.metrics.is_some());
    let mut metrics = Times { cpu_us: Some(0), ..Times::default() };
    for times in ran().filter_map(|call| call.metrics) {
        metrics.queue_us += times.queue_us;
        metrics.startup_us += times.startup_us;
        metrics.execution_us += times.execution_us;
        metrics.total_us += times.total_us;
        metrics.cpu_us = metrics.cpu_us.zip(times.cpu_us).map(|(sum, cpu)| sum + cpu);
    }
    let joules: Option<f64> = ran().map(|call| call.energy_joules).sum();
    let grams = |call: &FormResult<'_>| call.energy.as_ref()?.carbon.as_ref()?.grams;
    let has_grams = ran().next().is_some();
    FormTotals {
        succeeded: results.len() - failed,
        failed,
        metrics,
        energy_joules: joules.map(|joules| Joules(joules).to_nanojoule()),
        carbon_grams: ran().map(grams).sum::<Option<f64>>().filter(|_| has_grams),
        reason: joules.is_none().then_some("the joules of a call are not known; its `energy` says why".into()),
    }
}

/// Reads a form in either encoding. Unknown fields are ignored.
async fn read(head: &Parts, body: Bytes, calls_max: u32) -> Result<Form, Problem> {
    let bad = |why: &str| Problem::BadRequest(why.to_owned());
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut fields: Vec<(String, Bytes)> = Vec::new();
    if kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let known = form_urlencoded::parse(&body).filter(|(name, _)| FIELDS.contains(&&**name));
        // One more shows that a field is given twice. A body of `&a&a…` would take many times its size as a list.
        let known = known.take(FIELDS.len() + 1);
        fields.extend(known.map(|(name, value)| (name.into_owned(), value.into_owned().into())));
    } else if let Ok(boundary) = multer::parse_boundary(kind) {
        let parts = body::parts(body, &boundary).await?;
        fields.extend(parts.into_iter().map(|(name, value)| (name.unwrap_or_default(), value)));
    } else {
        return Err(bad("a form must be `application/x-www-form-urlencoded` or `multipart/form-data`"));
    }
    let mut take = |name: &str| {
        let mut values = fields.iter_mut().filter(|(known, _)| known == name).map(|(_, value)| std::mem::take(value));
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Problem::BadRequest(format!("the field `{name}` is given twice"))),
            (value, None) => Ok(value),
        }
    };
    let text = |bytes: Bytes| String::from_utf8(bytes.into()).map_err(|_| bad("a field is not UTF-8"));
    let function = take("function_name")?.map(text).transpose()?.filter(|name| !name.is_empty());
    let calls = match take("num_calls")?.map(text).transpose()? {
        Some(calls) if !calls.trim().is_empty() => {
            calls.trim().parse().ok().filter(|calls| (1..=calls_max).contains(calls))
        }
        _ => Some(1),
    };
    Ok(Form {
        function: function.ok_or_else(|| bad("the field `function_name` is missing"))?,
        input: take("input")?.unwrap_or_default(),
        calls: calls.ok_or_else(|| {
            Problem::BadRequest(format!("`num_calls` must be a whole number from 1 to {calls_max} (`api.calls`)"))
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &str, body: impl Into<Bytes>) -> Result<Form, String> {
        let (head, ()) = hyper::Request::post("/api/wasm").header("content-type", kind).body(()).unwrap().into_parts();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(&head, body.into(), 10)).map_err(|problem| format!("{problem:?}"))
    }

    const URLENCODED: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_form_is_read_in_both_encodings() {
        let form =
            asked("Application/X-WWW-form-urlencoded; charset=utf-8", "function_name=f&input=a+b%21&num_calls=3&x=1");
        let expected = |input: &'static [u8], calls| Form { function: "f".into(), input: input.into(), calls };
        assert_eq!(form, Ok(expected(b"a b!", 3)));
        assert_eq!(asked(URLENCODED, "function_name=f"), Ok(expected(b"", 1)));
        assert_eq!(asked(URLENCODED, "function_name=f&num_calls="), Ok(expected(b"", 1)));
        let part = |name: &str, value: &[u8]| {
            [format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes(), value, b"\r\n"]
                .concat()
        };
        let body =
            [part("function_name", b"f"), part("input", b"\xff\0"), part("num_calls", b"10"), b"--B--\r\n".to_vec()];
        assert_eq!(asked("multipart/form-data; boundary=B", body.concat()), Ok(expected(b"\xff\0", 10)));
    }

    #[test]
    fn malformed_forms_are_refused() {
        for (kind, body, why) in [
            ("application/json", "{}", "a form must be"),
            ("multipart/form-data", "--B", "a form must be"),
            ("multipart/form-data; boundary=B", "--B\r\ncontent", "cannot be read"),
            (URLENCODED, "", "`function_name` is missing"),
            (URLENCODED, "function_name=", "`function_name` is missing"),
            (URLENCODED, "function_name=a&function_name=b", "given twice"),
            (URLENCODED, "function_name=f&num_calls=0", "from 1 to 10"),
            (URLENCODED, "function_name=f&num_calls=11", "from 1 to 10"),
            (URLENCODED, "function_name=f&num_calls=-1", "from 1 to 10"),
            (URLENCODED, "function_name=f&num_calls=many", "from 1 to 10"),
            (URLENCODED, "function_name=%ff", "UnknownFunction"),
        ] {
            match asked(kind, body) {
                Err(problem) => assert!(problem.contains(why), "{kind} {body}: {problem}"),
                Ok(asked) => assert_eq!((why, asked.function.as_str()), ("UnknownFunction", "\u{fffd}")),
            }
        }
    }
}
