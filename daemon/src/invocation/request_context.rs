//! The request that makes a call, as far as the call has to know it.

use std::sync::Arc;

use uuid::Uuid;

use crate::telemetry::{Record, RequestId};
use crate::trace_context::TraceContext;

/// The request that makes a call; all empty if there is none.
#[derive(Clone, Default)]
pub struct RequestContext {
    pub request: Option<RequestId>,
    /// Whether the caller chose the identity of the request.
    pub is_named: bool,
    /// The identity that the call gets: that of the request, if the daemon chose it.
    pub id: Option<Uuid>,
    /// Its place in a distributed trace, which the guest passes on.
    pub trace: Option<Arc<TraceContext>>,
    /// What observers receive when the request ends, if there are any.
    pub record: Option<Arc<Record>>,
}

impl RequestContext {
    pub(super) fn call_id(&self) -> Uuid {
        self.id.unwrap_or_else(Uuid::now_v7)
    }

    pub fn add_to(&self, environment: &mut Vec<(String, String)>) {
        let named = self.request.as_ref().filter(|_| self.is_named);
        let state = self.trace.as_ref().and_then(|context| context.state.as_deref());
        for (name, value) in [
            ("HTTP_X_REQUEST_ID", named.map(|id| id.as_str().to_owned())),
            ("TRACEPARENT", self.trace.as_ref().map(ToString::to_string)),
            ("TRACESTATE", state.map(str::to_owned)),
        ] {
            if let Some(value) = value {
                environment.retain(|(known, _)| known != name);
                environment.push((name.to_owned(), value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_sees_a_request_id_only_if_the_caller_sent_one() {
        let id = Uuid::now_v7();
        let made = RequestContext { request: Some(RequestId::made(id)), id: Some(id), ..RequestContext::default() };
        let mut environment = vec![("TRACEPARENT".to_owned(), "forged".to_owned())];
        made.add_to(&mut environment);
        assert_eq!(environment, [("TRACEPARENT".to_owned(), "forged".to_owned())]);
        let context = TraceContext::root(1, 2, true);
        let given = RequestContext { is_named: true, trace: Some(Arc::new(context.clone())), ..made };
        given.add_to(&mut environment);
        let expected =
            [("HTTP_X_REQUEST_ID".to_owned(), id.to_string()), ("TRACEPARENT".to_owned(), context.to_string())];
        assert_eq!(environment, expected);
    }
}
