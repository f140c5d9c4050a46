//! `/invoke/NAME`, `/api/NAME/INPUT` and `/wasm/NAME/INPUT`: the function's output and its cost in an envelope.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::http::request::Parts;
use nebula_api::call::Envelope;
use nebula_runtime::Input;

use super::plain::{failed, has_succeeded};
use super::{Context, take_context};
use crate::http::answer::problem::Problem;
use crate::http::answer::{JSON, html as html_page, json, output};
use crate::http::request::query::variables_and;
use crate::http::{Request, Response, page};
use crate::invocation::{self, Finished};

const TWICE_IN_URL: &str = "the input is given twice: in the path and as `?input=`";
const TWICE: &str = "the input is given twice: in the URL and as a body";

impl Context<'_> {
    /// The input is `given` in the path, or else the query's `input`, or else the body.
    pub async fn invoke(&self, request: Request, given: Option<String>, html: bool) -> Result<Response, Problem> {
        let (mut environment, in_query) = variables_and(self.query(request.uri())?, Some("input"))?;
        let settle = self.take_settle(&mut environment)?;
        let input = match (given, in_query) {
            (Some(_), Some(_)) => return Err(Problem::BadRequest(TWICE_IN_URL.into())),
            (given, in_query) => given.or(in_query),
        };
        let (head, body) = request.into_parts();
        let body = self.read(body).await?;
        let input = match input {
            Some(_) if !body.bytes.is_empty() => return Err(Problem::BadRequest(TWICE.into())),
            Some(input) => input.into(),
            None => body.bytes,
        };
        let mut finished = self.capture(head, environment, input, settle).await?;
        let cost = self.cost(&mut finished).await;
        if !has_succeeded(&finished) {
            let (problem, call) =
                (Problem::Guest(finished.completion.ending.clone()), failed(self.function, &finished, cost));
            return Ok(if html { page::problem(&problem, Some(&call)) } else { problem.response(Some(call)) });
        }
        let completion = &finished.completion;
        let envelope = Envelope {
            function: self.function.name.as_str().into(),
            invocation_id: finished.id,
            output: output(&completion.output),
            exit_code: completion.exit_code(),
            status: completion.status(),
            cost,
        };
        if html {
            return Ok(html_page(StatusCode::OK, page::envelope(&envelope).into_string()));
        }
        Ok(json(StatusCode::OK, JSON, &envelope))
    }

    /// Calls the function with an input and captures its output, whatever kind it is.
    pub async fn capture(
        &self,
        mut head: Parts,
        mut environment: Vec<(String, String)>,
        input: Bytes,
        settle: bool,
    ) -> Result<Finished, Problem> {
        if self.function.program.kind().speaks_http() {
            return self.capture_exchange(head, &environment, input, settle).await;
        }
        let context = take_context(&mut head.extensions);
        context.add_to(&mut environment);
        let input = Input::Captured(input);
        self.run(invocation::Request { input, environment, settle, context, ..Default::default() }).await
    }
}
