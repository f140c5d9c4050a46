//! Answers that are the function's output, with its cost in headers, and the answers to calls that failed.

use hyper::StatusCode;
use nebula_api::call::{Cost, Output};
use nebula_api::problem::FailedCall;
use nebula_runtime::{Ending, Input};

use super::{Context, take_context};
use crate::functions::Function;
use crate::http::answer::costs::add_headers;
use crate::http::answer::problem::Problem;
use crate::http::answer::{BYTES, TEXT, answer, output};
use crate::http::request::query::variables;
use crate::http::{Request, Response};
use crate::invocation::{self, Finished};

impl Context<'_> {
    /// Calls a numeric function: the body is its input, and its result the answer.
    pub async fn run_numeric(&self, request: Request) -> Result<Response, Problem> {
        let mut environment = variables(self.query(request.uri())?)?;
        let settle = self.take_settle(&mut environment)?;
        let (mut head, body) = request.into_parts();
        let (context, body) = (take_context(&mut head.extensions), self.read(body).await?);
        let input = Input::Captured(body.bytes);
        let request = invocation::Request { input, environment, settle, context, ..Default::default() };
        let mut finished = self.run(request).await?;
        let cost = self.cost(&mut finished).await;
        Ok(plain_answer(self.function, &finished, cost))
    }
}

/// Whether the function ended by itself, and not with a failure.
pub fn has_succeeded(finished: &Finished) -> bool {
    matches!(finished.completion.ending, Ending::Returned | Ending::Answered(_))
}

pub fn plain_answer(function: &Function, finished: &Finished, cost: Cost) -> Response {
    let mut headers = hyper::HeaderMap::new();
    add_headers(&mut headers, finished, &cost);
    let bytes = &finished.completion.output;
    let mut response = if has_succeeded(finished) {
        let kind = if matches!(output(bytes), Output::Text(_)) { TEXT } else { BYTES };
        answer(StatusCode::OK, kind, bytes.clone())
    } else {
        Problem::Guest(finished.completion.ending.clone()).response(Some(failed(function, finished, cost)))
    };
    response.headers_mut().extend(headers);
    response
}

pub fn failed<'a>(function: &'a Function, finished: &'a Finished, cost: Cost) -> FailedCall<'a> {
    let completion = &finished.completion;
    FailedCall {
        function: function.name.as_str().into(),
        invocation_id: finished.id,
        exit_code: completion.exit_code(),
        stderr: String::from_utf8_lossy(&completion.log),
        cost,
    }
}
