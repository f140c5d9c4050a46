//! Where a call comes from: the request that made it, as far as the call and those who watch it have to know.

use std::sync::Arc;

use uuid::Uuid;

use crate::telemetry::{Record, RequestId};
use crate::trace_context::TraceContext;

/// Where a call comes from. Nothing is known of one that no request made.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The name of the request.
    pub request: Option<RequestId>,
    /// Whether the caller has named it so.
    pub is_named: bool,
    /// The identity that the call is to have: the request's, where the daemon has named that.
    pub id: Option<Uuid>,
    /// Its place in a trace, which the guest passes on.
    pub context: Option<Arc<TraceContext>>,
    /// Where it is written down, if it is.
    pub record: Option<Arc<Record>>,
}

impl Trail {
    /// The identity of the call.
    pub(super) fn call_id(&self) -> Uuid {
        self.id.unwrap_or_else(Uuid::now_v7)
    }

    /// Puts what a command should know of it, and no header tells it, among its environment variables.
    pub fn tell(&self, environment: &mut Vec<(String, String)>) {
        let named = self.request.as_ref().filter(|_| self.is_named);
        let state = self.context.as_ref().and_then(|context| context.state.as_deref());
        for (name, value) in [
            ("HTTP_X_REQUEST_ID", named.map(|id| id.as_str().to_owned())),
            ("TRACEPARENT", self.context.as_ref().map(ToString::to_string)),
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
    fn a_command_is_told_what_came_and_nothing_of_what_was_made_up() {
        let id = Uuid::now_v7();
        let made = Trail { request: Some(RequestId::made(id)), id: Some(id), ..Trail::default() };
        let mut environment = vec![("TRACEPARENT".to_owned(), "forged".to_owned())];
        made.tell(&mut environment);
        assert_eq!(environment, [("TRACEPARENT".to_owned(), "forged".to_owned())]);
        let context = TraceContext::root(1, 2, true);
        let given = Trail { is_named: true, context: Some(Arc::new(context.clone())), ..made };
        given.tell(&mut environment);
        let expected =
            [("HTTP_X_REQUEST_ID".to_owned(), id.to_string()), ("TRACEPARENT".to_owned(), context.to_string())];
        assert_eq!(environment, expected);
    }
}
